/**
 * The ledger in DynamoDB: what Braze last accepted, in record hash order.
 *
 * Keys: `pk` is the destination and the first six bits of the record hash (64 partitions: they take more writes than
 * Braze takes users, and a small ledger is still read in few requests), `sk` the record hash. Attributes have one letter,
 * as there is an item for every user: k primary key, f fingerprint, a absent since, g gone, u uncertain, t when fields
 * were last sent; of a refused state r its digest, m the reason, x the field, n the tries, s since when. Times are epoch
 * seconds.
 */
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { FatalError } from '../errors.ts';
import { backoffMs, type Clock, SECOND_MS } from '../time.ts';
import { type HashRange, hexByte } from '../warehouse/model-sql.ts';
import type { Entry, Refusal } from './entry.ts';
import { MAX_FIELD_ID } from './fingerprint.ts';

export type LedgerWrite =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly hash: string }
  | { readonly kind: 'refuse'; readonly hash: string; readonly primaryKey: string; readonly refusal: Refusal }
  /** The record is no longer refused; what Braze has of it stays as it was. */
  | { readonly kind: 'clear'; readonly hash: string };

/** Field names (see fieldName, groupName) and their ids. Ids are given once and never change. */
export type Dictionary = {
  readonly idByName: ReadonlyMap<string, number>;
  readonly nameById: ReadonlyMap<number, string>;
  /** What the ledger's records are records of. */
  readonly identity?: Identity | undefined;
};

/** What makes a ledger another one: its primary key, and the workspace that it is about. */
export type Identity = { readonly primaryKey: string; readonly workspace: string };

export type Ledger = {
  /** Yields the entries of a range in record hash order, those after `after` only; pages, one fetched ahead at least. */
  readonly entries: (destination: string, range: HashRange, after?: string) => AsyncGenerator<readonly Entry[]>;
  readonly get: (destination: string, hash: string) => Promise<Entry | undefined>;
  /** Writes, each record at most once in a call. All are done when it returns. */
  readonly write: (destination: string, writes: readonly LedgerWrite[]) => Promise<void>;
  /** Returns the destination's dictionary, or undefined when it never had a run. */
  readonly dictionary: (destination: string) => Promise<Dictionary | undefined>;
  /** Returns the dictionary after giving an id to each name that has none, and noting what the ledger is about. */
  readonly ensureFields: (destination: string, names: readonly string[], identity?: Identity) => Promise<Dictionary>;
};

/** A Braze attribute's name in the dictionary. */
export const fieldName = (attribute: string): string => `a:${attribute}`;
/** A Braze subscription group's name in the dictionary, by its id in Braze. */
export const groupName = (subscriptionGroupId: string): string => `g:${subscriptionGroupId}`;

/** BatchWriteItem takes 25 items. Source: Amazon DynamoDB API Reference, 'BatchWriteItem'. */
const WRITES_PER_CALL = 25;
/** Partitions are small for most destinations; reading several at once hides their round trips. */
const PARTITIONS_AHEAD = 8;
const BYTES_PER_PARTITION = 4;
const DICTIONARY_KEY = '#fields';

const Item = z.object({
  sk: z.string(),
  k: z.string(),
  f: z.instanceof(Uint8Array).optional(),
  a: z.number().optional(),
  g: z.boolean().optional(),
  u: z.boolean().optional(),
  r: z.string().optional(),
  m: z.string().optional(),
  x: z.string().default(''),
  n: z.int().default(1),
  s: z.number().default(0),
  t: z.record(z.string(), z.number()).optional(),
});
const DictionaryItem = z.object({
  ids: z.record(z.string(), z.int().min(1).max(MAX_FIELD_ID)),
  version: z.int(),
  identity: z.object({ primaryKey: z.string(), workspace: z.string() }).optional(),
});

const firstByte = (hash: string): number => Number.parseInt(hash.slice(0, 2), 16);
/** As many partitions as a run has shards at most, so that no two shards read the same one. */
const partitionOf = (byte: number): number => Math.floor(byte / BYTES_PER_PARTITION);
const partitionKey = (destination: string, partition: number): string => `${destination}#${hexByte(partition)}`;
const keyOf = (destination: string, hash: string) => ({
  pk: partitionKey(destination, partitionOf(firstByte(hash))),
  sk: hash,
});

function entryOf(item: unknown): Entry {
  const { sk, k, f, a, g, u, r, m, x, n, s, t } = Item.parse(item);
  return {
    hash: sk,
    primaryKey: k,
    ...(f ? { fingerprint: f } : {}),
    ...(a === undefined ? {} : { absentAt: a * SECOND_MS }),
    ...(g ? { gone: true } : {}),
    ...(u ? { uncertain: true } : {}),
    ...(r === undefined ? {} : { refused: { digest: r, reason: m ?? '', field: x, tries: n, since: s * SECOND_MS } }),
    ...(t ? { sentAt: new Map(Object.entries(t).map(([id, at]) => [Number(id), at * SECOND_MS])) } : {}),
  };
}

