/** Time is passed in: production gives the real clock, tests and simulations a virtual one. All times are epoch milliseconds. */
import { UTCDate } from '@date-fns/utc';
import { add, type Duration, milliseconds, sub } from 'date-fns';

export type Clock = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after `ms` milliseconds. */
  readonly sleep: (ms: number) => Promise<void>;
  /** A number from 0 (inclusive) to 1, for jitter. */
  readonly random: () => number;
};

export const systemClock: Clock = {
  now: Date.now,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
};

/**
 * Returns how long to wait before attempt `attempt` (1 is the first repetition), in milliseconds: doubling from `baseMs`,
 * at most `capMs`, with jitter over the upper half. Source: Amazon Builders' Library, 'Timeouts, retries, and backoff with jitter'.
 */
export function backoffMs(clock: Pick<Clock, 'random'>, attempt: number, baseMs: number, capMs: number): number {
  const most = Math.min(capMs, baseMs * 2 ** (attempt - 1));
  return Math.round(most * (0.5 + clock.random() / 2));
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/**
 * Returns the duration that a text such as `90 days` says.
 * @throws Error when the text is no duration; the parameter file's schema has already refused such a text.
 */
export function parseDuration(text: string): Duration {
  const match = /^(\d{1,6}) (minute|hour|day|week|month|year)s?$/.exec(text);
  if (!match) throw new Error(`'${text}' is no duration; write a whole number and a unit, such as 90 days`);
  return { [`${match[2]}s`]: Number(match[1]) };
}

/** Returns the time that lies `duration` before (`-1`) or after (`1`) `nowMs`, by the calendar in UTC (months have their own lengths). */
export function shift(nowMs: number, duration: string, direction: -1 | 1): number {
  const by = direction < 0 ? sub : add;
  return by(new UTCDate(nowMs), parseDuration(duration)).getTime();
}

/** Returns the milliseconds of a duration of minutes, hours, days or weeks. @throws Error when the text is no duration. */
export const fixedMs = (text: string): number => milliseconds(parseDuration(text));
