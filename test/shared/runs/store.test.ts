import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type LocalDynamo, startDynamo } from '../../../local/dynamodb.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { type Intent, NO_OUTCOME, type Rejection, type RunStatus } from '../../../shared/runs/model.ts';
import { type BatchKey, dynamoRuns, intentId, type RunStore } from '../../../shared/runs/store.ts';
import { DAY_MS, MINUTE_MS } from '../../../shared/time.ts';
import { type FakeClock, fakeClock, START_MS } from '../fake-clock.ts';
import { runOf, shardOf } from './runs.ts';

const TABLE = 'runs';
let dynamo: LocalDynamo;
let clock: FakeClock;
let store: RunStore;
beforeAll(async () => {
  dynamo = await startDynamo();
  await dynamo.create([
    {
      name: TABLE,
      keys: [
        { name: 'pk', type: 'HASH' },
        { name: 'sk', type: 'RANGE' },
      ],
      attributes: [
        { name: 'pk', type: 'S' },
        { name: 'sk', type: 'S' },
      ],
    },
  ]);
});
afterAll(() => dynamo.close());
beforeEach(() => {
  clock = fakeClock();
  store = dynamoRuns(dynamo.client, TABLE, clock);
});

let names = 0;
/** Each test has a run and a destination of its own. */
const newNames = () => ({ run: `r${++names}`, destination: `d${names}` });
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};
const trues = (answers: readonly boolean[]): number => answers.filter((answer) => answer).length;

describe('a destination', () => {
  test('is free at first, is opened by one of many starts, and is freed by the run that has it', async () => {
    const { destination } = newNames();
    expect(await store.state(destination)).toEqual({ lastClosedAt: 0 });
    const opened = await Promise.all(['a', 'b', 'c', 'd'].map((run) => store.open(destination, run, `by ${run}`)));
    expect(trues(opened)).toBe(1);
    const { open = '' } = await store.state(destination);
    expect(await store.state(destination)).toEqual({
      open,
      execution: `by ${open}`,
      openedAt: START_MS,
      lastClosedAt: 0,
    });
    await store.free(destination, 'another');
    expect((await store.state(destination)).open).toBe(open);
    clock.advance(MINUTE_MS);
    await store.free(destination, open);
    expect(await store.state(destination)).toEqual({ lastClosedAt: START_MS + MINUTE_MS });
    await store.free(destination, open);
    expect(await store.open(destination, 'e', 'x')).toBe(true);
    expect((await store.state(destination)).lastClosedAt).toBe(START_MS + MINUTE_MS);
  });

  test.each([
    ['the one that is open', 'old', true],
    ['another one', 'older', false],
  ])('is taken over from %s: %s, %p', async (_, replaced, taken) => {
    const { destination } = newNames();
    await store.open(destination, 'old', 'x');
    expect(await store.open(destination, 'new', 'y', replaced)).toBe(taken);
    expect((await store.state(destination)).open).toBe(taken ? 'new' : 'old');
  });

  test('is taken over once, when many try at the same time', async () => {
    const { destination } = newNames();
    await store.open(destination, 'old', 'x');
    const taken = await Promise.all(['a', 'b', 'c'].map((run) => store.open(destination, run, run, 'old')));
    expect(trues(taken)).toBe(1);
  });
});

