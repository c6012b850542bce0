/** Chance that can be repeated: the same seed gives the same inputs on every machine. */

export type Random = {
  /** A whole number from 0 to below `limit`. */
  readonly int: (limit: number) => number;
  readonly chance: (probability: number) => boolean;
  /** One of a list. @throws Error for an empty one. */
  readonly pick: <T>(list: readonly T[]) => T;
  /** As many as asked for, each made anew. */
  readonly times: <T>(count: number, make: () => T) => T[];
};

/** Returns the numbers of a seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (limit: number): number => Math.floor(next() * limit);
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (list) => {
      if (list.length === 0) throw new Error('nothing to pick from');
      return list[int(list.length)] as (typeof list)[number];
    },
    times: (count, make) => Array.from({ length: count }, make),
  };
}
