/** One parser under fire: what it is given, and what must hold of what comes back. */
import type { Random } from './random.ts';

export type Target = {
  readonly name: string;
  /** Its part of all inputs; parts are relative to one another. */
  readonly share: number;
  /** The longest that one input may take, ms: far beyond what any does, as machines differ. */
  readonly withinMs: number;
  /**
   * Tries one input. Returns in a word what became of it, for the table; whatever it throws is a defect.
   * A documented error is no defect: `outcomeOf` turns it into a word.
   */
  readonly attempt: (chance: Random) => string | Promise<string>;
};

/** Something that must hold of a result does not. */
export class Violation extends Error {}

/** @throws Violation when the condition does not hold. */
export function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(what);
}

type Class = abstract new (...parts: never[]) => Error;

/** Returns what work returns, or the name of a documented error. @throws what is not documented. */
export function outcomeOf(documented: readonly Class[], work: () => string): string {
  try {
    return work();
  } catch (error) {
    return nameOf(documented, error);
  }
}

/** The same for work that takes its time. */
export async function laterOutcomeOf(documented: readonly Class[], work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    return nameOf(documented, error);
  }
}

function nameOf(documented: readonly Class[], error: unknown): string {
  const known = documented.find((each) => error instanceof each);
  if (known === undefined || error instanceof Violation) throw error;
  return known.name;
}
