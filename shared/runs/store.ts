/**
 * The runs table in DynamoDB. Each function is one conditional write or one consistent read; a condition that does not
 * hold is an answer (`false`), not an error. What the items hold: model.ts.
 */
import {
  BatchGetCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { succeeded } from '../ledger/ledger.ts';
import { backoffMs, type Clock, DAY_MS, SECOND_MS } from '../time.ts';
import {
  type BatchOutcome,
  DestinationState,
  type Effect,
  HeldList,
  Hold,
  Intent,
  type Phase,
  Rejection,
  Run,
  type RunStatus,
  SETTLED_PER_ITEM,
  Settlement,
  Shard,
} from './model.ts';

/** Runs are kept for a quarter; what they consist of, for a month. */
const RUN_DAYS = 90;
const PART_DAYS = 30;
/** What waits for a person waits this long. Its lists of records are a run's parts, and last as long. */
export const HOLD_DAYS = PART_DAYS;

export type BatchKey = { readonly run: string; readonly shard: number; readonly seq: number };

/** What decides about a batch: its run, its shard, and whether it is settled (`unresolved`: its intent has to stay). */
export type BatchView = {
  readonly run: Run | undefined;
  readonly shard: Shard | undefined;
  readonly settled: 'no' | 'resolved' | 'unresolved';
};

export type Claim = 'new' | 'again' | 'leased';

export type RunStore = {
  readonly state: (destination: string) => Promise<DestinationState>;
  /** Returns every destination that ever had a run. */
  readonly destinations: () => Promise<string[]>;
  /** Returns those of some destinations of which a run is open. */
  readonly running: (destinations: readonly string[]) => Promise<string[]>;
  /** Opens a run, unless one is open; with `replacing`, also when that one is. Returns whether it is open now. */
  readonly open: (destination: string, run: string, execution: string, replacing?: string) => Promise<boolean>;
  /** Frees the destination for the next run; nothing happens when another run is open. */
  readonly free: (destination: string, run: string) => Promise<void>;
  readonly create: (run: Run) => Promise<boolean>;
  readonly get: (destination: string, run: string) => Promise<Run | undefined>;
  /** Changes a run while its status and phase are among those given. Returns whether it was changed. */
  readonly change: (
    run: Pick<Run, 'destination' | 'run'>,
    changes: Partial<Run>,
    while_: { readonly status: readonly RunStatus[]; readonly phase?: Phase },
  ) => Promise<boolean>;
  /** Returns the newest runs of a destination, newest first. */
  readonly latest: (destination: string, limit: number) => Promise<Run[]>;
  /** Returns what the runs that started since a time (epoch ms) have cost, in data points; open ones not counted. */
  readonly spentSince: (destination: string, sinceMs: number) => Promise<number>;
  /** Gives a destination the ledger that another one had, and what waits there for a person. */
  readonly carryLedger: (from: string, to: string, ledger: string) => Promise<void>;
  /** Returns the effects that wait for a person or were discarded, without those that have expired. */
  readonly holds: (destination: string) => Promise<Hold[]>;
  readonly putHold: (destination: string, hold: Hold) => Promise<void>;
  readonly deleteHold: (destination: string, effect: Effect) => Promise<void>;
  readonly createShard: (run: string, shard: Shard) => Promise<boolean>;
  readonly shard: (run: string, shard: number) => Promise<Shard | undefined>;
  /** Replaces a shard's progress while it still stands at `expected`. Returns whether it did. */
  readonly moveShard: (run: string, shard: Shard, expected: number) => Promise<boolean>;
  readonly shards: (run: string) => Promise<Shard[]>;
  readonly settlements: (run: string) => Promise<Settlement[]>;
  readonly batch: (destination: string, key: BatchKey) => Promise<BatchView>;
  /** Counts a batch's outcome, once. Returns false when it has been counted before. `unresolved`: its intent has to stay. */
  readonly settle: (key: BatchKey, outcome: BatchOutcome, unresolved: boolean) => Promise<boolean>;
  readonly putHeldList: (run: string, list: HeldList) => Promise<void>;
  /** Returns the record hashes of an effect that a run has held, by the effect's key. */
  readonly heldHashes: (run: string, key: string) => Promise<ReadonlySet<string>>;
  readonly putRejections: (run: string, rejections: readonly Rejection[]) => Promise<void>;
  readonly rejections: (run: string, limit: number) => Promise<Rejection[]>;
  /** Takes a batch's lease: `new`, `again` (an earlier attempt never ended), or `leased` to somebody else. */
  readonly claim: (destination: string, intent: Intent) => Promise<Claim>;
  readonly putIntent: (destination: string, intent: Intent) => Promise<void>;
  /** Lets the next delivery have the batch at once; what the intent says stays. */
  readonly endLease: (destination: string, id: string) => Promise<void>;
  readonly deleteIntent: (destination: string, id: string) => Promise<void>;
  readonly intents: (destination: string) => AsyncGenerator<Intent>;
};

/** Returns the time of a run's start as its name begins with it: it sorts by time. */
export const runTime = (ms: number): string => new Date(ms).toISOString().replace(/[-:.]/g, '');

const two = (number: number): string => String(number).padStart(3, '0');
const seqText = (seq: number): string => String(seq).padStart(7, '0');
const destinationKey = (destination: string): string => `destination#${destination}`;
const runKey = (run: string): string => `run#${run}`;
const intentsKey = (destination: string): string => `intents#${destination}`;
const settlementSk = ({ shard, seq }: BatchKey): string =>
  `settled#${two(shard)}#${seqText(Math.floor(seq / SETTLED_PER_ITEM))}`;
const holdSk = (effect: Effect): string => `hold#${effect}`;
const HASH_BYTES = 16;
const DESTINATIONS = 'destinations';
const Destinations = z.object({ known: z.set(z.string()).default(new Set()) });

/** Returns a batch's id, unique within its destination. */
export const intentId = (key: BatchKey, epoch: string): string =>
  `${key.run}#${two(key.shard)}#${seqText(key.seq)}#${epoch}`;

/** Returns the store that lives in a DynamoDB table. */
export function dynamoRuns(db: DynamoDBDocumentClient, table: string, clock: Clock): RunStore {
  const expiresAt = (days: number): number => Math.floor((clock.now() + days * DAY_MS) / SECOND_MS);
  const read = async (pk: string, sk: string): Promise<unknown> =>
    (await db.send(new GetCommand({ TableName: table, Key: { pk, sk }, ConsistentRead: true }))).Item;
  const put = async (item: Record<string, unknown>, condition: Condition = {}): Promise<boolean> =>
    succeeded(db.send(new PutCommand({ TableName: table, Item: item, ...condition })));
  const all = async (pk: string, prefix: string): Promise<unknown[]> => {
    const items: unknown[] = [];
    for await (const page of query(db, table, pk, prefix)) items.push(...page);
    return items;
  };
  const holdsOf = async (destination: string): Promise<Hold[]> => {
    const holds = (await all(destinationKey(destination), 'hold#')).map((item) => Hold.parse(item));
    return holds.filter(({ heldAt }) => heldAt + HOLD_DAYS * DAY_MS > clock.now());
  };
  const deleteHold = async (destination: string, effect: Effect): Promise<void> => {
    await db.send(
      new DeleteCommand({ TableName: table, Key: { pk: destinationKey(destination), sk: holdSk(effect) } }),
    );
  };

  return {
    state: async (destination) => DestinationState.parse((await read(destinationKey(destination), 'state')) ?? {}),
    destinations: async () => [...Destinations.parse((await read(DESTINATIONS, DESTINATIONS)) ?? {}).known].sort(),
    running: async (destinations) => {
      const keys = destinations.map((destination) => ({ pk: destinationKey(destination), sk: 'state' }));
      const items = await batchGet(db, table, clock, keys);
      const open = new Set(items.filter((item) => DestinationState.parse(item).open !== undefined).map(({ pk }) => pk));
      return destinations.filter((destination) => open.has(destinationKey(destination)));
    },
    open: async (destination, run, execution, replacing) => {
      // Noted first: the sweeper has to know of a destination before it can have an open run.
      await db.send(
        new UpdateCommand({
          TableName: table,
          Key: { pk: DESTINATIONS, sk: DESTINATIONS },
          UpdateExpression: 'ADD known :known',
          ExpressionAttributeValues: { ':known': new Set([destination]) },
        }),
      );
      return succeeded(
        db.send(
          new UpdateCommand({
            TableName: table,
            Key: { pk: destinationKey(destination), sk: 'state' },
            UpdateExpression: 'SET #open = :run, execution = :execution, openedAt = :now',
            ConditionExpression: replacing === undefined ? 'attribute_not_exists(#open)' : '#open = :replacing',
            ExpressionAttributeNames: { '#open': 'open' },
            ExpressionAttributeValues: {
              ':run': run,
              ':execution': execution,
              ':now': clock.now(),
              ...(replacing === undefined ? {} : { ':replacing': replacing }),
            },
          }),
        ),
      );
    },
    free: async (destination, run) => {
      await succeeded(
        db.send(
          new UpdateCommand({
            TableName: table,
            Key: { pk: destinationKey(destination), sk: 'state' },
            UpdateExpression: 'SET lastClosedAt = :now REMOVE #open, execution, openedAt',
            ConditionExpression: '#open = :run',
            ExpressionAttributeNames: { '#open': 'open' },
            ExpressionAttributeValues: { ':run': run, ':now': clock.now() },
          }),
        ),
      );
    },
    create: (run) =>
      put(
        { pk: destinationKey(run.destination), sk: runKey(run.run), ...run, expiresAt: expiresAt(RUN_DAYS) },
        { ConditionExpression: 'attribute_not_exists(pk)' },
      ),
    get: async (destination, run) => {
      const item = await read(destinationKey(destination), runKey(run));
      return item === undefined ? undefined : Run.parse(item);
    },
    change: (run, changes, while_) => succeeded(db.send(new UpdateCommand(changeInput(table, run, changes, while_)))),
    latest: async (destination, limit) => {
      const answer = await db.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': destinationKey(destination), ':prefix': 'run#' },
          ScanIndexForward: false,
          Limit: limit,
          ConsistentRead: true,
        }),
      );
      return (answer.Items ?? []).map((item) => Run.parse(item));
    },
    spentSince: async (destination, sinceMs) => {
      let dataPoints = 0;
      // A run's name begins with the time of its start.
      const after = runKey(runTime(sinceMs));
      for await (const page of query(db, table, destinationKey(destination), 'run#', after)) {
        for (const item of page) dataPoints += Run.parse(item).totals?.dataPoints ?? 0;
      }
      return dataPoints;
    },
    carryLedger: async (from, to, ledger) => {
      const update = (
        destination: string,
        UpdateExpression: string,
        values: Record<string, unknown>,
        condition?: string,
      ) =>
        succeeded(
          db.send(
            new UpdateCommand({
              TableName: table,
              Key: { pk: destinationKey(destination), sk: 'state' },
              UpdateExpression,
              ExpressionAttributeValues: values,
              ...(condition === undefined ? {} : { ConditionExpression: condition }),
            }),
          ),
        );
      const former = DestinationState.parse((await read(destinationKey(from), 'state')) ?? {});
      const formerly = [...new Set([...(former.formerly ?? []), from])].filter((name) => name !== to);
      // The time to settle counts from the last run under either name.
      const SET = 'SET ledger = :ledger, lastClosedAt = :closed, formerly = :formerly REMOVE carriedTo';
      const values = { ':ledger': ledger, ':closed': former.lastClosedAt, ':formerly': formerly };
      // Once only: a run under the new name may have ended since.
      await update(to, SET, values, 'attribute_not_exists(ledger) OR ledger <> :ledger OR attribute_exists(carriedTo)');
      for (const hold of await holdsOf(from)) {
        await put(holdItem(to, hold), { ConditionExpression: 'attribute_not_exists(pk)' });
        await deleteHold(from, hold.effect);
      }
      await update(from, 'SET carriedTo = :to', { ':to': to });
    },
    holds: holdsOf,
    putHold: async (destination, hold) => {
      await put(holdItem(destination, hold));
    },
    deleteHold,
    createShard: (run, shard) =>
      put(shardItem(run, shard, expiresAt(PART_DAYS)), { ConditionExpression: 'attribute_not_exists(pk)' }),
    shard: async (run, shard) => {
      const item = await read(runKey(run), `shard#${two(shard)}`);
      return item === undefined ? undefined : Shard.parse(item);
    },
    moveShard: (run, shard, expected) =>
      put(shardItem(run, shard, expiresAt(PART_DAYS)), {
        ConditionExpression: 'progress = :expected',
        ExpressionAttributeValues: { ':expected': expected },
      }),
    shards: async (run) => (await all(runKey(run), 'shard#')).map((item) => Shard.parse(item)),
    settlements: async (run) => (await all(runKey(run), 'settled#')).map((item) => Settlement.parse(item)),
    batch: (destination, key) => batchView(db, table, clock, destination, key),
    settle: (key, outcome, unresolved) =>
      succeeded(
        db.send(new UpdateCommand(settleInput(table, key, outcome, unresolved, clock.now(), expiresAt(PART_DAYS)))),
      ),
    putHeldList: async (run, list) => {
      const sk = `held#${list.effect}#${two(list.shard)}#${seqText(list.seq)}`;
      await put({ pk: runKey(run), sk, ...list, expiresAt: expiresAt(PART_DAYS) });
    },
    heldHashes: async (run, key) => {
      const hashes = new Set<string>();
      for await (const page of query(db, table, runKey(run), `held#${key}#`)) {
        for (const item of page) {
          const bytes = Buffer.from(HeldList.parse(item).hashes);
          for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.add(bytes.toString('hex', at, at + HASH_BYTES));
        }
      }
      return hashes;
    },
    putRejections: async (run, rejections) => {
      await Promise.all(
        rejections.map((rejection) =>
          put({
            pk: runKey(run),
            sk: `rejection#${rejection.hash}#${rejection.omitted ? rejection.field : ''}`,
            ...rejection,
            expiresAt: expiresAt(PART_DAYS),
          }),
        ),
      );
    },
    rejections: async (run, limit) => {
      const found: Rejection[] = [];
      for await (const page of query(db, table, runKey(run), 'rejection#')) {
        found.push(...page.map((item) => Rejection.parse(item)));
        if (found.length >= limit) break;
      }
      return found.slice(0, limit);
    },
    claim: (destination, intent) => claim(db, table, clock, destination, intent),
    putIntent: async (destination, intent) => {
      await put({ pk: intentsKey(destination), sk: intent.id, ...intent });
    },
    endLease: async (destination, id) => {
      await succeeded(
        db.send(
          new UpdateCommand({
            TableName: table,
            Key: { pk: intentsKey(destination), sk: id },
            UpdateExpression: 'SET leaseUntil = :ended, uncertain = :uncertain',
            ConditionExpression: 'attribute_exists(pk)',
            ExpressionAttributeValues: { ':ended': 0, ':uncertain': true },
          }),
        ),
      );
    },
    deleteIntent: async (destination, id) => {
      await db.send(new DeleteCommand({ TableName: table, Key: { pk: intentsKey(destination), sk: id } }));
    },
    intents: async function* (destination) {
      for await (const page of query(db, table, intentsKey(destination), ''))
        for (const item of page) yield Intent.parse(item);
    },
  };
}

