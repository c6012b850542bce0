/**
 * Schedule expressions as EventBridge Scheduler reads them: `rate(…)`, `cron(…)` with six fields, `at(…)`.
 *
 * A wrong expression would fail the deployment half-way, so it is refused here. Where the service's documentation is
 * silent (increments of the day of the week, say), the narrower reading is taken: what passes here, passes there.
 * Source: Amazon EventBridge Scheduler, 'Schedule types in EventBridge Scheduler'.
 */
import { didYouMean } from './nearest.ts';
import { listed, quote } from './problems.ts';

const MINUTES_A_DAY = 1440;
const UNIT_MINUTES = { minute: 1, hour: 60, day: MINUTES_A_DAY } as const;
/** Source: Amazon EventBridge Scheduler API Reference, 'CreateSchedule'. */
const MAX_EXPRESSION_CHARACTERS = 256;

/** Returns what is wrong with a schedule expression, or undefined. */
export function scheduleProblem(expression: string): string | undefined {
  if (expression.length > MAX_EXPRESSION_CHARACTERS) return `it has more than ${MAX_EXPRESSION_CHARACTERS} characters`;
  const [, kind, body = ''] = /^(rate|cron|at)\((.*)\)$/s.exec(expression) ?? [];
  switch (kind) {
    case 'rate':
      return rateProblem(body);
    case 'at':
      return isDateTime(body) ? undefined : 'at takes a date and time such as at(2030-01-31T06:00:00)';
    case 'cron': {
      const cron = parseCron(body);
      if (typeof cron === 'string') return cron;
      return runDays(cron).next().done === true ? 'it names days that never come' : undefined;
    }
    default:
      return looksLikeCron(expression)
        ? 'write cron(minutes hours day-of-month month day-of-week year), such as cron(0 6 * * ? *)'
        : 'write rate(1 hour), cron(0 6 * * ? *) or at(2030-01-31T06:00:00)';
  }
}

/**
 * Returns the longest time in minutes that may lie between two runs of a schedule, or undefined when there is no
 * second run (`at`) or the expression is wrong. Cron is looked at on a calendar of some decades without clock changes,
 * so an hour may be missing in a time zone that has them.
 */
export function scheduleIntervalMinutes(expression: string): number | undefined {
  if (scheduleProblem(expression) !== undefined) return undefined;
  const rate = RATE.exec(expression.slice('rate('.length, -1));
  if (expression.startsWith('rate') && rate) return Number(rate[1]) * UNIT_MINUTES[unitOf(rate[2])];
  const cron = expression.startsWith('cron') ? parseCron(expression.slice('cron('.length, -1)) : '';
  return typeof cron === 'string' ? undefined : longestGapMinutes(cron);
}

/** Returns what is wrong with the name of a time zone, or undefined: it must be one of the IANA database, as spelled there. */
export function timeZoneProblem(name: string): string | undefined {
  const zones = Intl.supportedValuesOf('timeZone');
  if (zones.includes(name)) return undefined;
  const isAlias =
    /^[A-Z]/.test(name) && isKnownZone(name) && !zones.some((zone) => zone.toLowerCase() === name.toLowerCase());
  return isAlias ? undefined : (didYouMean(name, zones) ?? 'time zones are named like Europe/Berlin');
}

function isKnownZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const RATE = /^([1-9]\d{0,8}) (minute|hour|day)s?$/;

/** The unit is singular for 1 and plural otherwise. Source: Amazon EventBridge, 'Rate expressions reference'. */
function rateProblem(body: string): string | undefined {
  const [, value, unit] = RATE.exec(body) ?? [];
  if (value === undefined) return 'rate takes a whole number and minutes, hours or days, such as rate(15 minutes)';
  const right = `${value} ${unit}${value === '1' ? '' : 's'}`;
  return body === right ? undefined : `write rate(${right})`;
}

const unitOf = (unit: string | undefined): keyof typeof UNIT_MINUTES =>
  unit === 'hour' || unit === 'day' ? unit : 'minute';