const seconds = (ms: number): number => Math.floor(ms / SECOND_MS);

const refusalItem = ({ digest, reason, field, tries, since }: Refusal) => ({
  r: digest,
  m: reason,
  x: field,
  n: tries,
  s: seconds(since),
});

const itemOf = (destination: string, entry: Entry) => ({
  ...keyOf(destination, entry.hash),
  k: entry.primaryKey,
  ...(entry.fingerprint ? { f: entry.fingerprint } : {}),
  ...(entry.absentAt === undefined ? {} : { a: seconds(entry.absentAt) }),
  ...(entry.gone ? { g: true } : {}),
  ...(entry.uncertain ? { u: true } : {}),
  ...(entry.refused ? refusalItem(entry.refused) : {}),
  ...(entry.sentAt && entry.sentAt.size > 0
    ? { t: Object.fromEntries([...entry.sentAt].map(([id, at]) => [String(id), seconds(at)])) }
    : {}),
});

/** Returns the ledger that lives in a DynamoDB table. */
export function dynamoLedger(db: DynamoDBDocumentClient, table: string, clock: Clock): Ledger {
  const dictionary = async (destination: string) => {
    const { Item: item } = await db.send(
      new GetCommand({ TableName: table, Key: { pk: destination, sk: DICTIONARY_KEY }, ConsistentRead: true }),
    );
    return item ? DictionaryItem.parse(item) : undefined;
  };
  return {
    entries: (destination, range, after) => entries(db, table, destination, range, after),
    get: async (destination, hash) => {
      const { Item: item } = await db.send(
        new GetCommand({ TableName: table, Key: keyOf(destination, hash), ConsistentRead: true }),
      );
      return item ? entryOf(item) : undefined;
    },
    write: async (destination, writes) => {
      const requests = writes
        .filter((write) => write.kind === 'put' || write.kind === 'delete')
        .map((write) => requestOf(destination, write));
      const calls = Array.from({ length: Math.ceil(requests.length / WRITES_PER_CALL) }, (_, call) =>
        batchWrite(db, table, clock, requests.slice(call * WRITES_PER_CALL, (call + 1) * WRITES_PER_CALL)),
      );
      const refusals = writes
        .filter((write) => write.kind === 'refuse')
        .map(({ hash, primaryKey, refusal }) => refuse(db, table, destination, hash, primaryKey, refusal));
      const cleared = writes
        .filter((write) => write.kind === 'clear')
        .map(({ hash }) => clear(db, table, destination, hash));
      await Promise.all([...calls, ...refusals, ...cleared]);
    },
    dictionary: async (destination) => {
      const item = await dictionary(destination);
      return item && dictionaryOf(item.ids, item.identity);
    },
    ensureFields: async (destination, names, given) => {
      for (;;) {
        const item = await dictionary(destination);
        const ids = withNames(item?.ids ?? {}, names);
        const identity = given ?? item?.identity;
        const isKnown = item && sameIdentity(item.identity, identity);
        if (isKnown && Object.keys(ids).length === Object.keys(item.ids).length) return dictionaryOf(ids, identity);
        if (await putDictionary(db, table, destination, { ids, identity }, item?.version))
          return dictionaryOf(ids, identity);
      }
    },
  };
}

function withNames(ids: Readonly<Record<string, number>>, names: readonly string[]): Record<string, number> {
  const known = new Map(Object.entries(ids));
  for (const name of names) if (!known.has(name)) known.set(name, known.size + 1);
  if (known.size > MAX_FIELD_ID) {
    throw new FatalError(
      `the destination has had ${known.size} different fields, more than the ${MAX_FIELD_ID} that its ledger can tell apart`,
      'Send the model to a destination with another name.',
    );
  }
  return Object.fromEntries(known);
}

const sameIdentity = (one: Identity | undefined, other: Identity | undefined): boolean =>
  one?.primaryKey === other?.primaryKey && one?.workspace === other?.workspace;

function dictionaryOf(ids: Readonly<Record<string, number>>, identity?: Identity): Dictionary {
  const idByName = new Map(Object.entries(ids));
  return { idByName, nameById: new Map([...idByName].map(([name, id]) => [id, name])), identity };
}

/** Returns a dictionary in which every name has an id, the known ones their own; nothing is written. */
export const dictionaryWith = (known: Dictionary | undefined, names: readonly string[]): Dictionary =>
  dictionaryOf(withNames(Object.fromEntries(known?.idByName ?? []), names), known?.identity);

/** Writes the dictionary unless somebody else has meanwhile; returns whether it was written. */
async function putDictionary(
  db: DynamoDBDocumentClient,
  table: string,
  destination: string,
  { ids, identity }: { readonly ids: Record<string, number>; readonly identity: Identity | undefined },
  version: number | undefined,
): Promise<boolean> {
  const condition =
    version === undefined
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : { ConditionExpression: 'version = :version', ExpressionAttributeValues: { ':version': version } };
  const noted = identity ? { identity: { ...identity } } : {};
  const Item = { pk: destination, sk: DICTIONARY_KEY, ids, ...noted, version: (version ?? 0) + 1 };
  return succeeded(db.send(new PutCommand({ TableName: table, Item, ...condition })));
}

