import fc from 'fast-check';
import { Invalid } from '../../../shared/values/converted.ts';
import { flooredTime, isoDate, isoTime } from '../../../shared/values/time-text.ts';

const reasonOf = (read: string | Invalid): string | undefined => (read instanceof Invalid ? read.reason : undefined);
const two = (number: number): string => String(number).padStart(2, '0');

/** Days of a month of the Gregorian calendar, without any Date. */
const daysIn = (year: number, month: number): number => {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
};

const day = fc
  .tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 31 }))
  .map(([year, month, date]) => ({
    year,
    month,
    date,
    text: `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}`,
  }));
const timeOfDay = fc
  .tuple(
    fc.integer({ min: 0, max: 23 }),
    fc.integer({ min: 0, max: 59 }),
    fc.option(fc.tuple(fc.integer({ min: 0, max: 59 }), fc.option(fc.stringMatching(/^\d{1,9}$/)))),
  )
  .map(([hour, minute, rest]) => {
    const [second, fraction] = rest ?? [0, null];
    const seconds = rest === null ? '' : `:${two(second)}${fraction === null ? '' : `.${fraction}`}`;
    // What is finer than a millisecond is cut, never rounded: the second after may be another year.
    const milliseconds = Number(`${fraction ?? ''}000`.slice(0, 3));
    return {
      text: `${two(hour)}:${two(minute)}${seconds}`,
      ms: ((hour * 60 + minute) * 60 + second) * 1000 + milliseconds,
    };
  });
const offset = fc
  .tuple(
    fc.constantFrom(1, -1),
    fc.integer({ min: 0, max: 15 }),
    fc.integer({ min: 0, max: 59 }),
    fc.constantFrom('', ' '),
  )
  .chain(([sign, hours, minutes, space]) => {
    const start = `${space}${sign < 0 ? '-' : '+'}${two(hours)}`;
    const hoursMs = sign * hours * 3_600_000;
    const wholeMs = sign * (hours * 60 + minutes) * 60_000;
    return fc.constantFrom(
      { text: start, ms: hoursMs },
      { text: `${start}:${two(minutes)}`, ms: wholeMs },
      { text: `${start}${two(minutes)}`, ms: wholeMs },
    );
  });
const zone = fc.oneof(fc.constantFrom({ text: '', ms: 0 }, { text: 'Z', ms: 0 }, { text: ' Z', ms: 0 }), offset);

describe('a date', () => {
  test('stays as it is when the calendar has it, and is refused otherwise', () => {
    fc.assert(
      fc.property(day, ({ year, month, date, text }) => {
        const exists = date <= daysIn(year, month);
        expect(isoTime(text)).toEqual(exists ? text : new Invalid('is no date or time'));
        expect(isoDate(text)).toEqual(isoTime(text));
      }),
    );
  });

  test.each(['2024-02-29', '2000-02-29', '0000-02-29', '0000-01-01', '3000-12-31'])('%s is one', (text) => {
    expect(isoTime(text)).toBe(text);
  });

  test.each([
    '2023-02-29',
    '1900-02-29',
    '2026-00-10',
    '2026-13-01',
    '2026-01-00',
    '2026-04-31',
    '2026-1-1',
    '26-01-01',
    '20260101',
    '2026/01/01',
    '01/02/2026',
    ' 2026-01-01',
    '2026-01-01 ',
    '2026-01-01\n',
    '-2026-01-01',
    '+2026-01-01',
    '0044-03-15 BC',
    '2026-01-01Z',
    '2026-01-01+02',
    'infinity',
    '-infinity',
    'now',
    '',
    '1769853600',
    '٢٠٢٦-٠١-٠١',
  ])('%j is none', (text) => {
    expect(reasonOf(isoTime(text))).toBe('is no date or time');
    expect(reasonOf(isoDate(text))).toBe('is no date or time');
  });

  test.each(['3001-01-01', '9999-12-31', '10000-01-01', '275000-12-31'])('%s lies beyond what Braze keeps', (text) => {
    expect(reasonOf(isoTime(text))).toContain('year outside 0 to 3000');
  });

  test.each(['02026-01-15', '002026-01-15'])('%s is written with four digits of year', (text) => {
    expect(isoTime(text)).toBe('2026-01-15');
    expect(isoDate(text)).toBe('2026-01-15');
  });
});

