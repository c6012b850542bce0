/** The deletion guard: whether the removals that a run found may be sent. Pure. */

export type GuardInput = {
  /** Rows that the extract yielded. */
  readonly extracted: number;
  /** Records of the ledger that Braze may have. */
  readonly known: number;
  /** Records of the ledger that the warehouse no longer has. */
  readonly removed: number;
  readonly approved: boolean;
  readonly limits: { readonly maxPercent: number; readonly maxRecords: number };
};

export type GuardVerdict = { readonly released: true } | { readonly released: false; readonly because: string };

/**
 * Returns whether removals are released. An extract of zero rows against a ledger with records is always held: it is a
 * broken query or an emptied table far more often than the wish to delete everybody. Only a person's approval beats it.
 */
export function guard({ extracted, known, removed, approved, limits }: GuardInput): GuardVerdict {
  if (removed === 0 || approved) return { released: true };
  if (extracted === 0) return held(removed, 'the extract had no rows at all');
  if (removed > limits.maxRecords) return held(removed, `more than maxRecords (${limits.maxRecords})`);
  if (removed * 100 > limits.maxPercent * known * ROUNDING) {
    return held(removed, `more than maxPercent (${limits.maxPercent}) of the ${known} records in the ledger`);
  }
  return { released: true };
}

/** A limit such as 0.57 percent is no exact number: exactly that much is not more than it. */
const ROUNDING = 1 + 2 * Number.EPSILON;

const held = (removed: number, because: string): GuardVerdict => ({
  released: false,
  because: `${removed} removals are held: ${because}`,
});
