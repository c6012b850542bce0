/**
 * What is to be done about a record: the heart of every run and of the plan. Pure.
 *
 * In every sync mode only differences leave: a field that differs from the fingerprint, null for a field that became
 * NULL or is no longer mapped, `subscribed` for a group joined, `unsubscribed` for one left or no longer listed. A NULL
 * that Braze was never told of is not mentioned.
 */
import { NEVER_NULL } from '../braze/attributes.ts';
import { type Entry, mayBeInBraze, wasRefused } from '../ledger/entry.ts';
import { decodeFingerprint, encodeFingerprint, type FieldPrint, sameFingerprint } from '../ledger/fingerprint.ts';
import type { Dictionary } from '../ledger/ledger.ts';
import type { SyncMode } from '../parameters/schema.ts';
import type { JsonValue } from '../values/json.ts';
import type { Match } from './merge-join.ts';
import type { Problem, Row, Shape } from './row.ts';

export type SubscriptionState = 'subscribed' | 'unsubscribed';

/** What Braze is to be told of one user, and what the ledger says once Braze has accepted it. */
export type Upsert = {
  readonly hash: string;
  readonly primaryKey: string;
  /** Attributes to set, or to unset (null). */
  readonly attributes: ReadonlyMap<string, JsonValue>;
  /** State by subscription group id. */
  readonly subscriptions: ReadonlyMap<string, SubscriptionState>;
  /** Ids of the fields and groups named above. */
  readonly fields: readonly number[];
  readonly fingerprint: Uint8Array;
  /** The user has to be looked up first, as nobody knows whether Braze has it (enrich). */
  readonly lookup: boolean;
};

/** A record that left: in `sync` its user is deleted, otherwise it leaves its groups and the profile stays. */
export type Removal = {
  readonly hash: string;
  readonly primaryKey: string;
  /** Subscription groups to leave; not used for a deletion. */
  readonly leaves: readonly string[];
  readonly fields: readonly number[];
  /** What the ledger keeps; undefined for a deletion. */
  readonly fingerprint: Uint8Array | undefined;
};

export type Decision =
  | { readonly kind: 'unchanged'; readonly omitted: readonly Problem[] }
  | { readonly kind: 'added' | 'changed'; readonly upsert: Upsert; readonly omitted: readonly Problem[] }
  | { readonly kind: 'rejected'; readonly hash: string; readonly rows: number; readonly problem: Problem }
  | { readonly kind: 'removed'; readonly removal: Removal }
  /** An entry of a record that Braze never had and the warehouse no longer has. */
  | { readonly kind: 'forgotten'; readonly hash: string; readonly primaryKey: string }
  /** An entry without a row that stays as it is. */
  | { readonly kind: 'kept' };

export type DecideContext = {
  readonly shape: Shape;
  readonly syncMode: SyncMode;
  readonly dictionary: Dictionary;
  /** Start of the run, epoch ms. */
  readonly nowMs: number;
  /** Users that were absent before this time are asked about again, epoch ms (enrich). */
  readonly askAgainBeforeMs: number;
  /** Send again what Braze refused before. */
  readonly retryRejections: boolean;
};

/** Returns what is to be done about a match. */
export function decide(match: Match<Row, Entry>, context: DecideContext): Decision {
  if (match.kind === 'entry') return decideRemoval(match.entry, context);
  const { row, entry } = match;
  if (row.hash === '') {
    const rows = match.kind === 'duplicate' ? match.rows : 1;
    return { kind: 'rejected', hash: '', rows, problem: { field: 'external_id', reason: 'the primary key is NULL' } };
  }
  if (match.kind === 'duplicate') {
    const reason = `the primary key occurs in ${match.rows} rows; none of them is sent`;
    return { kind: 'rejected', hash: row.hash, rows: match.rows, problem: { field: 'external_id', reason } };
  }
  return row.rejection
    ? { kind: 'rejected', hash: row.hash, rows: 1, problem: row.rejection }
    : decideRow(row, entry, context);
}

function decideRow(row: Row, entry: Entry | undefined, context: DecideContext): Decision {
  const { omitted } = row;
  const known = entry?.fingerprint && mayBeInBraze(entry) ? decodedUnlessSame(entry.fingerprint, row) : [];
  const isKnown = entry !== undefined && mayBeInBraze(entry);
  // After a lost answer or an absence, even the user's existence is to be seen to, also where no field differs.
  const isSure = isKnown && !entry.uncertain && !entry.gone;
  if (isSure && known === undefined) return { kind: 'unchanged', omitted };
  const before = known ?? decodeFingerprint(row.fingerprint);
  const fingerprint = withCarried(row, before, context);
  if (!context.retryRejections && entry && wasRefused(entry, fingerprint)) {
    return { kind: 'rejected', hash: row.hash, rows: 1, problem: { field: '', reason: entry.refused?.reason ?? '' } };
  }
  if (isKnown) {
    const upsert = difference(row, before, fingerprint, context);
    if (isSure && upsert.fields.length === 0) return { kind: 'unchanged', omitted };
    const lookup = context.syncMode === 'enrich' && !isSure;
    return { kind: 'changed', upsert: { ...upsert, lookup }, omitted };
  }
  const absent = context.syncMode === 'enrich' && entry?.absentAt !== undefined;
  if (absent && (entry.absentAt ?? 0) > context.askAgainBeforeMs) return { kind: 'unchanged', omitted };
  const upsert = difference(row, [], fingerprint, context);
  return { kind: 'added', upsert: { ...upsert, lookup: context.syncMode === 'enrich' }, omitted };
}

