import fc from 'fast-check';
import { heldBecause, overBudget } from '../../../shared/runs/guard.ts';

describe('a mass effect', () => {
  const input = {
    what: 'removals',
    extracted: 900,
    of: 1000,
    found: 100,
    limits: { maxPercent: 10, maxRecords: 100 },
  };

  test.each([
    ['both limits are reached and not passed', {}, undefined],
    ['one more than maxRecords', { found: 101, of: 10_000 }, 'more than maxRecords (100)'],
    ['one more than maxPercent', { of: 999 }, 'more than maxPercent (10) of the 999 records in the ledger'],
    ['nothing is found, and nothing was extracted', { found: 0, extracted: 0 }, undefined],
    ['nothing is found, and the limits are zero', { found: 0, limits: { maxPercent: 0, maxRecords: 0 } }, undefined],
    [
      'one is found, and maxPercent is zero',
      { found: 1, limits: { maxPercent: 0, maxRecords: 100 } },
      'maxPercent (0)',
    ],
    [
      'one is found, and maxRecords is zero',
      { found: 1, limits: { maxPercent: 100, maxRecords: 0 } },
      'maxRecords (0)',
    ],
    [
      'all are found, and both limits allow it',
      { found: 1000, extracted: 1, limits: { maxPercent: 100, maxRecords: 1000 } },
      undefined,
    ],
    ['all are found, and no row was extracted', { found: 50, extracted: 0 }, 'the extract had no rows at all'],
    ['only records that left before are found', { found: 1, of: 0 }, 'of the 0 records'],
    [
      'a fraction of a percent is reached and not passed',
      { found: 57, of: 10_000, limits: { maxPercent: 0.57, maxRecords: 100 } },
      undefined,
    ],
    [
      'a fraction of a percent is passed',
      { found: 58, of: 10_000, limits: { maxPercent: 0.57, maxRecords: 100 } },
      '0.57',
    ],
    ['as few as minRecords are found', { found: 9, of: 9, limits: { ...input.limits, minRecords: 9 } }, undefined],
    ['one more than minRecords', { found: 10, of: 10, limits: { ...input.limits, minRecords: 9 } }, 'maxPercent (10)'],
    [
      'fewer than minRecords are found, and no row was extracted',
      { found: 1, extracted: 0, limits: { ...input.limits, minRecords: 9 } },
      'no rows at all',
    ],
    [
      'minRecords is more than maxRecords',
      { found: 5, of: 5, limits: { maxPercent: 100, maxRecords: 0, minRecords: 9 } },
      undefined,
    ],
  ])('when %s', (_, more, because) => {
    const held = heldBecause({ ...input, ...more });
    if (because === undefined) expect(held).toBeUndefined();
    else expect(held).toMatch(/^\d+ removals are held: /);
    expect(held ?? '').toContain(because ?? '');
  });

  test('is never sent beyond the limits, nor held within them', () => {
    const count = fc.integer({ min: 0, max: 100_000 });
    const few = fc.integer({ min: 0, max: 20 });
    const percent = fc.integer({ min: 0, max: 10_000 });
    fc.assert(
      fc.property(fc.oneof(few, count), count, fc.oneof(few, count), count, few, percent, (...drawn) => {
        const [extracted, of, found, maxRecords, minRecords, hundredths] = drawn;
        const limits = { maxPercent: hundredths / 100, maxRecords, minRecords };
        const held = heldBecause({ what: 'removals', extracted, of, found, limits });
        const isWithin = found <= maxRecords && BigInt(found) * 10_000n <= BigInt(hundredths) * BigInt(of);
        expect(held === undefined).toBe(found === 0 || (extracted > 0 && (found <= minRecords || isWithin)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a run with a budget', () => {
  const budget = { dataPointsPerRun: 100, dataPointsPerDay: 150 };

  test.each([
    ['costs nothing, whatever was spent', { dataPoints: 0, spentToday: 1000 }, undefined],
    ['costs as much as a run may', { dataPoints: 100 }, undefined],
    ['costs one more than a run may', { dataPoints: 101 }, 'dataPointsPerRun (100)'],
    ['costs as much as is left of the day', { dataPoints: 60, spentToday: 90 }, undefined],
    ['costs one more than is left of the day', { dataPoints: 61, spentToday: 90 }, 'dataPointsPerDay (150)'],
    ['costs as much as was approved', { dataPoints: 500, spentToday: 500, approved: 500 }, undefined],
    ['costs one more than was approved', { dataPoints: 501, approved: 500 }, 'dataPointsPerRun (100)'],
    ['has no limit for a run', { dataPoints: 1000, budget: { dataPointsPerDay: 1000 } }, undefined],
    ['has no limit for a day', { dataPoints: 10, spentToday: 1000, budget: { dataPointsPerRun: 10 } }, undefined],
    ['has no limit at all', { dataPoints: 1e9, budget: {} }, undefined],
  ])('when it %s', (_, more, because) => {
    const held = overBudget({ spentToday: 0, approved: 0, budget, ...more });
    if (because === undefined) expect(held).toBeUndefined();
    else expect(held).toMatch(/^the run is held: it would cost \d+ data points/);
    expect(held ?? '').toContain(because ?? '');
  });
});
