/**
 * Chance without a state that one draw could take from another: a number is a function of a seed, a stream and an index.
 * What is drawn for one purpose thus stays the same when more or less is drawn for another.
 */

/** Returns a whole number below 2^32 that looks random, the same for the same three numbers. */
export function hashOf(seed: number, stream: number, index: number): number {
  let mixed = (seed | 0) ^ Math.imul(stream + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul((mixed ^ (mixed >>> 13)) + Math.imul(index + 1, 0xc2b2ae35), 0x27d4eb2f);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export type Random = {
  /** From 0 (inclusive) to 1. */
  readonly next: () => number;
  /** A whole number from `from` to `to`, both inclusive. */
  readonly int: (from: number, to: number) => number;
  readonly chance: (probability: number) => boolean;
  /** @throws Error when there is nothing to pick from. */
  readonly pick: <T>(items: readonly T[]) => T;
  readonly shuffled: <T>(items: readonly T[]) => T[];
};

/** Returns the numbers of a stream, one after the other. */
export function randomOf(seed: number, stream: number): Random {
  let index = 0;
  const next = (): number => hashOf(seed, stream, index++) / 0x1_0000_0000;
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[int(0, items.length - 1)];
      if (item === undefined) throw new Error('there is nothing to pick from');
      return item;
    },
    shuffled: (items) => {
      const left = [...items];
      for (let last = left.length - 1; last > 0; last--) {
        const other = int(0, last);
        const [a, b] = [left[last], left[other]];
        if (a !== undefined && b !== undefined) [left[last], left[other]] = [b, a];
      }
      return left;
    },
  };
}
