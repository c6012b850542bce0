/** Makes a failing history shorter while it still fails in the same way. */
import { type History, historyOf } from './history.ts';
import { type Result, simulate } from './simulate.ts';

export type Shrunk = { readonly history: History; readonly only: ReadonlySet<number>; readonly result: Result };

/** Attempts at most: a shrunk history is a help, not a proof. */
const ATTEMPTS = 400;

/**
 * Returns the shortest failing history that leaving out faults and steps, a few at a time and then one by one, leads to.
 * @throws Error when the seed does not fail.
 */
export async function shrink(seed: number, without: readonly string[] = []): Promise<Shrunk> {
  const first = await simulate(seed, { without });
  const invariant = first.violations[0]?.invariant;
  if (invariant === undefined) throw new Error(`seed ${seed} does not fail`);
  const whole = historyOf(seed);
  let attempts = 0;
  let best: Shrunk = { history: whole, only: new Set(first.faults.map(({ index }) => index)), result: first };
  const attempt = async (history: History, only: ReadonlySet<number>): Promise<boolean> => {
    if (attempts++ >= ATTEMPTS) return false;
    const result = await simulate(seed, { history, only, without });
    if (result.violations[0]?.invariant !== invariant) return false;
    best = { history, only: new Set(result.faults.map(({ index }) => index)), result };
    return true;
  };
  for (let shorter = true; shorter && attempts < ATTEMPTS; ) {
    shorter = false;
    const faults = await without_([...best.only], (left) => attempt(best.history, new Set(left)));
    const steps = await without_([...best.history.steps], (left) =>
      attempt({ ...best.history, steps: left }, best.only),
    );
    shorter = faults || steps;
  }
  return best;
}

/** Leaves out parts of a list, from halves to single items, as long as the rest fails. Returns whether any could go. */
async function without_<T>(items: readonly T[], fails: (left: readonly T[]) => Promise<boolean>): Promise<boolean> {
  let left = items;
  let any = false;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length; ) {
      const fewer = [...left.slice(0, at), ...left.slice(at + size)];
      if (await fails(fewer)) {
        left = fewer;
        any = true;
      } else at += size;
    }
  }
  return any;
}
