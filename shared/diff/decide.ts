/**
 * What is to be done about a record: the heart of every run and of the plan. Pure.
 *
 * In every sync mode only differences leave: a field that differs from the fingerprint, null for a field that became
 * NULL or is no longer mapped, `subscribed` for a group joined, `unsubscribed` for one left or no longer listed. A NULL
 * that Braze was never told of is not mentioned.
 */
import { NEVER_NULL } from '../braze/attributes.ts';
import { type Entry, mayBeInBraze, type Refusal, wasRefused } from '../ledger/entry.ts';
import {
  decodeFingerprint,
  digestOf,
  encodeFingerprint,
  type FieldPrint,
  sameFingerprint,
  UNKNOWN_PRINT,
} from '../ledger/fingerprint.ts';
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
  /** Those of them that end: attributes that are unset, groups that are left. */
  readonly ended: readonly number[];
  readonly fingerprint: Uint8Array;
  /** The user has to be looked up first, as nobody knows whether Braze has it (enrich). */
  readonly lookup: boolean;
  /** When fields with a least interval were last sent once Braze has accepted this, by id; epoch ms. */
  readonly sentAt: ReadonlyMap<number, number>;
  /** The refusal that this state follows. */
  readonly refusedBefore: Refusal | undefined;
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
  /** The ledger keeps these too: who returns still has the last values. */
  readonly sentAt?: Entry['sentAt'];
  /** The refusal that this removal follows. */
  readonly refusedBefore?: Refusal | undefined;
};

/** What the ledger is to remember of a record of which nothing is sent. */
export type Note =
  | { readonly kind: 'refuse'; readonly hash: string; readonly primaryKey: string; readonly refusal: Refusal }
  | { readonly kind: 'clear'; readonly hash: string };

export type Decision =
  | {
      readonly kind: 'unchanged';
      readonly omitted: readonly Problem[];
      readonly heldBack: readonly number[];
      readonly note: Note | undefined;
    }
  | {
      readonly kind: 'added' | 'changed';
      readonly upsert: Upsert;
      readonly omitted: readonly Problem[];
      /** Ids of fields and groups that would end, but are held. */
      readonly heldBack: readonly number[];
    }
  | {
      readonly kind: 'rejected';
      readonly hash: string;
      readonly rows: number;
      readonly problem: Problem;
      /** Not for rows without a primary key: nobody can tell which record they are. */
      readonly refusal: Refusal | undefined;
      readonly note: Note | undefined;
    }
  | { readonly kind: 'removed'; readonly removal: Removal }
  /** A removal that Braze refused before: it is not tried again by itself. */
  | { readonly kind: 'unremoved'; readonly hash: string; readonly refusal: Refusal }
  /** A removal that is held. */
  | { readonly kind: 'held'; readonly hash: string }
  /** An entry of a record that Braze never had and the warehouse no longer has. */
  | { readonly kind: 'forgotten'; readonly hash: string }
  /** An entry without a row that stays as it is. */
  | { readonly kind: 'kept' };

/** What is not to be sent now, whatever the rows say. */
export type Holds = {
  /** True when a field or group of a record, by its id, is not to end. */
  readonly field: (id: number, hash: string) => boolean;
  readonly removal: (hash: string) => boolean;
};

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
  readonly holds: Holds;
  /** Send every attribute, whether or not it differs; with `groups`, subscription states too. */
  readonly resync: false | 'attributes' | 'groups';
};

/** Nothing is held. */
export const NO_HOLDS: Holds = { field: () => false, removal: () => false };

/** Returns what is to be done about a match. */
export function decide(match: Match<Row, Entry>, context: DecideContext): Decision {
  if (match.kind === 'entry') return decideRemoval(match.entry, context);
  const { row, entry } = match;
  if (row.hash === '') {
    const rows = match.kind === 'duplicate' ? match.rows : 1;
    const problem = { field: 'external_id', reason: 'the primary key is NULL' };
    return { kind: 'rejected', hash: '', rows, problem, refusal: undefined, note: undefined };
  }
  if (match.kind === 'duplicate') {
    const reason = `the primary key occurs in ${match.rows} rows; none of them is sent`;
    return rejected(row, entry, match.rows, { field: 'external_id', reason }, context);
  }
  return row.rejection ? rejected(row, entry, 1, row.rejection, context) : decideRow(row, entry, context);
}

/** A record that is not even sent. The ledger remembers it, once for each state of it. */
function rejected(
  row: Row,
  entry: Entry | undefined,
  rows: number,
  problem: Problem,
  { nowMs }: DecideContext,
): Decision {
  const { hash } = row;
  const digest = digestOf(Buffer.concat([Buffer.from(`${problem.field}\0${problem.reason}\0`), row.fingerprint]));
  const before = entry?.refused;
  if (before?.digest === digest) return { kind: 'rejected', hash, rows, problem, refusal: before, note: undefined };
  const refusal = nextRefusal(before, { digest, ...problem }, nowMs);
  // A key that Braze would refuse is not worth keeping: no request will ever need it.
  const primaryKey = row.rejection?.field === 'external_id' ? '' : row.primaryKey;
  return { kind: 'rejected', hash, rows, problem, refusal, note: { kind: 'refuse', hash, primaryKey, refusal } };
}