/** Returns true, or false when the call's condition did not hold; every other error is thrown on. */
export async function succeeded(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false;
    throw error;
  }
}

type WriteRequest = NonNullable<NonNullable<BatchWriteCommandInput['RequestItems']>[string]>[number];

const requestOf = (destination: string, write: Extract<LedgerWrite, { kind: 'put' | 'delete' }>): WriteRequest =>
  write.kind === 'put'
    ? { PutRequest: { Item: itemOf(destination, write.entry) } }
    : { DeleteRequest: { Key: keyOf(destination, write.hash) } };

/** DynamoDB may take a part of a batch only, and says which part is left. */
async function batchWrite(
  db: DynamoDBDocumentClient,
  table: string,
  clock: Clock,
  requests: readonly WriteRequest[],
): Promise<void> {
  let left = [...requests];
  for (let attempt = 1; left.length > 0; attempt++) {
    const answer = await db.send(new BatchWriteCommand({ RequestItems: { [table]: left } }));
    left = answer.UnprocessedItems?.[table] ?? [];
    if (left.length > 0) await clock.sleep(backoffMs(clock, attempt, 50, 5 * SECOND_MS));
  }
}

/** What Braze has of the record stays as it was; only the refusal is added. */
const refuse = (
  db: DynamoDBDocumentClient,
  table: string,
  destination: string,
  hash: string,
  primaryKey: string,
  refusal: Refusal,
): Promise<unknown> =>
  db.send(
    new UpdateCommand({
      TableName: table,
      Key: keyOf(destination, hash),
      UpdateExpression: 'SET k = :k, r = :r, m = :m, x = :x, n = :n, s = :s',
      ExpressionAttributeValues: {
        ':k': primaryKey,
        ...Object.fromEntries(Object.entries(refusalItem(refusal)).map(([name, value]) => [`:${name}`, value])),
      },
    }),
  );

/** An entry that is gone meanwhile stays gone. */
const clear = (db: DynamoDBDocumentClient, table: string, destination: string, hash: string): Promise<boolean> =>
  succeeded(
    db.send(
      new UpdateCommand({
        TableName: table,
        Key: keyOf(destination, hash),
        UpdateExpression: 'REMOVE r, m, x, n, s',
        ConditionExpression: 'attribute_exists(pk)',
      }),
    ),
  );

type Page = { readonly entries: readonly Entry[]; readonly next: Record<string, unknown> | undefined };
/** Sort keys from `from` to `to`, both included. */
type KeyRange = { readonly pk: string; readonly from: string; readonly to: string };

/** The part of a range of record hashes that lies in a partition; only what comes after `after`. */
function keyRange(destination: string, partition: number, range: HashRange, after: string): KeyRange {
  const from = hexByte(Math.max(range.from, partition * BYTES_PER_PARTITION));
  const last = hexByte(Math.min(range.to, (partition + 1) * BYTES_PER_PARTITION) - 1);
  // Record hashes are of one length, of the digits 0 to f: a longer key is the next one, and `g` comes after them all.
  return {
    pk: partitionKey(destination, partition),
    from: after < from ? from : `${after}0`,
    to: `${last}g`,
  };
}

async function* entries(
  db: DynamoDBDocumentClient,
  table: string,
  destination: string,
  range: HashRange,
  after = '',
): AsyncGenerator<readonly Entry[]> {
  const start = Math.max(range.from, after === '' ? 0 : firstByte(after));
  if (start >= range.to) return;
  const end = partitionOf(range.to - 1) + 1;
  const ahead: Promise<Page>[] = [];
  const fetched = (keys: KeyRange, startKey?: Record<string, unknown>): Promise<Page> => {
    const page = queryPage(db, table, keys, startKey);
    // A failure is seen when it is its page's turn; until then it must not count as unhandled.
    page.catch(() => undefined);
    return page;
  };
  let following: Promise<Page> | undefined;
  let next = partitionOf(start);
  try {
    for (let partition = next; partition < end; partition++) {
      for (; next < end && next < partition + PARTITIONS_AHEAD; next++) {
        ahead.push(fetched(keyRange(destination, next, range, after)));
      }
      let page = await ahead.shift();
      while (page) {
        following = page.next && fetched(keyRange(destination, partition, range, after), page.next);
        if (page.entries.length > 0) yield page.entries;
        page = await following;
      }
    }
  } finally {
    await Promise.allSettled([...ahead, following]);
  }
}

async function queryPage(
  db: DynamoDBDocumentClient,
  table: string,
  { pk, from, to }: KeyRange,
  startKey?: Record<string, unknown>,
): Promise<Page> {
  const answer = await db.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: { ':pk': pk, ':from': from, ':to': to },
      ConsistentRead: true,
      ...(startKey ? { ExclusiveStartKey: startKey } : {}),
    }),
  );
  return { entries: (answer.Items ?? []).map(entryOf), next: answer.LastEvaluatedKey };
}