describe('a run', () => {
  test('is created once and comes back as it was', async () => {
    const run = runOf({
      ...newNames(),
      columns: [
        ['id', 'int4'],
        ['größe 😀', 'varchar'],
      ],
      approveDeletions: true,
      error: { found: 'x', next: 'y' },
      totals: undefined,
    });
    expect(await store.create(run)).toBe(true);
    expect(await store.create({ ...run, status: 'failed' })).toBe(false);
    const { totals: _, ...expected } = run;
    expect(await store.get(run.destination, run.run)).toEqual(expected);
    expect(await store.get(run.destination, 'other')).toBeUndefined();
    expect(await store.get('other', run.run)).toBeUndefined();
  });

  test.each<[string, readonly RunStatus[], 'extracting' | 'draining' | undefined, boolean]>([
    ['its status is one of those', ['failing', 'running'], undefined, true],
    ['its status is none of those', ['failing', 'held'], undefined, false],
    ['its phase is the one', ['running'], 'extracting', true],
    ['its phase is another', ['running'], 'draining', false],
    ['its phase is right and its status is not', ['failing'], 'extracting', false],
  ])('is changed while it is as it should be: %s', async (_, status, phase, isChanged) => {
    const run = runOf(newNames());
    await store.create(run);
    const changes = { status: 'failing', phase: 'draining', released: true, error: { found: 'a', next: 'b' } } as const;
    expect(await store.change(run, changes, { status, ...(phase ? { phase } : {}) })).toBe(isChanged);
    expect(await store.get(run.destination, run.run)).toEqual(isChanged ? { ...run, ...changes } : run);
  });

  test('that does not exist is not changed, nor made', async () => {
    const run = runOf(newNames());
    expect(await store.change(run, { released: true }, { status: ['running'] })).toBe(false);
    expect(await store.get(run.destination, run.run)).toBeUndefined();
  });

  test('keeps the first failure of many', async () => {
    const run = runOf(newNames());
    await store.create(run);
    const changed = await Promise.all(
      [1, 2, 3].map((n) =>
        store.change(run, { status: 'failing', error: { found: `${n}`, next: '' } }, { status: ['running'] }),
      ),
    );
    expect(trues(changed)).toBe(1);
    expect((await store.get(run.destination, run.run))?.error?.found).toBe(String(1 + changed.indexOf(true)));
  });

  test('is among the latest of its destination, newest first', async () => {
    const { destination } = newNames();
    for (const run of ['20260101T000000000Z-a', '20260103T000000000Z-c', '20260102T000000000Z-b'])
      await store.create(runOf({ run, destination }));
    await store.open(destination, 'x', 'x');
    expect((await store.latest(destination, 2)).map(({ run }) => run.slice(-1))).toEqual(['c', 'b']);
    expect(await store.latest(newNames().destination, 2)).toEqual([]);
  });

  test('expires a quarter after its start, its parts after a month, and what must never be lost does not', async () => {
    const { run, destination } = newNames();
    await store.open(destination, run, 'x');
    await store.create(runOf({ run, destination }));
    await store.createShard(run, shardOf());
    await store.putHeld(run, { shard: 0, seq: 0, records: [] });
    await store.putRejections(run, [rejection('a')]);
    await store.settle({ run, shard: 0, kind: 'upsert', seq: 0 }, NO_OUTCOME, false);
    await store.putIntent(destination, intentOf(run, 0));
    const expiries = new Map<string, number | undefined>();
    for (const pk of [`destination#${destination}`, `run#${run}`, `intents#${destination}`]) {
      for (const item of await itemsOf(pk)) expiries.set(item.sk.replace(/#.*/, ''), item.expiresAt);
    }
    const inDays = (days: number) => Math.floor((START_MS + days * DAY_MS) / 1000);
    expect(Object.fromEntries(expiries)).toEqual({
      state: undefined,
      run: inDays(90),
      shard: inDays(30),
      held: inDays(30),
      rejection: inDays(30),
      settled: inDays(30),
      [run]: undefined,
    });
  });
});

const Item = z.object({ sk: z.string(), expiresAt: z.number().optional() });
const itemsOf = async (pk: string) => {
  const answer = await dynamo.client.send(
    new QueryCommand({
      TableName: TABLE,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
    }),
  );
  return (answer.Items ?? []).map((item) => Item.parse(item));
};

describe('a shard', () => {
  test('is created once, and moved by one of many that find it at the same place', async () => {
    const { run } = newNames();
    const shard = shardOf({ shard: 7, epochs: [{ epoch: 'e1', from: 0 }] });
    expect(await store.createShard(run, shard)).toBe(true);
    expect(await store.createShard(run, { ...shard, done: true })).toBe(false);
    expect(await store.shard(run, 7)).toEqual(shard);
    const next = { ...shard, progress: 1, after: 'ab', token: 't', batches: 3 };
    const moved = await Promise.all([1, 2, 3].map((n) => store.moveShard(run, { ...next, after: `${n}` }, 0)));
    expect(trues(moved)).toBe(1);
    expect((await store.shard(run, 7))?.after).toBe(String(1 + moved.indexOf(true)));
    expect(await store.moveShard(run, { ...next, progress: 2, done: true }, 1)).toBe(true);
    expect(await store.shard(run, 7)).toEqual({ ...next, progress: 2, done: true });
  });

  test('that does not exist is not moved', async () => {
    const { run } = newNames();
    expect(await store.moveShard(run, shardOf(), 0)).toBe(false);
    expect(await store.shard(run, 0)).toBeUndefined();
  });

  test('is one of the run’s own, in order', async () => {
    const [one, other] = [newNames(), newNames()];
    for (const shard of [10, 2, 63, 0]) await store.createShard(one.run, shardOf({ shard }));
    await store.createShard(other.run, shardOf({ shard: 1 }));
    expect((await store.shards(one.run)).map(({ shard }) => shard)).toEqual([0, 2, 10, 63]);
  });
});

const outcome = { ...NO_OUTCOME, accepted: 3, rejected: 1, requests: 1 };

describe('a batch', () => {
  const keyOf = (run: string, more: Partial<BatchKey> = {}): BatchKey => ({
    run,
    shard: 0,
    kind: 'upsert',
    seq: 0,
    ...more,
  });

  test('is settled by one of many deliveries, and counted once', async () => {
    const { run } = newNames();
    const settled = await Promise.all(Array.from({ length: 6 }, () => store.settle(keyOf(run), outcome, false)));
    expect(trues(settled)).toBe(1);
    expect(await store.settlements(run)).toEqual([
      { ...outcome, settled: new Set([0]), unresolved: new Set(), acceptedAt: START_MS, settledAt: START_MS },
    ]);
  });

  test('adds up with all others that are settled at the same time, over items of a hundred', async () => {
    const { run } = newNames();
    const keys = [
      ...[0, 1, 2, 98, 99, 100, 199, 200].map((seq) => keyOf(run, { seq })),
      ...[0, 1, 100].map((seq) => keyOf(run, { seq, kind: 'remove' })),
      keyOf(run, { shard: 1 }),
    ];
    const settled = await Promise.all([...keys, ...keys].map((key) => store.settle(key, outcome, false)));
    expect(trues(settled)).toBe(keys.length);
    const items = await store.settlements(run);
    expect(items.reduce((sum, { settled }) => sum + settled.size, 0)).toBe(keys.length);
    expect(items.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(3 * keys.length);
    expect(items).toHaveLength(6);
  });

  test('of any kind but removals is numbered with the others', async () => {
    const { run } = newNames();
    expect(await store.settle(keyOf(run, { kind: 'upsert', seq: 4 }), outcome, false)).toBe(true);
    expect(await store.settle(keyOf(run, { kind: 'forget', seq: 4 }), outcome, false)).toBe(false);
    expect(await store.settle(keyOf(run, { kind: 'remove', seq: 4 }), outcome, false)).toBe(true);
  });

  test.each([
    ['accepted', { accepted: 1 }, START_MS],
    ['deleted', { deleted: 1 }, START_MS],
    ['rejected', { rejected: 1 }, 0],
    ['undelivered', { undelivered: 1 }, 0],
    ['of nothing', {}, 0],
  ])('whose records were %s tells when Braze last took something', async (_, more, acceptedAt) => {
    const { run } = newNames();
    await store.settle(keyOf(run), { ...NO_OUTCOME, ...more }, false);
    expect(await store.settlements(run)).toMatchObject([{ acceptedAt, settledAt: START_MS }]);
  });

  test('is seen with its run, its shard and whether it is settled', async () => {
    const { run, destination } = newNames();
    expect(await store.batch(destination, keyOf(run))).toEqual({ run: undefined, shard: undefined, settled: 'no' });
    await store.create(runOf({ run, destination }));
    await store.createShard(run, shardOf());
    await store.settle(keyOf(run, { seq: 1 }), outcome, false);
    await store.settle(keyOf(run, { seq: 2 }), outcome, true);
    const view = async (seq: number, kind: BatchKey['kind'] = 'upsert') =>
      store.batch(destination, keyOf(run, { seq, kind }));
    expect(await view(0)).toEqual({ run: runOf({ run, destination }), shard: shardOf(), settled: 'no' });
    expect((await view(1)).settled).toBe('resolved');
    expect((await view(2)).settled).toBe('unresolved');
    expect((await view(1, 'remove')).settled).toBe('no');
  });

  test('is seen whole when DynamoDB gives only a part at a time', async () => {
    const { run, destination } = newNames();
    await store.create(runOf({ run, destination }));
    await store.createShard(run, shardOf());
    await store.settle(keyOf(run), outcome, false);
    const BatchGet = z.object({ RequestItems: z.object({ [TABLE]: z.looseObject({ Keys: z.array(z.unknown()) }) }) });
    dynamo.client.middlewareStack.add(
      (next) => async (args) => {
        const asked = BatchGet.safeParse(args.input).data?.RequestItems[TABLE];
        if (!asked) return next(args);
        const [first, ...left] = asked.Keys;
        Object.assign(args.input, { RequestItems: { [TABLE]: { ...asked, Keys: [first] } } });
        const result = await next(args);
        if (left.length > 0) Object.assign(result.output, { UnprocessedKeys: { [TABLE]: { ...asked, Keys: left } } });
        return result;
      },
      { step: 'initialize', name: 'part', priority: 'low' },
    );
    const view = await store.batch(destination, keyOf(run));
    dynamo.client.middlewareStack.remove('part');
    expect(view).toMatchObject({ run: { run }, shard: { shard: 0 }, settled: 'resolved' });
    expect(clock.slept).toHaveLength(2);
  });
});

describe('held removals', () => {
  const held = (shard: number, seq: number, more = 1) => ({
    shard,
    seq,
    records: Array.from({ length: more }, (_, n) => ({
      h: recordHash(`${n}`),
      k: `k${n}`,
      s: ['g'],
      i: [1, 2],
      f: 'AQ==',
    })),
  });

  test('come in order of shard and number, after any of them', async () => {
    const { run } = newNames();
    const places: [number, number][] = [
      [0, 0],
      [0, 1],
      [0, 9],
      [0, 10],
      [0, 100],
      [2, 0],
      [10, 0],
      [63, 5],
    ];
    for (const [shard, seq] of [...places].reverse()) await store.putHeld(run, held(shard, seq));
    await store.putHeld(newNames().run, held(1, 1));
    const all = await collect(store.held(run));
    expect(all.map(({ batch }) => [batch.shard, batch.seq])).toEqual(places);
    expect(all[0]?.batch).toEqual(held(0, 0));
    for (const [index, { id }] of all.entries()) {
      expect((await collect(store.held(run, id))).map(({ batch }) => [batch.shard, batch.seq])).toEqual(
        places.slice(index + 1),
      );
    }
  });

  test('are written over by a reading that comes again', async () => {
    const { run } = newNames();
    await store.putHeld(run, held(0, 0, 3));
    await store.putHeld(run, held(0, 0, 1));
    expect((await collect(store.held(run))).map(({ batch }) => batch.records.length)).toEqual([1]);
  });

  test('come whole when there is more than a query gives', async () => {
    const { run } = newNames();
    const records = Array.from({ length: 50 }, (_, n) => ({
      h: recordHash(`${n}`),
      k: 'é'.repeat(490),
      s: [],
      i: [1],
      f: 'A'.repeat(2000),
    }));
    for (let seq = 0; seq < 10; seq++) await store.putHeld(run, { shard: 0, seq, records });
    expect((await collect(store.held(run))).map(({ batch }) => batch.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

const rejection = (key: string, more: Partial<Rejection> = {}): Rejection => ({
  hash: recordHash(key),
  field: 'email',
  reason: 'is no valid email address',
  rows: 1,
  omitted: false,
  ...more,
});

test('rejections are one a record, and one an omitted field; writing them again changes nothing', async () => {
  const { run } = newNames();
  const all = [
    rejection('a'),
    rejection('b', { omitted: true, field: 'x' }),
    rejection('b', { omitted: true, field: 'y' }),
    rejection('c', { field: '', reason: 'é😀' }),
    { ...rejection(''), hash: '', rows: 7 },
  ];
  await store.putRejections(run, all);
  await store.putRejections(run, all);
  await store.putRejections(run, []);
  const found = await store.rejections(run, 100);
  const inOrder = (rejections: readonly Rejection[]) =>
    rejections.map((each) => JSON.stringify(each, Object.keys(each).sort())).sort();
  expect(inOrder(found)).toEqual(inOrder(all));
  expect(await store.rejections(run, 2)).toHaveLength(2);
});

const intentOf = (run: string, seq: number, more: Partial<Intent> = {}): Intent => {
  const key = { run, shard: 0, kind: 'upsert', seq } as const;
  return {
    ...key,
    id: intentId(key, 'e'),
    leaseUntil: START_MS + MINUTE_MS,
    uncertain: false,
    primaryKeys: ['ann', 'déjà'],
    fields: [[1, 2], []],
    deletes: false,
    ...more,
  };
};

describe('an intent', () => {
  test('has an id of its own for each batch and each reading', () => {
    const key = { run: 'r', shard: 1, kind: 'upsert', seq: 2 } as const;
    const ids = [
      intentId(key, 'e'),
      intentId(key, 'f'),
      intentId({ ...key, seq: 3 }, 'e'),
      intentId({ ...key, shard: 2 }, 'e'),
      intentId({ ...key, kind: 'remove' }, 'e'),
      intentId({ ...key, run: 's' }, 'e'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is claimed by one of many, and by nobody else while its lease lasts', async () => {
    const { run, destination } = newNames();
    const claims = await Promise.all(Array.from({ length: 5 }, () => store.claim(destination, intentOf(run, 0))));
    expect(claims.sort()).toEqual(['leased', 'leased', 'leased', 'leased', 'new']);
    clock.advance(MINUTE_MS);
    expect(await store.claim(destination, intentOf(run, 0))).toBe('leased');
  });

  test('whose lease is over is claimed again by one of many, and keeps what the first attempt may have sent', async () => {
    const { run, destination } = newNames();
    await store.claim(destination, intentOf(run, 0));
    clock.advance(MINUTE_MS + 1);
    const next = intentOf(run, 0, {
      leaseUntil: clock.now() + MINUTE_MS,
      primaryKeys: ['other'],
      fields: [[9]],
      deletes: true,
    });
    const claims = await Promise.all([1, 2, 3].map(() => store.claim(destination, next)));
    expect(claims.sort()).toEqual(['again', 'leased', 'leased']);
    expect(await collect(store.intents(destination))).toEqual([
      { ...intentOf(run, 0), leaseUntil: clock.now() + MINUTE_MS, uncertain: true },
    ]);
  });

  test('whose lease was ended is claimed again at once', async () => {
    const { run, destination } = newNames();
    const intent = intentOf(run, 0);
    await store.claim(destination, intent);
    await store.endLease(destination, intent.id);
    expect(await store.claim(destination, intent)).toBe('again');
  });

  test('that was deleted is new once more, and its end is no trouble', async () => {
    const { run, destination } = newNames();
    const intent = intentOf(run, 0);
    await store.claim(destination, intent);
    await store.deleteIntent(destination, intent.id);
    await store.deleteIntent(destination, intent.id);
    await store.endLease(destination, intent.id);
    expect(await collect(store.intents(destination))).toEqual([]);
    expect(await store.claim(destination, intent)).toBe('new');
  });

  test('is replaced when more users join it', async () => {
    const { run, destination } = newNames();
    await store.claim(destination, intentOf(run, 0));
    const wider = intentOf(run, 0, { primaryKeys: ['a', 'b', 'c'], fields: [[1], [2], [3]] });
    await store.putIntent(destination, wider);
    expect(await collect(store.intents(destination))).toEqual([wider]);
  });

  test('is listed with all others of its destination, however many', async () => {
    const { run, destination } = newNames();
    const primaryKeys = Array.from({ length: 75 }, (_, n) => `${n}`.padEnd(987, 'x'));
    const intents = Array.from({ length: 16 }, (_, seq) =>
      intentOf(run, seq, { primaryKeys, fields: primaryKeys.map(() => [1, 2, 3]) }),
    );
    await Promise.all(intents.map((intent) => store.putIntent(destination, intent)));
    await store.putIntent(newNames().destination, intentOf(run, 99));
    expect((await collect(store.intents(destination))).map(({ id }) => id)).toEqual(intents.map(({ id }) => id).sort());
  });
});
