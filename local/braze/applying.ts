/**
 * Effects that were accepted and wait for their time. Source: Braze processes requests asynchronously and promises no
 * order between them.
 *
 * No timer runs: what is due by the clock is applied when somebody looks (`settle`), so a fake clock decides alone.
 * Invariant: the queue is in the order of application, and `dueAtMs` never falls along it.
 */
import type { Effect } from './effects.ts';

export type Pending = {
  readonly effect: Effect;
  /** Whom it concerns; see `userKey`. */
  readonly user: string | undefined;
  readonly receivedAtMs: number;
  readonly dueAtMs: number;
};

export type Applying = {
  /** Accepts effects; with `reorder`, one for a user who has a waiting one is applied before that. */
  add(effects: readonly Pending[], reorder: boolean): void;
  /** Applies what is due. */
  settle(): void;
  /** Applies everything, due or not. */
  finish(): void;
  /** Returns when the user's last waiting effect was received, or undefined when none waits. */
  waitingSince(user: string): number | undefined;
  clear(): void;
};

/** Makes an empty queue over a clock and what applies an effect at a time (epoch ms). */
export function createApplying(deps: { now: () => number; apply: (effect: Effect, atMs: number) => void }): Applying {
  let queue: Pending[] = [];
  const waitingByUser = new Map<string, Pending[]>();

  const applyFirst = (count: number): void => {
    for (const pending of queue.splice(0, count)) {
      forget(pending);
      deps.apply(pending.effect, pending.dueAtMs);
    }
  };

  const forget = (pending: Pending): void => {
    if (pending.user === undefined) return;
    const left = (waitingByUser.get(pending.user) ?? []).filter((other) => other !== pending);
    if (left.length > 0) waitingByUser.set(pending.user, left);
    else waitingByUser.delete(pending.user);
  };

  const insert = (pending: Pending, reorder: boolean): void => {
    const { user } = pending;
    const first = reorder && user !== undefined ? waitingByUser.get(user)?.[0] : undefined;
    const overtaken = first && first.dueAtMs <= pending.dueAtMs ? first : undefined;
    const placed = overtaken ? { ...pending, dueAtMs: overtaken.dueAtMs } : pending;
    if (overtaken) queue.splice(queue.indexOf(overtaken), 0, placed);
    else queue.splice(placeOf(placed.dueAtMs), 0, placed);
    if (user === undefined) return;
    const waiting = waitingByUser.get(user) ?? [];
    waitingByUser.set(user, overtaken ? [placed, ...waiting] : [...waiting, placed]);
  };

  const placeOf = (dueAtMs: number): number => {
    let place = queue.length;
    while (place > 0 && (queue[place - 1]?.dueAtMs ?? 0) > dueAtMs) place -= 1;
    return place;
  };

  const settle = (): void => {
    const nowMs = deps.now();
    const waiting = queue.findIndex((pending) => pending.dueAtMs > nowMs);
    applyFirst(waiting === -1 ? queue.length : waiting);
  };

  return {
    add: (effects, reorder) => {
      for (const pending of effects) insert(pending, reorder);
      settle();
    },
    settle,
    finish: () => applyFirst(queue.length),
    waitingSince: (user) => {
      const received = waitingByUser.get(user)?.map((pending) => pending.receivedAtMs);
      return received && Math.max(...received);
    },
    clear: () => {
      queue = [];
      waitingByUser.clear();
    },
  };
}
