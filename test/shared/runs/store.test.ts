import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type LocalDynamo, startDynamo } from '../../../local/dynamodb.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import {
  type HeldList,
  type Hold,
  type Intent,
  NO_OUTCOME,
  type Rejection,
  type RunStatus,
  Totals,
} from '../../../shared/runs/model.ts';
import { type BatchKey, dynamoRuns, intentId, type RunStore, runTime } from '../../../shared/runs/store.ts';
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
      approvals: [
        { effect: 'deletions', by: 'ann', shownIn: 'r0' },
        { effect: 'budget', by: 'bob', dataPoints: 7 },
      ],
      discards: [{ effect: 'group:8f2b', shownIn: 'r0' }],
      held: [{ effect: 'attribute:größe:😀', records: 3, of: 4, because: 'x', samples: [recordHash('a')] }],
      resync: 'groups',
      rekey: true,
      counts: false,
      touchedAt: START_MS,
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
    const error = { found: 'a', next: 'b' };
    const changes = { status: 'failing', phase: 'draining', counts: true, error } as const;
    expect(await store.change(run, changes, { status, ...(phase ? { phase } : {}) })).toBe(isChanged);
    expect(await store.get(run.destination, run.run)).toEqual(isChanged ? { ...run, ...changes } : run);
  });

  test('that does not exist is not changed, nor made', async () => {
    const run = runOf(newNames());
    expect(await store.change(run, { counts: true }, { status: ['running'] })).toBe(false);
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
    await store.putHeldList(run, heldList());
    await store.putHold(destination, holdOf());
    await store.putRejections(run, [rejection('a')]);
    await store.settle({ run, shard: 0, seq: 0 }, NO_OUTCOME, false);
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
      hold: inDays(30),
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
    const keys = [...[0, 1, 2, 98, 99, 100, 199, 200].map((seq) => keyOf(run, { seq })), keyOf(run, { shard: 1 })];
    const settled = await Promise.all([...keys, ...keys].map((key) => store.settle(key, outcome, false)));
    expect(trues(settled)).toBe(keys.length);
    const items = await store.settlements(run);
    expect(items.reduce((sum, { settled }) => sum + settled.size, 0)).toBe(keys.length);
    expect(items.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(3 * keys.length);
    expect(items).toHaveLength(4);
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
    const view = async (seq: number) => store.batch(destination, keyOf(run, { seq }));
    expect(await view(0)).toEqual({ run: runOf({ run, destination }), shard: shardOf(), settled: 'no' });
    expect((await view(1)).settled).toBe('resolved');
    expect((await view(2)).settled).toBe('unresolved');
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

const heldList = (more: Partial<HeldList> = {}, ...keys: string[]): HeldList => ({
  ...{ effect: 'deletions', shard: 0, seq: 0 },
  hashes: new Uint8Array(Buffer.from(keys.map(recordHash).join(''), 'hex')),
  ...more,
});

describe('the record hashes of a held effect', () => {
  test('are those of all its lists, of that run and that effect only', async () => {
    const [one, other] = [newNames(), newNames()];
    await store.putHeldList(one.run, heldList({}, 'a', 'b'));
    await store.putHeldList(one.run, heldList({ seq: 1 }, 'c'));
    await store.putHeldList(one.run, heldList({ shard: 63 }, 'd', 'a'));
    await store.putHeldList(one.run, heldList({ effect: '1' }, 'e'));
    await store.putHeldList(one.run, heldList({ effect: '12', seq: 1 }, 'f'));
    await store.putHeldList(other.run, heldList({}, 'g'));
    const hashesOf = async (run: string, effect: string) => [...(await store.heldHashes(run, effect))].sort();
    expect(await hashesOf(one.run, 'deletions')).toEqual(['a', 'b', 'c', 'd'].map(recordHash).sort());
    expect(await hashesOf(one.run, '1')).toEqual([recordHash('e')]);
    expect(await hashesOf(one.run, '12')).toEqual([recordHash('f')]);
    expect(await hashesOf(other.run, 'deletions')).toEqual([recordHash('g')]);
    expect(await hashesOf(other.run, '1')).toEqual([]);
  });

  test('are written over by a reading that comes again', async () => {
    const { run } = newNames();
    await store.putHeldList(run, heldList({}, 'a', 'b', 'c'));
    await store.putHeldList(run, heldList({}, 'a'));
    expect(await store.heldHashes(run, 'deletions')).toEqual(new Set([recordHash('a')]));
  });

  test('come whole when there is more than a query gives', async () => {
    const { run } = newNames();
    const keys = (seq: number) => Array.from({ length: 5000 }, (_, n) => `${seq} ${n}`);
    for (let seq = 0; seq < 15; seq++) await store.putHeldList(run, heldList({ seq }, ...keys(seq)));
    expect((await store.heldHashes(run, 'deletions')).size).toBe(15 * 5000);
  });
});

const holdOf = (more: Partial<Hold> = {}): Hold => ({
  ...{ effect: 'deletions', records: 3, of: 10, because: 'too many', samples: [recordHash('a')] },
  ...{ run: 'r0', heldAt: START_MS },
  ...more,
});

describe('what is held of a destination', () => {
  const GROUP = 'group:8f2b5c1e-0000-4000-8000-000000000001';

  test('is one hold an effect, the one that was put last, until it is deleted', async () => {
    const { destination } = newNames();
    expect(await store.holds(destination)).toEqual([]);
    const budget = holdOf({ effect: 'budget', dataPoints: 7, records: 5 });
    const leavers = holdOf({ effect: GROUP, discardedBy: 'ann' });
    for (const hold of [holdOf(), leavers, budget, holdOf({ effect: 'attribute:größe#1', records: 4 })])
      await store.putHold(destination, hold);
    await store.putHold(destination, holdOf({ run: 'r1', records: 1 }));
    await store.putHold(newNames().destination, holdOf({ effect: 'attribute:other' }));
    const found = await store.holds(destination);
    expect(found).toHaveLength(4);
    expect(found).toEqual(
      expect.arrayContaining([
        holdOf({ run: 'r1', records: 1 }),
        leavers,
        budget,
        holdOf({ effect: 'attribute:größe#1', records: 4 }),
      ]),
    );
    for (const effect of ['budget', 'attribute:größe#1', 'deletions', 'deletions'] as const)
      await store.deleteHold(destination, effect);
    expect(await store.holds(destination)).toEqual([leavers]);
  });

  test('is held no more after 30 days, whether or not DynamoDB has deleted it by then', async () => {
    const { destination } = newNames();
    await store.putHold(destination, holdOf({ heldAt: START_MS - 29 * DAY_MS }));
    await store.putHold(destination, holdOf({ effect: 'budget' }));
    clock.advance(DAY_MS - 1);
    expect(await store.holds(destination)).toHaveLength(2);
    clock.advance(1);
    expect(await store.holds(destination)).toEqual([holdOf({ effect: 'budget' })]);
  });
});

describe('what runs have cost', () => {
  test('is summed over those that started since a time', async () => {
    const { destination } = newNames();
    const [costs, none] = [newNames(), newNames()];
    const since = START_MS - DAY_MS;
    const at = (startedAt: number, dataPoints: number | undefined) =>
      store.create(
        runOf({
          run: `${runTime(startedAt)}-abc`,
          destination,
          startedAt,
          ...(dataPoints === undefined ? {} : { totals: Totals.parse({ dataPoints }) }),
        }),
      );
    await at(since - 1, 1000);
    await at(since, 1);
    await at(since + 1, 20);
    await at(START_MS, 300);
    await at(START_MS + 1, undefined);
    await store.create(runOf({ ...costs, totals: Totals.parse({ dataPoints: 5000 }) }));
    await store.open(destination, 'x', 'x');
    expect(await store.spentSince(destination, since)).toBe(321);
    expect(await store.spentSince(destination, START_MS + 1)).toBe(0);
    expect(await store.spentSince(none.destination, since)).toBe(0);
  });
});

test('those of many destinations are told that have a run open', async () => {
  const names = Array.from({ length: 120 }, () => newNames().destination);
  const [first = '', ended = '', last = ''] = [names[0], names[50], names[119]];
  for (const name of [first, ended, last]) await store.open(name, 'r', 'x');
  await store.free(ended, 'r');
  expect(await store.running(names)).toEqual([first, last]);
  expect(await store.running([])).toEqual([]);
});

test('every destination that had a run is known, however it ended', async () => {
  const [ended, open, never] = [newNames().destination, newNames().destination, newNames().destination];
  await store.open(ended, 'r', 'x');
  await store.free(ended, 'r');
  await store.open(open, 'r', 'x');
  await store.state(never);
  const known = await store.destinations();
  expect(known).toEqual(expect.arrayContaining([ended, open]));
  expect(known).not.toContain(never);
});

describe('the ledger of a destination', () => {
  test('takes what waits for a person along, and what was discarded', async () => {
    const [from, to] = [newNames().destination, newNames().destination];
    const holds = [holdOf({ effect: 'budget' }), holdOf({ effect: 'deletions', discardedBy: 'ann' })];
    for (const hold of holds) await store.putHold(from, hold);
    await store.carryLedger(from, to, from);
    expect(await store.holds(to)).toEqual(holds);
    expect(await store.holds(from)).toEqual([]);
  });

  test('goes to the destination that it is renamed to, and back', async () => {
    const [from, to] = [newNames().destination, newNames().destination];
    await store.open(from, 'r', 'x');
    await store.free(from, 'r');
    await store.carryLedger(from, to, from);
    expect(await store.state(to)).toEqual({ lastClosedAt: START_MS, ledger: from, formerly: [from] });
    expect(await store.state(from)).toEqual({ lastClosedAt: START_MS, carriedTo: to });
    await store.carryLedger(to, from, from);
    expect(await store.state(from)).toEqual({ lastClosedAt: START_MS, ledger: from, formerly: [to] });
    const carried = { carriedTo: from, formerly: [from] };
    expect(await store.state(to)).toEqual({ lastClosedAt: START_MS, ledger: from, ...carried });
  });

  test('goes there once, however often that is asked for', async () => {
    const [from, to] = [newNames().destination, newNames().destination];
    await store.carryLedger(from, to, from);
    await store.open(to, 'r', 'x');
    await store.free(to, 'r');
    await store.carryLedger(from, to, from);
    expect(await store.state(to)).toEqual({ lastClosedAt: START_MS, ledger: from, formerly: [from] });
    expect((await store.state(from)).carriedTo).toBe(to);
  });

  test('stays named while runs open and close', async () => {
    const [from, to] = [newNames().destination, newNames().destination];
    await store.carryLedger(from, to, from);
    await store.open(to, 'r', 'x');
    expect((await store.state(to)).ledger).toBe(from);
    await store.free(to, 'r');
    expect(await store.state(to)).toEqual({ lastClosedAt: START_MS, ledger: from, formerly: [from] });
  });
});

const rejection = (key: string, more: Partial<Rejection> = {}): Rejection => ({
  hash: recordHash(key),
  field: 'email',
  reason: 'is no valid email address',
  rows: 1,
  omitted: false,
  tries: 1,
  ...more,
});

test('rejections are one a record, and one an omitted field; writing them again changes nothing', async () => {
  const { run } = newNames();
  const all = [
    rejection('a'),
    rejection('b', { omitted: true, field: 'x' }),
    rejection('b', { omitted: true, field: 'y' }),
    rejection('c', { field: '', reason: 'é😀', tries: 3, since: START_MS }),
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
  const key = { run, shard: 0, seq };
  return {
    ...key,
    kind: 'upsert',
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
    const key = { run: 'r', shard: 1, seq: 2 };
    const ids = [
      intentId(key, 'e'),
      intentId(key, 'f'),
      intentId({ ...key, seq: 3 }, 'e'),
      intentId({ ...key, shard: 2 }, 'e'),
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