type Condition = { ConditionExpression?: string; ExpressionAttributeValues?: Record<string, unknown> };

const holdItem = (destination: string, hold: Hold) => ({
  pk: destinationKey(destination),
  sk: holdSk(hold.effect),
  ...hold,
  expiresAt: Math.floor((hold.heldAt + HOLD_DAYS * DAY_MS) / SECOND_MS),
});

const shardItem = (run: string, shard: Shard, expiresAt: number) => ({
  pk: runKey(run),
  sk: `shard#${two(shard.shard)}`,
  ...shard,
  expiresAt,
});

function changeInput(
  table: string,
  { destination, run }: Pick<Run, 'destination' | 'run'>,
  changes: Partial<Run>,
  { status, phase }: { readonly status: readonly RunStatus[]; readonly phase?: Phase },
) {
  const entries = Object.entries(changes);
  return {
    TableName: table,
    Key: { pk: destinationKey(destination), sk: runKey(run) },
    UpdateExpression: `SET ${entries.map((_, index) => `#c${index} = :c${index}`).join(', ')}`,
    ConditionExpression: `#status IN (${status.map((_, index) => `:s${index}`).join(', ')})${phase ? ' AND #phase = :phase' : ''}`,
    ExpressionAttributeNames: {
      ...Object.fromEntries(entries.map(([name], index) => [`#c${index}`, name])),
      '#status': 'status',
      ...(phase ? { '#phase': 'phase' } : {}),
    },
    ExpressionAttributeValues: {
      ...Object.fromEntries(entries.map(([, value], index) => [`:c${index}`, value])),
      ...Object.fromEntries(status.map((value, index) => [`:s${index}`, value])),
      ...(phase ? { ':phase': phase } : {}),
    },
  };
}

