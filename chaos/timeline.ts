/**
 * Virtual time: events in the order of their times, and between two of them everything that promises still have to do.
 *
 * Nothing here waits for real time, and equal histories have equal orders: events of one time come in the order in
 * which they were added.
 */

type Event = { readonly at: number; readonly order: number; run: (() => void) | undefined };

export type Timeline = {
  readonly now: () => number;
  /** Runs something `ms` milliseconds from now; returns what calls it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Moves on to a time, or until a condition holds after an event. Returns whether it held. @throws what an event throws. */
  readonly moveTo: (at: number, until?: () => boolean) => Promise<boolean>;
  /** Events so far. */
  readonly events: () => number;
};

/** Returns a timeline that starts at a time. */
export function timeline(startMs: number): Timeline {
  let nowMs = startMs;
  let order = 0;
  let events = 0;
  const heap: Event[] = [];

  const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
  const add = (event: Event): void => {
    let at = heap.length;
    heap.push(event);
    for (;;) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (at === 0 || parent === undefined || !isBefore(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  };
  const take = (): Event | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  };

  return {
    now: () => nowMs,
    events: () => events,
    after: (ms, run) => {
      const event: Event = { at: nowMs + Math.max(0, ms), order: order++, run };
      add(event);
      return () => {
        event.run = undefined;
      };
    },
    moveTo: (target, until) =>
      new Promise((resolve, reject) => {
        // A turn of the event loop ends only when no promise has anything left to do.
        const step = (): void => {
          if (until?.()) {
            resolve(true);
            return;
          }
          while (heap[0] !== undefined && heap[0].run === undefined) take();
          const next = heap[0];
          if (next === undefined || next.at > target) {
            nowMs = Math.max(nowMs, target);
            resolve(false);
            return;
          }
          take();
          nowMs = next.at;
          events++;
          try {
            next.run?.();
          } catch (error) {
            reject(error);
            return;
          }
          setImmediate(step);
        };
        setImmediate(step);
      }),
  };
}
