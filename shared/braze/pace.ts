/**
 * The pace of one writer. All writers of an app together keep its rate when each keeps its share of it: no store and no
 * counter is shared. The share is kept within an invocation too, so that it holds when environments come and go.
 */
import { type Clock, MINUTE_MS, SECOND_MS } from '../time.ts';

export type Pace = {
  /** Milliseconds until this writer's next turn may begin. */
  readonly waitMs: () => number;
  /** Takes the turn; the next one begins an interval later. */
  readonly take: () => void;
  /** Lets no turn begin before `ms` milliseconds have passed. */
  readonly pause: (ms: number) => void;
  /** Milliseconds that are left of the last turn's interval: an invocation ends only after them. */
  readonly restMs: () => number;
};

/** Returns the pace of one of `writers` writers that share `requestsPerSecond`. */
export const requestPace = (clock: Clock, requestsPerSecond: number, writers: number): Pace =>
  pace(clock, (SECOND_MS * writers) / requestsPerSecond);

/** Returns the pace of one of `writers` writers that share `lookupsPerMinute`. */
export const lookupPace = (clock: Clock, lookupsPerMinute: number, writers: number): Pace =>
  pace(clock, (MINUTE_MS * writers) / lookupsPerMinute);

function pace(clock: Clock, intervalMs: number): Pace {
  let intervalEndsMs = 0;
  let pauseEndsMs = 0;
  const left = (timeMs: number): number => Math.max(0, timeMs - clock.now());
  return {
    waitMs: () => left(Math.max(intervalEndsMs, pauseEndsMs)),
    take: () => {
      intervalEndsMs = clock.now() + intervalMs;
    },
    pause: (ms) => {
      pauseEndsMs = Math.max(pauseEndsMs, clock.now() + ms);
    },
    restMs: () => left(intervalEndsMs),
  };
}