function settleInput(
  table: string,
  key: BatchKey,
  outcome: BatchOutcome,
  unresolved: boolean,
  nowMs: number,
  expiresAt: number,
) {
  const counts = Object.entries(outcome).filter(([, count]) => count > 0);
  const accepted = outcome.accepted + outcome.deleted > 0;
  return {
    TableName: table,
    Key: { pk: runKey(key.run), sk: settlementSk(key) },
    UpdateExpression: [
      `SET settledAt = :now, expiresAt = :expiresAt${accepted ? ', acceptedAt = :now' : ''}`,
      `ADD settled :seqs${unresolved ? ', unresolved :seqs' : ''}${counts.map((_, index) => `, #n${index} :n${index}`).join('')}`,
    ].join(' '),
    ConditionExpression: 'NOT contains(settled, :seq)',
    ...(counts.length > 0
      ? { ExpressionAttributeNames: Object.fromEntries(counts.map(([name], index) => [`#n${index}`, name])) }
      : {}),
    ExpressionAttributeValues: {
      ':seq': key.seq,
      ':seqs': new Set([key.seq]),
      ':now': nowMs,
      ':expiresAt': expiresAt,
      ...Object.fromEntries(counts.map(([, count], index) => [`:n${index}`, count])),
    },
  };
}