/** Returns the refusal that follows another one, or none. */
export const nextRefusal = (
  before: Pick<Refusal, 'tries' | 'since'> | undefined,
  refused: Pick<Refusal, 'digest' | 'reason' | 'field'>,
  nowMs: number,
): Refusal => ({ ...refused, tries: (before?.tries ?? 0) + 1, since: before?.since ?? nowMs });

function decideRow(row: Row, entry: Entry | undefined, context: DecideContext): Decision {
  const { omitted, hash } = row;
  const isKnown = entry !== undefined && mayBeInBraze(entry);
  // After a lost answer or an absence, even the user's existence is to be seen to, also where no field differs.
  const isSure = isKnown && !entry.uncertain && !entry.gone;
  const isSame = isSure && entry.fingerprint !== undefined && sameFingerprint(entry.fingerprint, row.fingerprint);
  const unchanged = (heldBack: readonly number[] = []): Decision => ({
    kind: 'unchanged',
    omitted,
    heldBack,
    note: entry?.refused ? { kind: 'clear', hash } : undefined,
  });
  // Most rows are unchanged, and equal bytes say so without looking at a single field.
  if (isSame && !context.resync) return unchanged();
  const before = isKnown && entry.fingerprint ? decodeFingerprint(entry.fingerprint) : [];
  const after = afterOf(row, before, entry, context);
  if (!context.retryRejections && entry && wasRefusedAs(row, before, entry, after, context)) {
    const { refused } = entry;
    const problem = { field: refused?.field ?? '', reason: refused?.reason ?? '' };
    return { kind: 'rejected', hash, rows: 1, problem, refusal: refused, note: undefined };
  }
  const { heldBack } = after;
  if (isKnown) {
    const upsert = difference(row, before, after, entry, context);
    if (isSure && upsert.fields.length === 0) return unchanged(heldBack);
    const lookup = context.syncMode === 'enrich' && !isSure;
    return { kind: 'changed', upsert: { ...upsert, lookup }, omitted, heldBack };
  }
  const absent = context.syncMode === 'enrich' && entry?.absentAt !== undefined;
  if (absent && (entry.absentAt ?? 0) > context.askAgainBeforeMs) return unchanged();
  const upsert = difference(row, [], after, entry, context);
  return { kind: 'added', upsert: { ...upsert, lookup: context.syncMode === 'enrich' }, omitted, heldBack: [] };
}

/**
 * True for a row whose state Braze has refused. What a guard holds back makes no other state of it: the row has not
 * changed, and what it would send now has not been counted when the guards were asked.
 */
const wasRefusedAs = (
  row: Row,
  before: readonly FieldPrint[],
  entry: Entry,
  after: After,
  context: DecideContext,
): boolean =>
  wasRefused(entry, after.fingerprint) ||
  (after.heldBack.length > 0 &&
    wasRefused(entry, afterOf(row, before, entry, { ...context, holds: NO_HOLDS }).fingerprint));

type After = {
  /** What the ledger gets. */
  readonly fingerprint: Uint8Array;
  readonly prints: readonly FieldPrint[];
  /** Ids of prints that stay as they were, whatever the row says. */
  readonly carried: ReadonlySet<number>;
  readonly heldBack: readonly number[];
};

/**
 * The fingerprint that the ledger gets: the row's own, and the prints of what stays in Braze as it is (omitted values,
 * attributes that never receive null, whether still mapped or not, what is held, what was sent too short a time ago).
 */
function afterOf(row: Row, before: readonly FieldPrint[], entry: Entry | undefined, context: DecideContext): After {
  const own = new Map(decodeFingerprint(row.fingerprint).map((field) => [field.id, field]));
  const omitted = new Set(row.carried);
  const tooSoon = tooSoonIds(entry, context);
  const carried = new Set<number>();
  const heldBack: number[] = [];
  for (const field of before) {
    const { id, print } = field;
    if (tooSoon.has(id) && print !== UNKNOWN_PRINT) {
      own.set(id, field);
      carried.add(id);
    } else if (!own.has(id)) {
      const staysAnyway = omitted.has(id) || isNeverNull(id, context.dictionary);
      if (!staysAnyway && !context.holds.field(id, row.hash)) continue;
      if (!staysAnyway) heldBack.push(id);
      own.set(id, field);
      carried.add(id);
    }
  }
  // What was sent as NULL a short time ago stays NULL.
  const known = new Set(before.map(({ id }) => id));
  const waiting = [...tooSoon].filter((id) => !known.has(id) && own.delete(id));
  if (carried.size === 0 && waiting.length === 0)
    return { fingerprint: row.fingerprint, prints: [...own.values()], carried, heldBack };
  const prints = [...own.values()].sort((a, b) => a.id - b.id);
  return { fingerprint: encodeFingerprint(prints), prints, carried, heldBack };
}

