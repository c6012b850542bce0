/** The guards: whether a mass effect that a run found may be sent. Pure. */
import type { Limits } from '../parameters/schema.ts';

export type GuardInput = {
  /** What happens to a record, such as 'removals'. */
  readonly what: string;
  /** Rows that the extract yielded. */
  readonly extracted: number;
  /** Records that could be concerned. */
  readonly of: number;
  /** Records that are. */
  readonly found: number;
  readonly limits: Limits;
};

/**
 * Returns why an effect is held, or undefined when it may be sent. What follows from an extract of zero rows against a
 * ledger with records is always held: that is a broken query or an emptied table far more often than the wish to delete
 * everybody. Only a person's approval beats it.
 */
export function heldBecause({ what, extracted, of, found, limits }: GuardInput): string | undefined {
  if (found === 0) return undefined;
  const held = `${found} ${what} are held: `;
  if (extracted === 0) return `${held}the extract had no rows at all`;
  if (found <= (limits.minRecords ?? 0)) return undefined;
  if (found > limits.maxRecords) return `${held}more than maxRecords (${limits.maxRecords})`;
  if (found * 100 > limits.maxPercent * of * ROUNDING)
    return `${held}more than maxPercent (${limits.maxPercent}) of the ${of} records in the ledger`;
  return undefined;
}

/** A limit such as 0.57 percent is no exact number: exactly that much is not more than it. */
const ROUNDING = 1 + 2 * Number.EPSILON;

export type BudgetInput = {
  /** What the run would cost, data points. */
  readonly dataPoints: number;
  /** What the runs of the last 24 hours have cost. */
  readonly spentToday: number;
  readonly budget: { readonly dataPointsPerRun?: number | undefined; readonly dataPointsPerDay?: number | undefined };
  /** A person has seen this cost and agreed to it. */
  readonly approved: number;
};

/** Returns why the whole run is held, or undefined when it is within its budget, or what a person has approved. */
export function overBudget({ dataPoints, spentToday, budget, approved }: BudgetInput): string | undefined {
  if (dataPoints === 0 || dataPoints <= approved) return undefined;
  const { dataPointsPerRun = Number.POSITIVE_INFINITY, dataPointsPerDay = Number.POSITIVE_INFINITY } = budget;
  if (dataPoints > dataPointsPerRun)
    return `the run is held: it would cost ${dataPoints} data points, more than dataPointsPerRun (${dataPointsPerRun})`;
  if (dataPoints + spentToday > dataPointsPerDay)
    return `the run is held: it would cost ${dataPoints} data points, with ${spentToday} of the last 24 hours more than dataPointsPerDay (${dataPointsPerDay})`;
  return undefined;
}
