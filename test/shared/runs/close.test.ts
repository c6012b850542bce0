import fc from 'fast-check';
import { isComplete, statusOf, totalsOf } from '../../../shared/runs/close.ts';
import { guard } from '../../../shared/runs/guard.ts';
import { ShardCounts, Totals } from '../../../shared/runs/model.ts';
import { runOf, settlementOf, shardOf } from './runs.ts';

describe('the deletion guard', () => {
  const input = {
    extracted: 900,
    known: 1000,
    removed: 100,
    approved: false,
    limits: { maxPercent: 10, maxRecords: 100 },
  };

  test.each([
    ['both limits are reached and not passed', {}, true],
    ['one more than maxRecords', { removed: 101, known: 10_000 }, false],
    ['one more than maxPercent', { removed: 100, known: 999 }, false],
    ['nothing is removed, and nothing was extracted', { removed: 0, extracted: 0 }, true],
    ['nothing is removed, and the limits are zero', { removed: 0, limits: { maxPercent: 0, maxRecords: 0 } }, true],
    ['one is removed, and maxPercent is zero', { removed: 1, limits: { maxPercent: 0, maxRecords: 100 } }, false],
    ['one is removed, and maxRecords is zero', { removed: 1, limits: { maxPercent: 100, maxRecords: 0 } }, false],
    [
      'all are removed, and both limits allow it',
      { removed: 1000, known: 1000, extracted: 1, limits: { maxPercent: 100, maxRecords: 1000 } },
      true,
    ],
    ['all are removed, and no row was extracted', { removed: 50, known: 1000, extracted: 0 }, false],
    ['a person approved it, whatever the limits', { removed: 1000, approved: true }, true],
    ['a person approved it, and no row was extracted', { removed: 1000, extracted: 0, approved: true }, true],
    ['only records that left before are removed', { removed: 1, known: 0 }, false],
    [
      'a fraction of a percent is reached and not passed',
      { removed: 57, known: 10_000, limits: { maxPercent: 0.57, maxRecords: 100 } },
      true,
    ],
    [
      'a fraction of a percent is passed',
      { removed: 58, known: 10_000, limits: { maxPercent: 0.57, maxRecords: 100 } },
      false,
    ],
  ])('when %s', (_, more, released) => {
    const verdict = guard({ ...input, ...more });
    expect(verdict.released).toBe(released);
    if (!verdict.released) expect(verdict.because).toMatch(/^\d+ removals are held: /);
  });

  test('never releases more than the limits allow without a person, nor holds what they allow', () => {
    const count = fc.integer({ min: 0, max: 100_000 });
    const percent = fc.integer({ min: 0, max: 10_000 });
    fc.assert(
      fc.property(count, count, count, count, percent, (extracted, known, removed, maxRecords, hundredths) => {
        const verdict = guard({
          extracted,
          known,
          removed,
          approved: false,
          limits: { maxPercent: hundredths / 100, maxRecords },
        });
        const isWithin = removed <= maxRecords && BigInt(removed) * 10_000n <= BigInt(hundredths) * BigInt(known);
        expect(verdict.released).toBe(removed === 0 || (extracted > 0 && isWithin));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a run is complete', () => {
  const seqs = (from: number, to: number) => new Set(Array.from({ length: to - from }, (_, n) => from + n));

  test.each([
    ['without any batch', runOf(), [shardOf({ done: true })], [], true],
    ['before every shard is read', runOf(), [shardOf({ done: true }), shardOf({ shard: 1 })], [], false],
    [
      'before every batch is settled',
      runOf(),
      [shardOf({ done: true, batches: 2 })],
      [settlementOf({ settled: seqs(0, 1) })],
      false,
    ],
    [
      'when every batch is settled',
      runOf(),
      [shardOf({ done: true, batches: 2 })],
      [settlementOf({ settled: seqs(0, 2) })],
      true,
    ],
    [
      'over many shards and items',
      runOf(),
      [shardOf({ done: true, batches: 101 }), shardOf({ shard: 1, done: true, batches: 1 })],
      [
        settlementOf({ settled: seqs(0, 100) }),
        settlementOf({ settled: seqs(100, 101) }),
        settlementOf({ settled: seqs(0, 1) }),
      ],
      true,
    ],
    ['with removals that are held', runOf(), [shardOf({ done: true, held: 3 })], [], true],
    [
      'before released removals are settled',
      runOf({ released: true }),
      [shardOf({ done: true, held: 3 })],
      [settlementOf({ settled: seqs(0, 2) })],
      false,
    ],
    [
      'when released removals are settled',
      runOf({ released: true }),
      [shardOf({ done: true, held: 3 })],
      [settlementOf({ settled: seqs(0, 3) })],
      true,
    ],
  ])('%s', (_, run, shards, settlements, complete) => {
    expect(isComplete(run, shards, settlements)).toBe(complete);
  });
});

describe('the totals of a run', () => {
  const counts = (n: number) =>
    ShardCounts.parse({
      extracted: 10 * n,
      unchanged: n,
      added: 2 * n,
      changed: 3 * n,
      removed: 4 * n,
      rejected: 4 * n,
      omitted: 5 * n,
      known: 9 * n,
      listed: n,
    });
  const shards = [shardOf({ counts: counts(1) }), shardOf({ shard: 1, counts: counts(10) })];
  const settlements = [
    settlementOf({
      settled: new Set([0]),
      accepted: 1,
      rejected: 2,
      deleted: 3,
      absent: 4,
      undelivered: 5,
      requests: 6,
      lookups: 7,
      dataPoints: 8,
    }),
    settlementOf({
      settled: new Set([1]),
      accepted: 10,
      rejected: 20,
      deleted: 30,
      absent: 40,
      undelivered: 50,
      requests: 60,
      lookups: 70,
      dataPoints: 80,
    }),
  ];

  test('are sums over its shards and its settled batches', () => {
    expect(totalsOf(runOf(), shards, settlements)).toEqual({
      extracted: 110,
      unchanged: 11,
      added: 22,
      changed: 33,
      removed: 44,
      held: 44,
      accepted: 11,
      rejected: 44 + 22,
      deleted: 33,
      omitted: 55,
      absent: 44,
      undelivered: 55,
      requests: 66,
      lookups: 77,
      dataPoints: 88,
    });
  });

  test.each([
    ['released', runOf({ released: true })],
    ['failing', runOf({ status: 'failing' })],
  ])('have no held removals for a run that is %s', (_, run) => {
    expect(totalsOf(run, shards, settlements)).toMatchObject({ held: 0, removed: 44 });
  });

  test('are all zero for a run that found nothing', () => {
    expect(new Set(Object.values(totalsOf(runOf(), [], [])))).toEqual(new Set([0]));
  });
});

test.each([
  ['failed', 'failing', {}],
  ['failed', 'failing', { held: 1, rejected: 1 }],
  ['failed', 'running', { undelivered: 1, held: 1, rejected: 1 }],
  ['held', 'running', { held: 1, rejected: 1 }],
  ['partial', 'running', { rejected: 1 }],
  ['succeeded', 'running', { omitted: 1, absent: 1, accepted: 1, removed: 1, deleted: 1 }],
  ['succeeded', 'running', {}],
] as const)('a run ends as %s when it is %s with %j', (ended, status, totals) => {
  expect(statusOf({ status }, Totals.parse(totals))).toBe(ended);
});
