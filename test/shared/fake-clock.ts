/** A clock that only moves when it is told to, or when somebody sleeps by it. */
import type { Clock } from '../../shared/time.ts';

export type FakeClock = Clock & {
  /** Moves on by `ms` milliseconds. */
  readonly advance: (ms: number) => void;
  /** What was slept, in milliseconds, in order. */
  readonly slept: readonly number[];
};

export const START_MS = Date.UTC(2026, 0, 31, 10);

/** Returns a clock that stands at `startMs`; `random` is always the given number. */
export function fakeClock(startMs = START_MS, random = 0.5): FakeClock {
  let nowMs = startMs;
  const slept: number[] = [];
  return {
    now: () => nowMs,
    random: () => random,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += ms;
    },
    advance: (ms) => {
      nowMs += ms;
    },
    slept,
  };
}
