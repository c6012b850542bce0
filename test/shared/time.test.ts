import fc from 'fast-check';
import { backoffMs, DAY_MS, HOUR_MS, MINUTE_MS, parseDuration, shift } from '../../shared/time.ts';

const at = (iso: string): number => Date.parse(iso);
const amount = fc.integer({ min: 0, max: 999_999 });

describe('a duration', () => {
  test.each(['90 days', '1 day', '0 minutes', '12 months', '999999 hours', '1 years'])('may be %s', (text) => {
    expect(Object.values(parseDuration(text))).toEqual([Number(text.split(' ')[0])]);
  });

  test.each([
    '',
    'days',
    '90',
    '-1 days',
    '1.5 days',
    '90days',
    '90  days',
    ' 90 days',
    '90 days ',
    '90 DAYS',
    '1 second',
    '1000000 days',
    '90 dayss',
    '1 fortnight',
  ])('is not %j', (text) => {
    expect(() => parseDuration(text)).toThrow('is no duration');
  });

  test('of minutes, hours, days and weeks has one length, whatever the clocks of a time zone do', () => {
    const lengths = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS };
    const unit = fc.constantFrom('minute', 'hour', 'day', 'week');
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        amount,
        unit,
        fc.constantFrom(-1, 1),
        (nowMs, count, unit, sign) => {
          expect(shift(nowMs, `${count} ${unit}s`, sign)).toBe(nowMs + sign * count * lengths[unit]);
        },
      ),
    );
  });

  test('of months and years goes by the calendar: the same day and time, or the last day of a shorter month', () => {
    const day = fc.date({ min: new Date('1900-01-01'), max: new Date('2400-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(
        day,
        fc.integer({ min: 0, max: 2400 }),
        fc.constantFrom(-1, 1),
        fc.boolean(),
        (now, count, sign, years) => {
          const months = now.getUTCFullYear() * 12 + now.getUTCMonth() + sign * count * (years ? 12 : 1);
          const [year, month] = [Math.floor(months / 12), ((months % 12) + 12) % 12];
          const last = new Date(Date.UTC(2000, 0, 1));
          last.setUTCFullYear(year, month + 1, 0);
          const expected = new Date(now);
          expected.setUTCFullYear(year, month, Math.min(now.getUTCDate(), last.getUTCDate()));
          expect(shift(now.getTime(), `${count} ${years ? 'year' : 'month'}`, sign)).toBe(expected.getTime());
        },
      ),
    );
  });

  test.each([
    ['2026-03-31T10:00:00Z', '1 month', -1, '2026-02-28T10:00:00Z'],
    ['2024-02-29T23:59:59.999Z', '1 year', 1, '2025-02-28T23:59:59.999Z'],
    ['2026-03-29T01:30:00Z', '1 day', -1, '2026-03-28T01:30:00Z'],
    ['2026-01-31T00:00:00Z', '13 months', 1, '2027-02-28T00:00:00Z'],
  ] as const)('from %s by %s (%i) leads to %s', (from, duration, direction, to) => {
    expect(shift(at(from), duration, direction)).toBe(at(to));
  });
});

test('a backoff doubles up to its cap, with jitter over the upper half', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 60_000 }),
      fc.integer({ min: 1, max: 3_600_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, baseMs, capMs, random) => {
        const most = attempt > 60 ? capMs : Math.min(capMs, baseMs * 2 ** (attempt - 1));
        const waitMs = backoffMs({ random: () => random }, attempt, baseMs, capMs);
        expect(waitMs).toBeGreaterThanOrEqual(Math.floor(most / 2));
        expect(waitMs).toBeLessThanOrEqual(most);
      },
    ),
  );
});
