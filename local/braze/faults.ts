/**
 * Scripted faults: what goes wrong with the next requests. The first fault of the script that fits a request and has
 * not spent its `times` decides it; one that still skips requests lets them pass on to the next fault.
 */
import type { Json } from './json.ts';

type Choice = {
  /** Only requests to this path; all when absent. */
  path?: string;
  /** Requests that it strikes, 1 when absent; Infinity = until cleared. */
  times?: number;
  /** Fitting requests that pass before the first that it strikes. */
  skip?: number;
  /** Only requests with such a parsed body. */
  match?: (body: Json | undefined) => boolean;
};

/** `applied`: the request takes effect as usual, and only its answer is replaced. */
type Kind =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: Json; applied?: boolean }
  | { kind: 'html'; status?: number; applied?: boolean }
  | { kind: 'empty'; status?: number; applied?: boolean }
  /** A 2xx after taking effect, with another message than success. */
  | { kind: 'unknown_message'; status?: number; message?: string }
  /** The connection is cut without an answer: before the request takes effect, or after. */
  | { kind: 'cut_before' }
  | { kind: 'cut_after' }
  /** The answer is held back, in real time or until the promise is settled; the request has taken effect. */
  | { kind: 'slow'; delayMs?: number; until?: Promise<unknown> }
  /** `reset` in epoch seconds; else `retryAfterSeconds` from now, 1 when absent. */
  | { kind: 'rate_limited'; dialect?: 'general' | 'mau'; retryAfterSeconds?: number; reset?: number };

export type Fault = Choice & Kind;

export type Faults = {
  add(fault: Fault): void;
  /** Returns the fault that strikes this request, and counts it. */
  take(path: string, body: Json | undefined): Fault | undefined;
  clear(): void;
};

export function createFaults(): Faults {
  let script: { fault: Fault; skip: number; times: number }[] = [];
  return {
    add: (fault) => {
      script.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
    },
    take: (path, body) => {
      for (const entry of script) {
        const { fault } = entry;
        const fits = (fault.path ?? path) === path && (fault.match?.(body) ?? true);
        if (!fits || entry.times <= 0) continue;
        if (entry.skip > 0) {
          entry.skip -= 1;
          continue;
        }
        entry.times -= 1;
        return fault;
      }
      return undefined;
    },
    clear: () => {
      script = [];
    },
  };
}