async function batchView(
  db: DynamoDBDocumentClient,
  table: string,
  clock: Clock,
  destination: string,
  key: BatchKey,
): Promise<BatchView> {
  const keys = [
    { pk: destinationKey(destination), sk: runKey(key.run) },
    { pk: runKey(key.run), sk: `shard#${two(key.shard)}` },
    { pk: runKey(key.run), sk: settlementSk(key) },
  ];
  const items = await batchGet(db, table, clock, keys);
  const find = ({ pk, sk }: { pk: string; sk: string }) => items.find((item) => item.pk === pk && item.sk === sk);
  const [runItem, shardItem, settlementItem] = keys.map(find);
  return {
    run: runItem && Run.parse(runItem),
    shard: shardItem && Shard.parse(shardItem),
    settled: settlementItem === undefined ? 'no' : settledAs(Settlement.parse(settlementItem), key.seq),
  };
}

function settledAs({ settled, unresolved }: Settlement, seq: number): BatchView['settled'] {
  if (!settled.has(seq)) return 'no';
  return unresolved.has(seq) ? 'unresolved' : 'resolved';
}

/** BatchGetItem takes 100 keys. Source: Amazon DynamoDB API Reference, 'BatchGetItem'. */
const KEYS_PER_CALL = 100;

async function batchGet(
  db: DynamoDBDocumentClient,
  table: string,
  clock: Clock,
  keys: readonly Record<string, unknown>[],
): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let left: Record<string, unknown>[] = [...keys];
  for (let attempt = 1; left.length > 0; attempt++) {
    const Keys = left.slice(0, KEYS_PER_CALL);
    const answer = await db.send(new BatchGetCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }));
    items.push(...(answer.Responses?.[table] ?? []));
    left = [...left.slice(KEYS_PER_CALL), ...(answer.UnprocessedKeys?.[table]?.Keys ?? [])];
    if (left.length > 0) await clock.sleep(backoffMs(clock, attempt, 50, 5 * SECOND_MS));
  }
  return items;
}