/** Most rows are unchanged, and equal bytes say so without looking at a single field. */
const decodedUnlessSame = (fingerprint: Uint8Array, row: Row): FieldPrint[] | undefined =>
  sameFingerprint(fingerprint, row.fingerprint) ? undefined : decodeFingerprint(fingerprint);

/**
 * The fingerprint that the ledger gets: the row's own, and the prints of what stays in Braze as it is (omitted values,
 * attributes that never receive null, whether still mapped or not).
 */
function withCarried(row: Row, before: readonly FieldPrint[], context: DecideContext): Uint8Array {
  const carried = new Set(row.carried);
  const own = decodeFingerprint(row.fingerprint);
  const ownIds = new Set(own.map((field) => field.id));
  const kept = before.filter(({ id }) => !ownIds.has(id) && (carried.has(id) || isNeverNull(id, context.dictionary)));
  return kept.length === 0 ? row.fingerprint : encodeFingerprint([...own, ...kept].sort((a, b) => a.id - b.id));
}

const isNeverNull = (id: number, dictionary: Dictionary): boolean => {
  const name = dictionary.nameById.get(id);
  return name?.startsWith('a:') === true && NEVER_NULL.has(name.slice(2));
};

function difference(row: Row, before: readonly FieldPrint[], fingerprint: Uint8Array, context: DecideContext): Upsert {
  const beforeById = new Map(before.map(({ id, print }) => [id, print]));
  const after = decodeFingerprint(fingerprint);
  const afterIds = new Set(after.map(({ id }) => id));
  const differing = new Set(after.filter(({ id, print }) => beforeById.get(id) !== print).map(({ id }) => id));
  const attributes = new Map<string, JsonValue>();
  const subscriptions = new Map<string, SubscriptionState>();
  context.shape.fields.forEach(({ id, attribute }, index) => {
    if (differing.has(id)) attributes.set(attribute, row.values[index] ?? null);
  });
  for (const { id, subscriptionGroupId } of context.shape.memberships) {
    if (differing.has(id)) subscriptions.set(subscriptionGroupId, 'subscribed');
  }
  const ended = before.filter(({ id }) => !afterIds.has(id)).map(({ id }) => id);
  for (const id of ended) unset(id, context.dictionary, attributes, subscriptions);
  const { hash, primaryKey } = row;
  return { hash, primaryKey, attributes, subscriptions, fields: [...differing, ...ended], fingerprint, lookup: false };
}

function unset(
  id: number,
  dictionary: Dictionary,
  attributes: Map<string, JsonValue>,
  subscriptions: Map<string, SubscriptionState>,
): void {
  const name = nameOf(id, dictionary);
  if (name.startsWith('a:')) attributes.set(name.slice(2), null);
  else subscriptions.set(name.slice(2), 'unsubscribed');
}

function nameOf(id: number, dictionary: Dictionary): string {
  const name = dictionary.nameById.get(id);
  if (name === undefined) throw new Error(`the field dictionary has no name for id ${id}`);
  return name;
}

function decideRemoval(entry: Entry, { syncMode, dictionary }: DecideContext): Decision {
  const { hash, primaryKey, fingerprint } = entry;
  if (fingerprint === undefined) return { kind: 'forgotten', hash, primaryKey };
  const known = decodeFingerprint(fingerprint);
  if (syncMode === 'sync') {
    const fields = known.map(({ id }) => id);
    return { kind: 'removed', removal: { hash, primaryKey, leaves: [], fields, fingerprint: undefined } };
  }
  const groups = known.filter(({ id }) => nameOf(id, dictionary).startsWith('g:'));
  if (entry.gone && groups.length === 0) return { kind: 'kept' };
  const groupIds = new Set(groups.map(({ id }) => id));
  const removal = {
    hash,
    primaryKey,
    leaves: groups.map(({ id }) => nameOf(id, dictionary).slice(2)),
    fields: [...groupIds],
    fingerprint: encodeFingerprint(known.filter(({ id }) => !groupIds.has(id))),
  };
  return { kind: 'removed', removal };
}
