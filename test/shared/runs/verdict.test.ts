import type { LocalDynamo } from '../../../local/dynamodb.ts';
import { dictionaryNames } from '../../../shared/diff/row.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { contextOf } from '../../../shared/runs/context.ts';
import { DELETIONS, SENT } from '../../../shared/runs/effects.ts';
import { EffectCounts, type Hold, type Run, type Shard, ShardCounts, Totals } from '../../../shared/runs/model.ts';
import { runTime } from '../../../shared/runs/store.ts';
import { afterReading } from '../../../shared/runs/verdict.ts';
import { HOUR_MS } from '../../../shared/time.ts';
import { START_MS } from '../fake-clock.ts';
import { depsOn, parametersWith, startTables, type TestDeps } from './deps.ts';
import { runOf, shardOf } from './runs.ts';

let dynamo: LocalDynamo;
beforeAll(async () => {
  dynamo = await startTables();
});
afterAll(() => dynamo.close());

let names = 0;

type Setting = {
  readonly run?: Partial<Run>;
  readonly shards?: readonly Partial<Shard>[];
  readonly destination?: Record<string, unknown>;
};

/** A run that has counted to the end, unless told otherwise. */
async function counted({ run: more = {}, shards = [{}], destination = {} }: Setting) {
  const name = `d${++names}`;
  const deps = depsOn(dynamo);
  const context = contextOf(parametersWith({ [name]: destination }), name);
  const key = { run: `${runTime(START_MS)}-${names}`, destination: name };
  await deps.ledger.ensureFields(name, dictionaryNames(context.destination));
  await deps.runs.open(name, key.run, 'x');
  await deps.runs.create(runOf({ ...key, phase: 'counting', counts: true, ledger: name, ...more }));
  for (const [shard, parts] of shards.entries()) {
    await deps.runs.createShard(key.run, shardOf({ shard, pass: 'count', done: true, ...parts }));
  }
  const run = async () => {
    const found = await deps.runs.get(name, key.run);
    if (!found) throw new Error('the run is not there');
    return found;
  };
  return { deps, context, key, run, judge: () => afterReading(deps, context, key) };
}

const counts = (more: Partial<ShardCounts>): ShardCounts => ShardCounts.parse(more);
const removals = (found: number, of = 10): EffectCounts =>
  EffectCounts.parse({
    of: { [DELETIONS]: of },
    found: { [DELETIONS]: found },
    samples: { [DELETIONS]: [recordHash('gone')], [SENT]: [recordHash('sent')] },
  });
const DUE = { counts: counts({ extracted: 10, due: 5, sent: 5, dataPoints: 20 }) };
const holdOf = (more: Partial<Hold>): Hold => ({
  ...{ effect: 'deletions', records: 9, of: 10, because: 'before', samples: [], run: 'before', heldAt: START_MS },
  ...more,
});
const holdsOf = async ({ runs }: TestDeps, destination: string): Promise<Record<string, Hold>> =>
  Object.fromEntries((await runs.holds(destination)).map((hold) => [hold.effect, hold]));

