/**
 * An entry of the ledger: what Braze last accepted of one record. Nothing else of a record is kept.
 *
 * States an entry can be in, apart from the plain one (a fingerprint that Braze has):
 * - `absentAt`: Braze did not know the user then (enrich); it has no fingerprint.
 * - `gone`: the row has left, the profile stays (additive, enrich); the fingerprint tells what the profile still holds.
 * - `uncertain`: an answer was lost, so even the user's existence is unknown; the fingerprint has unknown prints.
 * - `refused`: Braze rejected a state of the record; without a fingerprint the user never was accepted.
 */
import { decodeFingerprint, digestOf, encodeFingerprint, UNKNOWN_PRINT } from './fingerprint.ts';

export type Entry = {
  /** Record hash, 32 hex digits. */
  readonly hash: string;
  readonly primaryKey: string;
  readonly fingerprint?: Uint8Array | undefined;
  /** Epoch ms. */
  readonly absentAt?: number | undefined;
  readonly gone?: boolean | undefined;
  readonly uncertain?: boolean | undefined;
  readonly refused?: Refusal | undefined;
  /** When fields with a least interval were last sent, by id; epoch ms. */
  readonly sentAt?: ReadonlyMap<number, number> | undefined;
};

/** Why a record is not in Braze as the warehouse has it. Stays until its state is accepted, or the record is gone. */
export type Refusal = {
  /** Digest of the state that was refused: the same state is not sent again. */
  readonly digest: string;
  readonly reason: string;
  /** The field at fault, or an empty text for the record as a whole. */
  readonly field: string;
  /** How many states of the record have been refused in a row, or one state again on request. */
  readonly tries: number;
  /** When the first of them was refused, epoch ms. */
  readonly since: number;
};

/** True when Braze may have the user: only then is there something to delete or to leave. */
export const mayBeInBraze = (entry: Entry): boolean => entry.fingerprint !== undefined;

/** True when this very state was refused before. */
export const wasRefused = (entry: Entry | undefined, fingerprint: Uint8Array): boolean =>
  entry?.refused !== undefined && entry.refused.digest === digestOf(fingerprint);

/** What an unanswered request would have done to one record. */
export type PossibleWrite = {
  readonly hash: string;
  readonly primaryKey: string;
  /** Fields and groups that the request named, by id. */
  readonly fields: readonly number[];
  /** The request would have deleted the user. */
  readonly deletes: boolean;
};

/**
 * Returns the entry that says "Braze may have it": the fields of the lost request count as unknown, so that the next run
 * sends them again, or sends null; after a lost deletion all of them do, and so does the user's existence. Returns
 * undefined when there is nothing to remember: a deletion whose entry is gone has been committed.
 */
export function withPossibleWrite(entry: Entry | undefined, write: PossibleWrite): Entry | undefined {
  if (write.deletes && entry === undefined) return undefined;
  const known = entry?.fingerprint ? decodeFingerprint(entry.fingerprint) : [];
  const unknown = new Set(write.deletes ? known.map((field) => field.id) : write.fields);
  const kept = known.filter((field) => !unknown.has(field.id));
  const fields = [...kept, ...[...unknown].map((id) => ({ id, print: UNKNOWN_PRINT }))].sort((a, b) => a.id - b.id);
  return {
    hash: write.hash,
    primaryKey: write.primaryKey,
    fingerprint: encodeFingerprint(fields),
    uncertain: write.deletes || entry === undefined || !mayBeInBraze(entry) || entry.uncertain === true,
    ...(entry?.gone ? { gone: true } : {}),
    ...(entry?.sentAt ? { sentAt: entry.sentAt } : {}),
  };
}
