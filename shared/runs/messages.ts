/**
 * What travels on the queues. A message is parsed at the border and refused when it is not of this form.
 *
 * Batches carry field values, as little as the request needs and no longer than until it is settled; the tables never
 * do. The text of a message holds only characters that SQS takes.
 */
import * as z from 'zod';
import type { Note, Removal, SubscriptionState, Upsert } from '../diff/decide.ts';
import type { JsonValue } from '../values/json.ts';

const RunKey = { run: z.string().min(1), destination: z.string().min(1) };
const shard = z.int().min(0).max(255);
/** How often all tries of a message failed, and it was put back all the same. */
const again = z.int().optional();
const MAX_ROUNDS = 5;

/**
 * Returns a message for another round, with all its tries, or undefined when it has had its rounds. For one whose tries all
 * failed and whose end could not even be noted: as a dead letter it would leave its run open.
 */
export function nextRound<M extends { readonly again?: number | undefined }>(
  message: M,
): (M & { readonly again: number }) | undefined {
  const round = (message.again ?? 0) + 1;
  return round > MAX_ROUNDS ? undefined : { ...message, again: round };
}

/** Steps of a run that the extract queue carries. */
export const ExtractMessage = z.discriminatedUnion('kind', [
  /** Ask for the model's columns, settle what earlier runs left open, submit the shards. */
  z.object({ kind: z.literal('prepare'), ...RunKey, polls: z.int().default(0), again }),
  /** Read one shard, from its cursor on. */
  z.object({ kind: z.literal('shard'), ...RunKey, shard, polls: z.int().default(0), again }),
]);
export type ExtractMessage = z.infer<typeof ExtractMessage>;

const HASH = /^[0-9a-f]{32}$/;
const record = { h: z.string().regex(HASH), k: z.string().min(1) };
const sentAt = z.array(z.tuple([z.int(), z.number()])).optional();
const subscriptionState = z.enum(['subscribed', 'unsubscribed']);

/**
 * One user to set: a = attributes, s = subscription states, i = field ids, f = fingerprint (base64), l = look up first,
 * t = when fields were last sent (epoch ms, by id), p = tries and first time (epoch ms) of the refusal before.
 */
const UpsertRecord = z.object({
  ...record,
  a: z.array(z.tuple([z.string(), z.custom<JsonValue>((value) => value !== undefined)])),
  s: z.array(z.tuple([z.string(), subscriptionState])),
  i: z.array(z.int()),
  f: z.base64(),
  l: z.boolean().optional(),
  t: sentAt,
  p: z.tuple([z.int(), z.number()]).optional(),
});

/** One user to delete, or (with f) to take out of its groups s; t and p as above. */
export const RemovalRecord = z.object({
  ...record,
  s: z.array(z.string()),
  i: z.array(z.int()),
  f: z.base64().optional(),
  t: sentAt,
  p: z.tuple([z.int(), z.number()]).optional(),
});
export type RemovalRecord = z.infer<typeof RemovalRecord>;

/** What the ledger is to remember or to drop, without a word to Braze. */
const NoteRecord = z.union([
  z.object({
    h: record.h,
    k: z.string(),
    r: z.object({ digest: z.string(), reason: z.string(), field: z.string(), tries: z.int(), since: z.number() }),
  }),
  z.object({ h: record.h, clear: z.literal(true) }),
  z.object({ h: record.h, forget: z.literal(true) }),
]);
export type NoteRecord = z.infer<typeof NoteRecord>;

const batch = {
  ...RunKey,
  shard,
  seq: z.int().min(0),
  epoch: z.string().min(1),
  again,
};

/** What becomes one request to Braze. `epoch` names the reading of the shard that made the batch (see model.ts). */
export const BatchMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('upsert'), ...batch, records: z.array(UpsertRecord) }),
  z.object({ kind: z.literal('remove'), ...batch, records: z.array(RemovalRecord) }),
  z.object({ kind: z.literal('note'), ...batch, records: z.array(NoteRecord) }),
]);
export type BatchMessage = z.infer<typeof BatchMessage>;
export type BatchKind = BatchMessage['kind'];

type UpsertMessageRecord = z.infer<typeof UpsertRecord>;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export const upsertRecord = (upsert: Upsert): UpsertMessageRecord => ({
  h: upsert.hash,
  k: upsert.primaryKey,
  a: [...upsert.attributes] as [string, JsonValue][],
  s: [...upsert.subscriptions] as [string, SubscriptionState][],
  i: [...upsert.fields],
  f: base64(upsert.fingerprint),
  ...(upsert.lookup ? { l: true } : {}),
  ...(upsert.sentAt.size > 0 ? { t: [...upsert.sentAt] as [number, number][] } : {}),
  ...(upsert.refusedBefore ? { p: [upsert.refusedBefore.tries, upsert.refusedBefore.since] as [number, number] } : {}),
});

export const noteRecord = (note: Note): NoteRecord =>
  note.kind === 'clear' ? { h: note.hash, clear: true } : { h: note.hash, k: note.primaryKey, r: { ...note.refusal } };

export const removalRecord = (removal: Removal): RemovalRecord => ({
  h: removal.hash,
  k: removal.primaryKey,
  s: [...removal.leaves],
  i: [...removal.fields],
  ...(removal.fingerprint ? { f: base64(removal.fingerprint) } : {}),
  ...(removal.sentAt ? { t: [...removal.sentAt] as [number, number][] } : {}),
  ...(removal.refusedBefore
    ? { p: [removal.refusedBefore.tries, removal.refusedBefore.since] as [number, number] }
    : {}),
});

/** Returns the bytes of a fingerprint in a message. */
export const fingerprintBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** Returns a message's text. */
export const messageText = (message: ExtractMessage | BatchMessage): string => escaped(JSON.stringify(message));

/**
 * Returns JSON in characters that SQS takes. It refuses U+FFFE and U+FFFF, which JSON leaves as they are, and not every
 * part of the way takes characters beyond U+FFFF: these are escaped, which a JSON parser undoes.
 * Source: Amazon SQS API Reference, 'SendMessage'.
 */
export const escaped = (json: string): string =>
  json.replace(/[\ud800-\udfff\ufffe\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);

/** Returns the UTF-8 bytes of a text. */
export const textBytes = (text: string): number => Buffer.byteLength(text);