/** Ids of the fields that were sent less than their least interval ago. */
function tooSoonIds(entry: Entry | undefined, { shape, nowMs }: DecideContext): ReadonlySet<number> {
  const { sentAt } = entry ?? {};
  if (!sentAt) return NONE;
  return new Set(
    shape.fields.flatMap(({ id, minIntervalMs }) => {
      const at = sentAt.get(id);
      return minIntervalMs !== undefined && at !== undefined && at + minIntervalMs > nowMs ? [id] : [];
    }),
  );
}

const NONE: ReadonlySet<number> = new Set();

const isNeverNull = (id: number, dictionary: Dictionary): boolean => {
  const name = dictionary.nameById.get(id);
  return name?.startsWith('a:') === true && NEVER_NULL.has(name.slice(2));
};

function difference(
  row: Row,
  before: readonly FieldPrint[],
  after: After,
  entry: Entry | undefined,
  context: DecideContext,
): Upsert {
  const { shape, dictionary, nowMs } = context;
  const known = new Map(before.filter(({ id }) => !isSentAnyway(id, context)).map(({ id, print }) => [id, print]));
  const afterIds = new Set(after.prints.map(({ id }) => id));
  const differing = new Set(
    after.prints.filter(({ id, print }) => !after.carried.has(id) && known.get(id) !== print).map(({ id }) => id),
  );
  const attributes = new Map<string, JsonValue>();
  const subscriptions = new Map<string, SubscriptionState>();
  shape.fields.forEach(({ id, attribute }, index) => {
    if (differing.has(id)) attributes.set(attribute, row.values[index] ?? null);
  });
  for (const { id, subscriptionGroupId } of shape.memberships) {
    if (differing.has(id)) subscriptions.set(subscriptionGroupId, 'subscribed');
  }
  const ended = before.filter(({ id }) => !afterIds.has(id)).map(({ id }) => id);
  for (const id of ended) unset(id, dictionary, attributes, subscriptions);
  const fields = [...differing, ...ended];
  const { hash, primaryKey } = row;
  const { fingerprint } = after;
  const sentAt = sentAtAfter(entry, new Set(fields), shape, nowMs);
  const refusedBefore = entry?.refused;
  return {
    hash,
    primaryKey,
    attributes,
    subscriptions,
    fields,
    ended,
    fingerprint,
    lookup: false,
    sentAt,
    refusedBefore,
  };
}

/** In a resync nothing counts as known, but for subscription states: they may be the user's own choice by now. */
const isSentAnyway = (id: number, { resync, dictionary }: DecideContext): boolean =>
  resync === 'groups' || (resync === 'attributes' && nameOf(id, dictionary).startsWith('a:'));

function sentAtAfter(
  entry: Entry | undefined,
  sent: ReadonlySet<number>,
  shape: Shape,
  nowMs: number,
): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const { id, minIntervalMs } of shape.fields) {
    if (minIntervalMs === undefined) continue;
    const at = sent.has(id) ? nowMs : entry?.sentAt?.get(id);
    if (at !== undefined) times.set(id, at);
  }
  return times;
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

/** Returns the digest by which the ledger remembers that Braze refused a removal. */
export const removalDigest = (deletes: boolean, fields: readonly number[]): string =>
  digestOf(Buffer.from(deletes ? 'deletion' : `leaving ${[...fields].sort((a, b) => a - b).join(' ')}`));

function decideRemoval(entry: Entry, { syncMode, dictionary, holds, retryRejections }: DecideContext): Decision {
  const { hash, primaryKey, fingerprint } = entry;
  if (fingerprint === undefined) return { kind: 'forgotten', hash };
  const known = decodeFingerprint(fingerprint);
  const groups = known.filter(({ id }) => nameOf(id, dictionary).startsWith('g:'));
  if (syncMode !== 'sync' && entry.gone && groups.length === 0) return { kind: 'kept' };
  const deletes = syncMode === 'sync';
  const { refused } = entry;
  const digest = removalDigest(
    deletes,
    groups.map(({ id }) => id),
  );
  if (refused?.digest === digest && !retryRejections) return { kind: 'unremoved', hash, refusal: refused };
  if (holds.removal(hash)) return { kind: 'held', hash };
  if (deletes) {
    const fields = known.map(({ id }) => id);
    return {
      kind: 'removed',
      removal: { hash, primaryKey, leaves: [], fields, fingerprint: undefined, refusedBefore: refused },
    };
  }
  const groupIds = new Set(groups.map(({ id }) => id));
  const removal = {
    hash,
    primaryKey,
    leaves: groups.map(({ id }) => nameOf(id, dictionary).slice(2)),
    fields: [...groupIds],
    fingerprint: encodeFingerprint(known.filter(({ id }) => !groupIds.has(id))),
    sentAt: entry.sentAt,
    refusedBefore: refused,
  };
  return { kind: 'removed', removal };
}
