/** Dates and times: the warehouse's text into the one form that we send. */
import { Invalid } from './converted.ts';

const DATE_TIME =
  /^(\d{4,6})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?(Z|[+-]\d\d(?::?\d\d)?(?::?\d\d)?))?)?$/;

/** Braze keeps a later year as a plain string. Source: Braze, 'Custom attribute data types'. */
const MAX_YEAR = 3000;

type Parts = { readonly timeMs: number; readonly hasTime: boolean };

function parts(text: string): Parts | undefined {
  const match = DATE_TIME.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone] = match;
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3));
  const fields = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)] as const;
  const offsetMs = zoneMs(zone);
  if (fields[3] > 23 || fields[4] > 59 || fields[5] > 59 || offsetMs === undefined) return undefined;
  const utc = new Date(0);
  utc.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  if (utc.getUTCMonth() !== fields[1] - 1 || utc.getUTCDate() !== fields[2]) return undefined;
  utc.setUTCHours(fields[3], fields[4], fields[5], milliseconds);
  return { timeMs: utc.getTime() - offsetMs, hasTime: match[4] !== undefined };
}

/** Returns how far a zone is ahead of UTC, or undefined when there is no such zone. */
function zoneMs(zone: string | undefined): number | undefined {
  const match = /^([+-])(\d\d):?(\d\d)?:?(\d\d)?$/.exec(zone ?? '');
  if (!match) return 0;
  const [, sign, hours, minutes = '0', seconds = '0'] = match;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -ms : ms;
}

const inRange = (timeMs: number): boolean => {
  const year = new Date(timeMs).getUTCFullYear();
  return year >= 0 && year <= MAX_YEAR;
};

/**
 * Returns a date or time as text: `YYYY-MM-DD` for a date, ISO 8601 in UTC with milliseconds for a time. A time without
 * a zone is UTC, as Braze reads it (Braze, 'Custom attribute data types'). Finer fractions than a millisecond are cut.
 */
export function isoTime(text: string): string | Invalid {
  const read = parts(text);
  if (!read) return new Invalid('is no date or time');
  if (!inRange(read.timeMs)) return new Invalid(`has a year outside 0 to ${MAX_YEAR}`);
  const iso = new Date(read.timeMs).toISOString();
  return read.hasTime ? iso : iso.slice(0, 10);
}

/** Returns the date `YYYY-MM-DD` of a date or time text, by UTC where it has a zone. */
export function isoDate(text: string): string | Invalid {
  const iso = isoTime(text);
  return typeof iso === 'string' ? iso.slice(0, 10) : iso;
}

/** Returns a text of isoTime rounded down to a multiple of `ms` since 1970, in the same form; a date stays one. */
export function flooredTime(iso: string, ms: number): string {
  const floored = new Date(Math.floor(Date.parse(iso) / ms) * ms);
  // Before year 0 Braze takes nothing.
  if (Number.isNaN(floored.getTime()) || floored.getUTCFullYear() < 0) return iso;
  const text = floored.toISOString();
  return iso.length === 10 ? text.slice(0, 10) : text;
}