describe('after the counting reading a run', () => {
  test.each<[string, Partial<Shard>[], Partial<Run>]>([
    ['that has a shard to count', [{ ...DUE }, { ...DUE, done: false }], {}],
    ['that has no shards yet', [], {}],
    ['that is failing', [{ ...DUE, done: false }], { status: 'failing' }],
    ['that is preparing', [DUE], { phase: 'preparing' }],
  ])('%s stays where it is', async (_, shards, more) => {
    const { deps, key, run, judge } = await counted({ shards, run: more });
    const before = [await run(), await deps.runs.shards(key.run)];
    await judge();
    expect([await run(), await deps.runs.shards(key.run)]).toEqual(before);
    expect(deps.sent).toEqual([]);
  });

  test('with nothing due ends without reading anything again', async () => {
    const { deps, key, run, judge } = await counted({ shards: [{ counts: counts({ extracted: 10, unchanged: 10 }) }] });
    await judge();
    expect(await run()).toMatchObject({ status: 'succeeded', totals: { extracted: 10, unchanged: 10, sent: 0 } });
    expect(deps.sent).toEqual([]);
    expect((await deps.runs.state(key.destination)).open).toBeUndefined();
  });

  test('with anything due reads every shard again, to send', async () => {
    const read = { ...DUE, after: 'ab', token: 't', progress: 4, held: 0, effects: removals(1) };
    const listed = { ...read, counts: counts({ ...DUE.counts, listed: 3 }) };
    const { deps, key, run, judge } = await counted({ shards: [listed, { ...read, counts: counts({}) }] });
    await judge();
    expect(await run()).toMatchObject({ status: 'running', phase: 'extracting', held: [] });
    const shards = await deps.runs.shards(key.run);
    expect(shards).toEqual([
      shardOf({ pass: 'send', counts: counts({ listed: 3 }), progress: 5, effects: removals(1), movedAt: START_MS }),
      shardOf({ shard: 1, pass: 'send', progress: 5, effects: removals(1), movedAt: START_MS }),
    ]);
    expect(deps.sent).toMatchObject([
      { kind: 'shard', ...key, shard: 0 },
      { kind: 'shard', ...key, shard: 1 },
    ]);
  });

  test('reads each shard again once, however often and by how many that is decided', async () => {
    const { deps, key, run, judge } = await counted({ shards: [DUE, DUE, DUE] });
    await Promise.all([judge(), judge(), judge()]);
    await judge();
    const shards = await deps.runs.shards(key.run);
    expect(shards.map(({ pass, done, progress }) => [pass, done, progress])).toEqual(
      shards.map(() => ['send', false, 1]),
    );
    expect((await run()).phase).toBe('extracting');
    // A shard that has moved on is not set back by a decision that comes late.
    const [first] = shards;
    if (first) await deps.runs.moveShard(key.run, { ...first, progress: 2, after: 'cd' }, 1);
    await judge();
    expect(await deps.runs.shard(key.run, 0)).toMatchObject({ progress: 2, after: 'cd' });
    expect(await run()).toMatchObject({ status: 'running', phase: 'extracting' });
  });

  test('finishes what another one has begun and left', async () => {
    const { deps, key, judge } = await counted({
      run: { phase: 'extracting' },
      shards: [DUE, { ...DUE, pass: 'send', done: false, progress: 7 }],
    });
    await judge();
    expect((await deps.runs.shards(key.run)).map(({ pass, progress }) => [pass, progress])).toEqual([
      ['send', 1],
      ['send', 7],
    ]);
    expect(deps.sent).toHaveLength(2);
  });

  test('drains once all is read to send, and closes', async () => {
    const { run, judge } = await counted({
      run: { phase: 'extracting' },
      shards: [{ pass: 'send', counts: counts({ extracted: 3, unchanged: 3 }) }],
    });
    await judge();
    expect(await run()).toMatchObject({ status: 'succeeded', phase: 'closed', totals: { unchanged: 3 } });
  });
});

describe('what the guards hold', () => {
  test('waits for a person, and the rest is sent', async () => {
    const { deps, key, run, judge } = await counted({
      shards: [{ ...DUE, effects: removals(3) }, { effects: removals(2) }],
    });
    await judge();
    const held = {
      ...{ effect: 'deletions', records: 5, of: 20, samples: [recordHash('gone'), recordHash('gone')] },
      because: '5 removals are held: more than maxPercent (10) of the 20 records in the ledger',
    };
    expect(await run()).toMatchObject({ phase: 'extracting', held: [held] });
    expect(await deps.runs.holds(key.destination)).toEqual([{ ...held, run: key.run, heldAt: START_MS }]);
    expect(deps.logged).toContain('held');
  });

  test('takes the place of what was held before; what is not found any more waits no more', async () => {
    const { deps, key, judge } = await counted({ shards: [{ ...DUE, effects: removals(3) }] });
    await deps.runs.putHold(key.destination, holdOf({ discardedBy: 'ann' }));
    await deps.runs.putHold(key.destination, holdOf({ effect: 'attribute:email' }));
    await deps.runs.putHold(key.destination, holdOf({ effect: 'budget', dataPoints: 7 }));
    await deps.runs.putHold(key.destination, holdOf({ effect: 'attribute:ltv', discardedBy: 'ann' }));
    await judge();
    const holds = await holdsOf(deps, key.destination);
    expect(Object.keys(holds).sort()).toEqual(['attribute:ltv', 'deletions']);
    expect(holds.deletions).toMatchObject({ records: 3, run: key.run });
    expect(holds.deletions).not.toHaveProperty('discardedBy');
    expect(holds['attribute:ltv']).toEqual(holdOf({ effect: 'attribute:ltv', discardedBy: 'ann' }));
  });

  test('is the same, however often it is decided', async () => {
    const { deps, key, run, judge } = await counted({ shards: [{ ...DUE, effects: removals(3) }] });
    await Promise.all([judge(), judge()]);
    const [first, holds] = [await run(), await deps.runs.holds(key.destination)];
    await judge();
    expect([await run(), await deps.runs.holds(key.destination)]).toEqual([first, holds]);
    expect(first.held).toHaveLength(1);
  });
});