function isDateTime(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return false;
  const time = new Date(`${text}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text);
}

const looksLikeCron = (text: string): boolean =>
  /^\S+( +\S+){4,5}$/.test(text.trim()) && /^[\d*/,?-]+ /.test(text.trim());

type Field = {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  readonly signs: string;
};
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const MINUTES = { name: 'minutes', min: 0, max: 59, signs: ', - * /' } as const satisfies Field;
const HOURS = { name: 'hours', min: 0, max: 23, signs: ', - * /' } as const satisfies Field;
const DAY_OF_MONTH = { name: 'day-of-month', min: 1, max: 31, signs: ', - * ? / L W' } as const satisfies Field;
const MONTH = { name: 'month', min: 1, max: 12, names: MONTHS, signs: ', - * /' } as const satisfies Field;
const DAY_OF_WEEK = {
  name: 'day-of-week',
  min: 1,
  max: 7,
  names: WEEKDAYS,
  signs: ', - * ? L #',
} as const satisfies Field;
const YEAR = { name: 'year', min: 1970, max: 2199, signs: ', - * /' } as const satisfies Field;

/** The days of one month on which a cron runs; `lastDay` is the month's length, `firstWeekday` counts from Sunday = 1. */
type DaysOf = (lastDay: number, firstWeekday: number) => readonly number[];
type Cron = {
  readonly minutesOfDay: readonly number[];
  readonly months: readonly number[];
  readonly years: readonly number[];
  readonly daysOf: DaysOf;
};

/** Returns a cron's meaning, or what is wrong with it. */
function parseCron(body: string): Cron | string {
  const fields = body.trim().split(/ +/);
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = '', year = ''] = fields;
  if (fields.length !== 6) {
    return `cron takes six fields (minutes hours day-of-month month day-of-week year), not ${body.trim() === '' ? 0 : fields.length}`;
  }
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    return 'exactly one of day-of-month and day-of-week must be ?, such as cron(0 6 * * ? *)';
  }
  const minutes = valuesOf(minute, MINUTES);
  const hours = valuesOf(hour, HOURS);
  const months = valuesOf(month, MONTH);
  const years = valuesOf(year, YEAR);
  const daysOf = dayOfWeek === '?' ? daysOfMonth(dayOfMonth) : daysOfWeek(dayOfWeek);
  if (typeof minutes === 'string') return minutes;
  if (typeof hours === 'string') return hours;
  if (typeof daysOf === 'string') return daysOf;
  if (typeof months === 'string') return months;
  if (typeof years === 'string') return years;
  const minutesOfDay = hours.flatMap((at) => minutes.map((past) => at * 60 + past));
  return { minutesOfDay, months, years, daysOf };
}

/** Returns a field's values in ascending order, or what is wrong with it. */
function valuesOf(text: string, field: Field): number[] | string {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const [range = '', increment, ...more] = item.split('/');
    const mayStep = field.signs.includes('/');
    const step = increment === undefined ? 1 : /^\d{1,4}$/.test(increment) ? Number(increment) : 0;
    if (more.length > 0 || (increment !== undefined && !mayStep)) return fieldProblem(item, field);
    if (step < 1 || step > Math.max(field.max - field.min, 1)) return fieldProblem(item, field);
    const bounds = boundsOf(range, field, increment !== undefined);
    if (bounds === undefined) return fieldProblem(item, field);
    const [from, to] = bounds;
    const count = to >= from ? to - from : to - from + (field.max - field.min + 1);
    for (let past = 0; past <= count; past += step) {
      values.add(field.min + ((from - field.min + past) % (field.max - field.min + 1)));
    }
  }
  return [...values].sort((a, b) => a - b);
}

/** A range may wrap, as in the service's own example of the hours 20-2; years cannot. */
function boundsOf(range: string, field: Field, hasStep: boolean): readonly [number, number] | undefined {
  if (range === '*') return [field.min, field.max];
  const [first = '', last, ...more] = range.split('-');
  const from = numberOf(first, field);
  const to = last === undefined ? (hasStep ? field.max : from) : numberOf(last, field);
  if (from === undefined || to === undefined || more.length > 0) return undefined;
  return field === YEAR && to < from ? undefined : [from, to];
}

function numberOf(text: string, field: Field): number | undefined {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.min;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : -1;
  return value >= field.min && value <= field.max ? value : undefined;
}

function fieldProblem(item: string, field: Field): string {
  const names = field.names ? ` or ${field.names[0]}-${field.names.at(-1)}` : '';
  return `${field.name} takes ${field.min}-${field.max}${names} and ${listed(field.signs.split(' '), 'and')}, not ${quote(item)}`;
}

function daysOfMonth(text: string): DaysOf | string {
  if (text === 'L') return (lastDay) => [lastDay];
  if (text === 'LW') return (lastDay, firstWeekday) => [nearestWeekday(lastDay, lastDay, firstWeekday)];
  const day = text.endsWith('W') ? numberOf(text.slice(0, -1), DAY_OF_MONTH) : undefined;
  if (day !== undefined) {
    return (lastDay, firstWeekday) => (day > lastDay ? [] : [nearestWeekday(day, lastDay, firstWeekday)]);
  }
  const days = valuesOf(text, DAY_OF_MONTH);
  return typeof days === 'string' ? days : (lastDay) => days.filter((each) => each <= lastDay);
}

function daysOfWeek(text: string): DaysOf | string {
  const [, weekdayText = '', nth] = /^(\w+)#([1-5])$/.exec(text) ?? [];
  const nthWeekday = numberOf(weekdayText, DAY_OF_WEEK);
  if (nthWeekday !== undefined) {
    return (lastDay, first) => weekdays([nthWeekday], lastDay, first).slice(Number(nth) - 1, Number(nth));
  }
  const lastWeekday = text.length > 1 && text.endsWith('L') ? numberOf(text.slice(0, -1), DAY_OF_WEEK) : undefined;
  if (lastWeekday !== undefined) return (lastDay, first) => weekdays([lastWeekday], lastDay, first).slice(-1);
  const chosen = text === 'L' ? [7] : valuesOf(text, DAY_OF_WEEK);
  return typeof chosen === 'string' ? chosen : (lastDay, first) => weekdays(chosen, lastDay, first);
}

const weekdayOf = (day: number, firstWeekday: number): number => ((firstWeekday - 1 + day - 1) % 7) + 1;

const weekdays = (chosen: readonly number[], lastDay: number, firstWeekday: number): number[] =>
  Array.from({ length: lastDay }, (_, index) => index + 1).filter((day) =>
    chosen.includes(weekdayOf(day, firstWeekday)),
  );

/** The weekday closest to a day, in the same month. */
function nearestWeekday(day: number, lastDay: number, firstWeekday: number): number {
  const weekday = weekdayOf(day, firstWeekday);
  if (weekday === 7) return day > 1 ? day - 1 : day + 2;
  if (weekday === 1) return day < lastDay ? day + 1 : day - 2;
  return day;
}

/** Decades enough for every case: a fifth Monday of February comes once in 28 years. */
const FIRST_YEAR = 2000;
const YEARS_LOOKED_AT = 57;
const MS_A_DAY = 86_400_000;

/** Yields the days on which a cron runs, as days since 1970, ascending. */
function* runDays({ years, months, daysOf }: Cron): Generator<number> {
  const isEveryYear = years.length === YEAR.max - YEAR.min + 1;
  const lookedAt = isEveryYear
    ? years.filter((year) => year >= FIRST_YEAR && year < FIRST_YEAR + YEARS_LOOKED_AT)
    : years;
  for (const year of lookedAt) {
    for (const month of months) {
      const first = Date.UTC(year, month - 1, 1);
      const lastDay = (Date.UTC(year, month, 1) - first) / MS_A_DAY;
      for (const day of daysOf(lastDay, new Date(first).getUTCDay() + 1)) yield first / MS_A_DAY + day - 1;
    }
  }
}

function longestGapMinutes(cron: Cron): number | undefined {
  const first = cron.minutesOfDay[0] ?? 0;
  const last = cron.minutesOfDay.at(-1) ?? 0;
  let longest = cron.minutesOfDay.reduce(
    (most, minute, index, all) => Math.max(most, minute - (all[index - 1] ?? minute)),
    0,
  );
  let before: number | undefined;
  for (const day of runDays(cron)) {
    if (before !== undefined) longest = Math.max(longest, (day - before) * MINUTES_A_DAY + first - last);
    before = day;
  }
  return longest === 0 ? undefined : longest;
}
