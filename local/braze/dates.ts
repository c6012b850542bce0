/**
 * Which strings Braze takes for a time. Source: Braze, 'Custom attribute data types' (its list of formats).
 *
 * Anything else stays a string: number-shaped text, ISO 8601's basic and week forms, impossible days, and years outside
 * 0..3000. Without an offset a time is in UTC; a bare date is midnight.
 */

const DAY = String.raw`(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)`;
const CLOCK = String.raw`(?<hour>\d\d):(?<minute>\d\d)`;
const OFFSET = String.raw`(?<offset>Z|[+-]\d\d(?::?\d\d)?)`;

const FORMATS = [
  `${DAY}`,
  `${DAY}T${CLOCK}(?::(?<second>\\d\\d)(?:\\.(?<fraction>\\d{1,9}))?)?${OFFSET}?`,
  `${DAY}T${CLOCK}:(?<second>\\d\\d):(?<fraction>\\d{3})${OFFSET}`,
  `${DAY} ${CLOCK}:(?<second>\\d\\d)`,
  String.raw`(?<month>\d\d)/(?<day>\d\d)/(?<year>\d{4})`,
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>\\d\\d) (?<day>\\d\\d) ${CLOCK}:(?<second>\\d\\d)\\.${OFFSET} (?<year>\\d{4})`,
].map((format) => new RegExp(`^${format}$`));

const MAX_YEAR = 3000;

/** Returns the time as ISO 8601 in UTC with milliseconds, or undefined when the text is no time to Braze. */
export function readTime(text: string): string | undefined {
  for (const format of FORMATS) {
    const parts = format.exec(text)?.groups;
    if (parts) return timeOf(parts);
  }
  return undefined;
}

/** True for YYYY-MM-DD naming a day that exists. */
export const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && readTime(text) !== undefined;

function timeOf(parts: Record<string, string | undefined>): string | undefined {
  const number = (name: string): number => Number(parts[name] ?? 0);
  const [year, month, day] = [number('year'), number('month'), number('day')];
  const [hour, minute, second] = [number('hour'), number('minute'), number('second')];
  const offsetMinutes = readOffset(parts.offset ?? 'Z');
  if (year > MAX_YEAR || hour > 23 || minute > 59 || second > 59 || offsetMinutes === undefined) return undefined;

  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  if (time.getUTCMonth() !== month - 1 || time.getUTCDate() !== day) return undefined;
  const millisecond = Number((parts.fraction ?? '').padEnd(3, '0').slice(0, 3));
  time.setUTCHours(hour, minute - offsetMinutes, second, millisecond);
  // An offset may carry the first hours of year 0 below it, where ISO 8601 has no four-digit year.
  return time.getUTCFullYear() < 0 ? undefined : time.toISOString();
}

function readOffset(offset: string): number | undefined {
  if (offset === 'Z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(3).replace(':', '') || 0);
  if (hours > 23 || minutes > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