describe('a run beyond its budget', () => {
  const destination = { budget: { dataPointsPerRun: 19 } };

  test('ends as held before it sends anything, and what else it found waits for another run', async () => {
    const shards = [{ ...DUE, effects: removals(3) }];
    const { deps, key, run, judge } = await counted({ destination, shards });
    const former = holdOf({ effect: 'attribute:ltv' });
    await deps.runs.putHold(key.destination, former);
    await deps.runs.putHold(key.destination, holdOf({}));
    await judge();
    const held = { effect: 'budget', records: 5, of: 19, dataPoints: 20, samples: [recordHash('sent')] };
    expect(await run()).toMatchObject({
      status: 'held',
      phase: 'closed',
      held: [held],
      totals: { sent: 0, undelivered: 0 },
    });
    expect((await deps.runs.shards(key.run)).map(({ pass }) => pass)).toEqual(['count']);
    expect(deps.sent).toEqual([]);
    const holds = await holdsOf(deps, key.destination);
    expect(holds).toMatchObject({ budget: { ...held, run: key.run }, deletions: holdOf({}), 'attribute:ltv': former });
    expect((await deps.runs.state(key.destination)).open).toBeUndefined();
  });

  test('goes on when a person has approved as much', async () => {
    const approvals: Run['approvals'] = [{ effect: 'budget', by: 'ann', shownIn: 'before', dataPoints: 20 }];
    const { deps, key, run, judge } = await counted({ destination, shards: [DUE], run: { approvals } });
    await deps.runs.putHold(key.destination, holdOf({ effect: 'budget', dataPoints: 20 }));
    await judge();
    expect(await run()).toMatchObject({ phase: 'extracting', held: [] });
    expect(await deps.runs.holds(key.destination)).toEqual([]);
  });

  test('does not pay for NULLs that are held', async () => {
    const { context, deps, key, run, judge } = await counted({ destination, shards: [] });
    const id = (await deps.ledger.dictionary(key.destination))?.idByName.get('a:ltv') ?? 0;
    const effects = EffectCounts.parse({ of: { [id]: 12 }, found: { [id]: 12 } });
    await deps.runs.createShard(key.run, shardOf({ pass: 'count', done: true, ...DUE, effects }));
    expect(context.destination.nullGuard.minRecords).toBeLessThan(12);
    await judge();
    expect(await run()).toMatchObject({ phase: 'extracting', held: [{ effect: 'attribute:ltv', records: 12 }] });
  });

  test('of a day counts what the runs of 24 hours have cost', async () => {
    const daily = { budget: { dataPointsPerDay: 100 } };
    const { deps, key, run, judge } = await counted({ destination: daily, shards: [DUE] });
    for (const [hours, dataPoints] of [
      [25, 1000],
      [23, 40],
      [1, 41],
    ] as const) {
      const at = { run: `${runTime(START_MS - hours * HOUR_MS)}-x`, startedAt: START_MS - hours * HOUR_MS };
      await deps.runs.create(runOf({ ...at, destination: key.destination, totals: Totals.parse({ dataPoints }) }));
    }
    await judge();
    expect(await run()).toMatchObject({ status: 'held', held: [{ effect: 'budget', of: 100, dataPoints: 20 }] });
    expect((await run()).held[0]?.because).toContain('with 81 of the last 24 hours');
  });
});
