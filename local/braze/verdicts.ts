/**
 * What a check says of a value, in the three ways that Braze has: stored, refused, or accepted and lost.
 *
 * The third is what strict mode is for: a loss without an error would let a faulty writer pass its tests, so strict mode
 * turns it into a refusal whose text begins with `STRICT:` and records a violation. The numbers are those of `rules.ts`.
 */

/** Why a value or object is refused. `code` is Braze's symbolic name of the fault, where one is documented. */
export type Reason = { readonly rule: number; readonly text: string; readonly code?: string };

export type Verdict<T> =
  | { readonly kind: 'stored'; readonly value: T }
  | { readonly kind: 'refused'; readonly reason: Reason }
  /** Braze accepts it; `instead` is what it stores, absent when the attribute stays as it was. */
  | { readonly kind: 'lost'; readonly reason: Reason; readonly instead?: T };

export const stored = <T>(value: T): Verdict<T> => ({ kind: 'stored', value });

export const refused = (rule: number, text: string, code?: string): Verdict<never> => ({
  kind: 'refused',
  reason: code === undefined ? { rule, text } : { rule, text, code },
});

export const lost = (rule: number, text: string): Verdict<never> => ({ kind: 'lost', reason: { rule, text } });

export const replaced = <T>(rule: number, text: string, instead: T): Verdict<T> => ({
  kind: 'lost',
  reason: { rule, text },
  instead,
});

/** Returns the verdict for every element as one: the values of all, or the first verdict that is not `stored`. */
export function every<T>(verdicts: Iterable<Verdict<T>>): Verdict<T[]> {
  const values: T[] = [];
  for (const verdict of verdicts) {
    if (verdict.kind === 'stored') values.push(verdict.value);
    else if (verdict.kind === 'refused') return verdict;
    else return { kind: 'lost', reason: verdict.reason };
  }
  return stored(values);
}

/** Returns a short JSON rendering of a value for a message. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};