describe('a time', () => {
  test('is the moment in UTC with milliseconds, whatever its offset', () => {
    fc.assert(
      fc.property(
        day,
        fc.constantFrom(' ', 'T'),
        timeOfDay,
        zone,
        ({ year, month, date, text }, between, time, zone) => {
          fc.pre(date <= daysIn(year, month));
          const moment = new Date(Date.parse(`${text}T00:00:00.000Z`) + time.ms - zone.ms);
          const read = isoTime(`${text}${between}${time.text}${zone.text}`);
          const isKept = moment.getUTCFullYear() >= 0 && moment.getUTCFullYear() <= 3000;
          expect(read).toEqual(isKept ? moment.toISOString() : expect.any(Invalid));
          if (typeof read === 'string') {
            expect(Date.parse(read)).toBe(moment.getTime());
            expect(isoTime(read)).toBe(read);
          }
        },
      ),
    );
  });

  test.each([
    ['2026-01-31 10:11:12', '2026-01-31T10:11:12.000Z'],
    ['2026-01-31T10:11', '2026-01-31T10:11:00.000Z'],
    ['2026-01-31 10:11:12.123456', '2026-01-31T10:11:12.123Z'],
    ['2026-01-31 10:11:12.1', '2026-01-31T10:11:12.100Z'],
    ['2026-12-31 23:59:59.999999', '2026-12-31T23:59:59.999Z'],
    ['1969-12-31 23:59:59.9999', '1969-12-31T23:59:59.999Z'],
    ['2026-01-31 10:11:12+00', '2026-01-31T10:11:12.000Z'],
    ['2026-01-01 00:30:00+05:30', '2025-12-31T19:00:00.000Z'],
    ['2026-01-31 23:00:00-0930', '2026-02-01T08:30:00.000Z'],
    ['1880-01-01 00:00:00+00:09:21', '1879-12-31T23:50:39.000Z'],
    ['0000-01-01 00:00:00', '0000-01-01T00:00:00.000Z'],
    ['0099-06-01 12:00:00', '0099-06-01T12:00:00.000Z'],
    ['3000-12-31 23:59:59Z', '3000-12-31T23:59:59.000Z'],
    ['3001-01-01 00:00:00+01', '3000-12-31T23:00:00.000Z'],
  ])('%s is %s', (text, iso) => {
    expect(isoTime(text)).toBe(iso);
  });

  test.each([
    '2026-01-31 24:00:00',
    '2026-01-31 23:60:00',
    '2026-01-31 23:59:60',
    '2026-01-31 10',
    '2026-01-31 10:1:1',
    '2026-01-31  10:11:12',
    '2026-01-31t10:11:12z',
    '2026-01-31 10:11:12.',
    '2026-01-31 10:11:12,5',
    '2026-01-31 10:11:12 UTC',
    '2026-01-31 10:11:12 AM',
    '2026-01-31 10:11:12.1234567890',
    '2026-01-31 10:11:12+1',
    '2026-01-31 10:11:12+24:00',
    '2026-01-31 10:11:12-01:60',
    '2026-01-31 10:11:12+99',
    '2026-01-31 10:11:12 BC',
    '10:11:12',
  ])('%j is none', (text) => {
    expect(reasonOf(isoTime(text))).toBe('is no date or time');
  });

  test.each(['0000-01-01 00:00:00+01', '3000-12-31 23:30:00-01', '3001-01-01 00:00:00'])(
    '%s lies beyond what Braze keeps',
    (text) => {
      expect(reasonOf(isoTime(text))).toContain('year outside 0 to 3000');
    },
  );

  test.each([
    ['2026-01-31 23:30:00-02', '2026-02-01'],
    ['2026-02-01 00:30:00+02:00', '2026-01-31'],
    ['2026-01-31 23:59:59.999999', '2026-01-31'],
  ])('%s falls on %s by UTC', (text, date) => {
    expect(isoDate(text)).toBe(date);
  });
});

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

describe('a time that is rounded down', () => {
  test.each([
    ['2026-01-31T10:11:12.345Z', MINUTE_MS, '2026-01-31T10:11:00.000Z'],
    ['2026-01-31T10:11:12.345Z', 15 * MINUTE_MS, '2026-01-31T10:00:00.000Z'],
    ['2026-01-31T10:11:12.345Z', DAY_MS, '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T00:00:00.000Z', DAY_MS, '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T23:59:59.999Z', DAY_MS, '2026-01-31T00:00:00.000Z'],
    // Weeks begin on Thursday, as 1970 did.
    ['2026-01-31T10:11:12.345Z', 7 * DAY_MS, '2026-01-29T00:00:00.000Z'],
    ['1969-12-31T23:59:59.999Z', DAY_MS, '1969-12-31T00:00:00.000Z'],
    ['1969-12-31T00:00:00.000Z', DAY_MS, '1969-12-31T00:00:00.000Z'],
    ['1969-12-31T23:59:59.999Z', 7 * DAY_MS, '1969-12-25T00:00:00.000Z'],
    ['0000-01-01T00:00:00.000Z', DAY_MS, '0000-01-01T00:00:00.000Z'],
    ['0000-01-01T00:00:00.000Z', 7 * DAY_MS, '0000-01-01T00:00:00.000Z'],
    ['2026-01-31', DAY_MS, '2026-01-31'],
    ['2026-01-31', 7 * DAY_MS, '2026-01-29'],
    ['2026-01-31', MINUTE_MS, '2026-01-31'],
    ['1969-12-31', 7 * DAY_MS, '1969-12-25'],
  ])('%s to %i ms is %s', (iso, ms, floored) => {
    expect(flooredTime(iso, ms)).toBe(floored);
  });

  test('lies at or before the time, by less than the resolution, and stays what it is from then on', () => {
    const moment = fc.integer({ min: Date.UTC(1000, 0), max: Date.UTC(3000, 0) });
    const resolution = fc.integer({ min: 1, max: 400 * 24 * 60 }).map((minutes) => minutes * MINUTE_MS);
    fc.assert(
      fc.property(moment, resolution, fc.boolean(), (timeMs, ms, isDate) => {
        const iso = new Date(timeMs).toISOString().slice(0, isDate ? 10 : 24);
        const floored = flooredTime(iso, ms);
        expect(isoTime(floored)).toBe(floored);
        expect(floored).toHaveLength(iso.length);
        const byMs = Date.parse(iso) - Date.parse(floored);
        expect(byMs).toBeGreaterThanOrEqual(0);
        // A date that is no multiple itself is cut to the day that the multiple falls on.
        expect(byMs).toBeLessThan(ms + (isDate ? DAY_MS : 0));
        if (!isDate) {
          expect(Math.abs(Date.parse(floored) % ms)).toBe(0);
          expect(flooredTime(floored, ms)).toBe(floored);
        }
      }),
    );
  });
});