async function claim(
  db: DynamoDBDocumentClient,
  table: string,
  clock: Clock,
  destination: string,
  intent: Intent,
): Promise<Claim> {
  const item = { pk: intentsKey(destination), sk: intent.id, ...intent };
  const whenFree = {
    ConditionExpression: 'attribute_not_exists(pk)',
  };
  if (await succeeded(db.send(new PutCommand({ TableName: table, Item: item, ...whenFree })))) return 'new';
  // The records that an earlier attempt may have sent stay in the intent: only its lease is taken over.
  const taken = await succeeded(
    db.send(
      new UpdateCommand({
        TableName: table,
        Key: { pk: item.pk, sk: item.sk },
        UpdateExpression: 'SET leaseUntil = :until, uncertain = :uncertain',
        ConditionExpression: 'leaseUntil < :now',
        ExpressionAttributeValues: { ':until': intent.leaseUntil, ':uncertain': true, ':now': clock.now() },
      }),
    ),
  );
  return taken ? 'again' : 'leased';
}

/** Yields the pages of a partition's items whose sort key begins with a prefix, after the sort key given. */
async function* query(
  db: DynamoDBDocumentClient,
  table: string,
  pk: string,
  prefix: string,
  after?: string,
): AsyncGenerator<unknown[]> {
  let start: Record<string, unknown> | undefined = after === undefined ? undefined : { pk, sk: after };
  do {
    const answer = await db.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: prefix === '' ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': pk, ...(prefix === '' ? {} : { ':prefix': prefix }) },
        ConsistentRead: true,
        ...(start ? { ExclusiveStartKey: start } : {}),
      }),
    );
    yield answer.Items ?? [];
    start = answer.LastEvaluatedKey;
  } while (start);
}
