import type { LocalDynamo } from '../../../local/dynamodb.ts';
import { FatalError } from '../../../shared/errors.ts';
import { contextOf } from '../../../shared/runs/context.ts';
import type { Hold, Intent, Run } from '../../../shared/runs/model.ts';
import { namesOf } from '../../../shared/runs/names.ts';
import { STUCK_AFTER_MS, type StartEvent, startRun, sweep } from '../../../shared/runs/start-run.ts';
import type { RunStore } from '../../../shared/runs/store.ts';
import { MINUTE_MS, SECOND_MS } from '../../../shared/time.ts';
import { START_MS } from '../fake-clock.ts';
import { depsOn, GROUP, parametersWith, startTables } from './deps.ts';
import { runOf, shardOf } from './runs.ts';

let dynamo: LocalDynamo;
beforeAll(async () => {
  dynamo = await startTables();
});
afterAll(() => dynamo.close());

let names = 0;
const newName = (): string => `d${++names}`;

/** What start-run is given for these destinations. */
function starterOf(destinations: Readonly<Record<string, Record<string, unknown>>>, more: Partial<RunStore> = {}) {
  const parameters = parametersWith(destinations);
  const names = Object.entries(parameters.destinations).flatMap(([name, { renamedFrom }]) => [
    name,
    renamedFrom ?? name,
  ]);
  // The table is that of all tests of this file.
  const own: Partial<RunStore> = { destinations: async () => [...new Set(names)] };
  const deps = { ...depsOn(dynamo, { ...own, ...more }), parameters, stuckAfterMs: STUCK_AFTER_MS };
  const start = (event: StartEvent) => startRun(deps, event);
  /** The run that a start has opened. */
  const started = async (event: StartEvent): Promise<Run> => {
    const outcome = await start(event);
    const run = outcome.started ? await deps.runs.get(event.destination, outcome.run) : undefined;
    if (!run) throw new Error(`no run was started: ${JSON.stringify(outcome)}`);
    return run;
  };
  const ended = async (run: Run) => {
    await deps.runs.change(
      run,
      { status: 'succeeded', phase: 'closed', endedAt: deps.clock.now() },
      { status: ['running'] },
    );
    await deps.runs.free(run.destination, run.run);
  };
  return { deps, start, started, ended };
}
/** One destination of a name of its own. */
function starter(more: Record<string, unknown> = {}) {
  const destination = newName();
  return { destination, ...starterOf({ [destination]: more }) };
}
const holdOf = (more: Partial<Hold> = {}): Hold => ({
  ...{ effect: 'deletions', records: 9, of: 10, because: 'too many', samples: [], run: 'r-held', heldAt: START_MS },
  ...more,
});

describe('a start', () => {
  test('opens a run that knows what it goes by, and sends it on its way', async () => {
    const { destination, deps, started } = starter();
    const run = await started({ destination });
    expect(run).toMatchObject({
      ...{ destination, ledger: destination, status: 'running', phase: 'preparing', syncMode: 'sync' },
      ...{ startedAt: START_MS, touchedAt: START_MS, notBefore: 0, approvals: [], discards: [], held: [] },
      ...{ retryRejections: false, resync: false, rekey: false },
    });
    expect(run.counts).toBeUndefined();
    expect(deps.sent).toEqual([{ kind: 'prepare', run: run.run, destination, polls: 0 }]);
    expect((await deps.runs.state(destination)).open).toBe(run.run);
  });

  test.each<[Partial<StartEvent>, Partial<Run>]>([
    [{ resync: true }, { resync: 'attributes' }],
    [{ resync: true, withGroups: true }, { resync: 'groups' }],
    [{ withGroups: true }, { resync: false }],
    [{ rekey: true }, { rekey: true, resync: false }],
    [{ retryRejections: true }, { retryRejections: true }],
  ])('with %j makes the run %j', async (event, run) => {
    const { destination, started } = starter();
    expect(await started({ destination, ...event })).toMatchObject(run);
  });

  test('that comes while a run is open is skipped and counted, whatever it asks for', async () => {
    const { destination, deps, start, started } = starter();
    const { run } = await started({ destination, execution: 'first' });
    for (const event of [{}, { execution: 'second' }, { resync: true }]) {
      const because = 'a run of this destination is open';
      expect(await start({ destination, ...event })).toEqual({ started: false, because, run });
    }
    expect(deps.metrics.all).toEqual([{ runSkipped: 1 }, { runSkipped: 1 }, { runSkipped: 1 }]);
    expect(deps.sent).toHaveLength(1);
  });

  test('that is delivered again is the same run', async () => {
    const { destination, deps, start } = starter();
    const first = await start({ destination, execution: 'x' });
    expect(await start({ destination, execution: 'x' })).toEqual(first);
    expect(await deps.runs.latest(destination, 10)).toHaveLength(1);
  });

  test('by many at the same time opens one run', async () => {
    const { destination, deps, start } = starter();
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => start({ destination })));
    expect(outcomes.filter(({ started }) => started)).toHaveLength(1);
    expect(deps.sent).toHaveLength(1);
  });

  test('after another run waits until Braze has settled', async () => {
    const { destination, deps, started, ended } = starter();
    await ended(await started({ destination }));
    const closedAt = deps.clock.now();
    deps.clock.advance(SECOND_MS);
    expect(await started({ destination })).toMatchObject({ notBefore: closedAt + 5 * SECOND_MS });
  });

  test.each<[string, StartEvent, string]>([
    ['of no destination', { destination: 'none' }, "no destination 'none'"],
    ['of a disabled destination', { destination: 'off' }, 'is disabled'],
  ])('%s is an error', async (_, event, words) => {
    const { start } = starterOf({ off: { enabled: false } });
    const failed = start(event);
    await expect(failed).rejects.toThrow(FatalError);
    await expect(failed).rejects.toThrow(words);
  });
});

describe('an approval', () => {
  const SHOWN: readonly Hold[] = [
    holdOf(),
    holdOf({ effect: `group:${GROUP}` }),
    holdOf({ effect: 'attribute:email' }),
    holdOf({ effect: 'budget', dataPoints: 7 }),
  ];

  test.each<[string, Partial<StartEvent>]>([
    ['approves', { approve: ['deletions'] }],
    ['approves deletions in the old way', { approveDeletions: true }],
    ['discards', { discard: ['deletions'] }],
    ['approves all', { approve: ['all'] }],
  ])('of nobody is refused: one that %s', async (_, event) => {
    const { destination, deps, start } = starter();
    await deps.runs.putHold(destination, holdOf());
    await expect(start({ destination, ...event })).rejects.toThrow('say who');
    await expect(start({ destination, by: '', ...event })).rejects.toThrow();
    expect(await deps.runs.latest(destination, 1)).toEqual([]);
    expect(await deps.runs.holds(destination)).toEqual([holdOf()]);
  });

  test.each<[string, string[], Run['approvals']]>([
    ['deletions', ['deletions'], [{ effect: 'deletions', by: 'ann', shownIn: 'r-held' }]],
    ['a group by its name', ['group:vip'], [{ effect: `group:${GROUP}`, by: 'ann', shownIn: 'r-held' }]],
    ['a group by its bare name', ['vip'], [{ effect: `group:${GROUP}`, by: 'ann', shownIn: 'r-held' }]],
    [
      'a group by its id in any case',
      [`group:${GROUP.toUpperCase()}`],
      [{ effect: `group:${GROUP}`, by: 'ann', shownIn: 'r-held' }],
    ],
    ['the cost that was shown', ['budget'], [{ effect: 'budget', by: 'ann', shownIn: 'r-held', dataPoints: 7 }]],
    [
      'several',
      ['attribute:email', 'deletions'],
      [
        { effect: 'attribute:email', by: 'ann', shownIn: 'r-held' },
        { effect: 'deletions', by: 'ann', shownIn: 'r-held' },
      ],
    ],
  ])('is of what was shown: %s', async (_, approve, approvals) => {
    const { destination, deps, started } = starter();
    for (const hold of SHOWN) await deps.runs.putHold(destination, hold);
    expect((await started({ destination, approve, by: 'ann' })).approvals).toEqual(approvals);
  });

  test('of all is of everything that is held', async () => {
    const { destination, deps, started } = starter();
    for (const hold of SHOWN) await deps.runs.putHold(destination, hold);
    const { approvals } = await started({ destination, approve: ['all'], by: 'ann' });
    expect(approvals.map(({ effect }) => effect).sort()).toEqual(SHOWN.map(({ effect }) => effect).sort());
  });

  test.each([
    ['deletions', 'Held are: attribute:email, attribute:ltv.'],
    ['budget', 'Held are: attribute:email, attribute:ltv.'],
    ['group:vip', 'Held are: attribute:email, attribute:ltv.'],
    ['email', 'Held are: attribute:email, attribute:ltv.'],
    ['constructor', 'Held are: attribute:email, attribute:ltv.'],
  ])('of %s, which is not held, is an error that names what is, and starts nothing', async (name, next) => {
    const { destination, deps, start } = starter();
    await deps.runs.putHold(destination, holdOf({ effect: 'attribute:email' }));
    await deps.runs.putHold(destination, holdOf({ effect: 'attribute:ltv' }));
    for (const event of [{ approve: ['attribute:ltv', name] }, { discard: [name] }]) {
      const failed = start({ destination, by: 'ann', ...event });
      await expect(failed).rejects.toThrow(FatalError);
      await expect(failed).rejects.toMatchObject({ found: `'${name}' is not held`, next });
    }
    expect((await deps.runs.state(destination)).open).toBeUndefined();
  });

  test('says so when nothing is held at all', async () => {
    const { destination, start } = starter();
    const failed = start({ destination, by: 'ann', approve: ['deletions'] });
    await expect(failed).rejects.toMatchObject({ next: 'Nothing is held.' });
  });

  test('in advance is of the deletions that the run finds, or of those that were shown', async () => {
    const { destination, deps, started, ended } = starter();
    const event = { destination, approveDeletions: true, by: 'ann' };
    const run = await started(event);
    expect(run.approvals).toEqual([{ effect: 'deletions', by: 'ann' }]);
    await ended(run);
    await deps.runs.putHold(destination, holdOf());
    const shown = { effect: 'deletions', by: 'ann', shownIn: 'r-held' };
    const second = await started(event);
    expect(second.approvals).toEqual([shown]);
    await ended(second);
    expect((await started({ ...event, approve: ['deletions'] })).approvals).toEqual([shown]);
  });
});

describe('a discard', () => {
  test('starts no run, and later runs leave out what it was shown', async () => {
    const { destination, deps, start, started } = starter();
    for (const effect of ['deletions', 'attribute:email', 'budget'] as const)
      await deps.runs.putHold(destination, holdOf({ effect }));
    const outcome = await start({ destination, discard: ['attribute:email', 'budget'], by: 'ann' });
    expect(outcome).toEqual({ started: false, because: 'discarded: attribute:email, budget', run: undefined });
    expect((await deps.runs.holds(destination)).map(({ effect, discardedBy }) => [effect, discardedBy]).sort()).toEqual(
      [
        ['attribute:email', 'ann'],
        ['deletions', undefined],
      ],
    );
    expect(deps.sent).toEqual([]);
    const run = await started({ destination });
    expect(run.discards).toEqual([{ effect: 'attribute:email', shownIn: 'r-held' }]);
    expect(run.approvals).toEqual([]);
  });

  test('is undone by an approval', async () => {
    const { destination, deps, started } = starter();
    await deps.runs.putHold(destination, holdOf({ discardedBy: 'ann' }));
    await deps.runs.putHold(destination, holdOf({ effect: 'attribute:ltv', discardedBy: 'ann' }));
    expect(await started({ destination, approve: ['deletions'], by: 'bob' })).toMatchObject({
      approvals: [{ effect: 'deletions', by: 'bob', shownIn: 'r-held' }],
      discards: [{ effect: 'attribute:ltv', shownIn: 'r-held' }],
    });
  });

  test('is taken of a disabled destination too, and while a run is open', async () => {
    const { destination, deps, start } = starter({ enabled: false });
    await deps.runs.putHold(destination, holdOf());
    await deps.runs.open(destination, 'r', 'x');
    await start({ destination, discard: ['all'], by: 'ann' });
    expect(await deps.runs.holds(destination)).toEqual([holdOf({ discardedBy: 'ann' })]);
    expect((await deps.runs.state(destination)).open).toBe('r');
  });
});

describe('a destination that is renamed', () => {
  /** Runs each of the names in turn, each renamed from the one before. */
  async function renamed(from: string, to: string) {
    const before = starterOf({ [from]: {} });
    const after = starterOf({ [to]: { renamedFrom: from } });
    const run = await before.started({ destination: from });
    return { before, after, run };
  }

  test('waits for the settling time after the last run under the former name', async () => {
    const { before, after, run } = await renamed('settled_before', 'settled_after');
    await before.ended(run);
    const next = await after.started({ destination: 'settled_after' });
    expect(next.notBefore).toBeGreaterThan(0);
  });

  test('goes on with the ledger that it had, and is asked for no more', async () => {
    const [from, to] = [newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    const first = await after.started({ destination: to });
    expect(first).toMatchObject({ destination: to, ledger: from });
    await after.ended(first);
    const second = await after.started({ destination: to });
    expect(second).toMatchObject({ ledger: from });
    await after.ended(second);
    const without = starterOf({ [to]: {} });
    expect(await without.started({ destination: to })).toMatchObject({ ledger: from });
  });

  test('goes on with that ledger in each of two deliveries of its first start', async () => {
    const [from, to] = [newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    let meanwhile = (): Promise<void> => after.deps.runs.carryLedger(from, to, from);
    // The other delivery carries the ledger over between the two looks of this one.
    const state: RunStore['state'] = async (destination) => {
      const seen = await after.deps.runs.state(destination);
      const other = meanwhile;
      meanwhile = async () => undefined;
      await other();
      return seen;
    };
    const second = starterOf({ [to]: { renamedFrom: from } }, { state });
    expect(await second.started({ destination: to })).toMatchObject({ ledger: from });
  });

  test('has a ledger of its own where the former name never had a run', async () => {
    const [from, to] = [newName(), newName()];
    const { started } = starterOf({ [to]: { renamedFrom: from } });
    expect(await started({ destination: to })).toMatchObject({ ledger: to });
  });

  test('is refused while a run of the former name is open', async () => {
    const [from, to] = [newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    await before.started({ destination: from });
    const failed = after.start({ destination: to });
    await expect(failed).rejects.toThrow(FatalError);
    await expect(failed).rejects.toThrow(`a run of '${from}' is open`);
    expect((await after.deps.runs.state(to)).open).toBeUndefined();
    expect((await after.deps.runs.state(from)).carriedTo).toBeUndefined();
  });

  test('is refused while the first run of the former name is open, as its ledger is only coming to be', async () => {
    const [from, to] = [newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await expect(after.start({ destination: to })).rejects.toThrow(`a run of '${from}' is open`);
    await before.ended(run);
    expect(await after.started({ destination: to })).toMatchObject({ ledger: from });
  });

  test('is refused when it has a ledger of its own', async () => {
    const [from, to] = [newName(), newName()];
    const other = starterOf({ [to]: {} });
    await other.ended(await other.started({ destination: to }));
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    await expect(after.start({ destination: to })).rejects.toThrow(`'${to}' has a ledger of its own already`);
    expect((await after.deps.runs.state(from)).carriedTo).toBeUndefined();
  });

  test('leaves a name that starts no run, and says where its ledger went', async () => {
    const [from, to] = [newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    await after.started({ destination: to });
    await expect(before.start({ destination: from })).rejects.toThrow(`has gone to '${to}'`);
  });

  test('may go back to its former name, and to a third one, with the same ledger', async () => {
    const [from, to, third] = [newName(), newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    await after.ended(await after.started({ destination: to }));
    const back = starterOf({ [from]: { renamedFrom: to } });
    const again = await back.started({ destination: from });
    expect(again).toMatchObject({ destination: from, ledger: from });
    await back.ended(again);
    await expect(starterOf({ [to]: {} }).start({ destination: to })).rejects.toThrow(`has gone to '${from}'`);
    const forth = await after.started({ destination: to });
    expect(forth).toMatchObject({ destination: to, ledger: from });
    await after.ended(forth);
    const last = starterOf({ [third]: { renamedFrom: to } });
    expect(await last.started({ destination: third })).toMatchObject({ ledger: from });
  });

  test('remembers every name that it had, so that what was left open under them is found when none is given any more', async () => {
    const [from, to, third] = [newName(), newName(), newName()];
    const { before, after, run } = await renamed(from, to);
    await before.ended(run);
    await after.ended(await after.started({ destination: to }));
    const { runs } = after.deps;
    const context = (name: string, more: Record<string, unknown>) => contextOf(parametersWith({ [name]: more }), name);
    expect(await namesOf(runs, context(to, {}))).toEqual([to, from]);
    expect(await namesOf(runs, context(third, { renamedFrom: to }))).toEqual([third, to, from]);
    const last = starterOf({ [third]: { renamedFrom: to } });
    await last.ended(await last.started({ destination: third }));
    expect(await namesOf(runs, context(third, {}))).toEqual([third, from, to]);
    const back = starterOf({ [to]: { renamedFrom: third } });
    await back.ended(await back.started({ destination: to }));
    expect(await namesOf(runs, context(to, {}))).toEqual([to, from, third]);
  });
});

describe('the sweep', () => {
  const intentOf = (run: string, leaseUntil: number): Intent => ({
    ...{ id: `${run}#000#0000000#e`, run, shard: 0, kind: 'upsert', seq: 0, leaseUntil, uncertain: false },
    ...{ primaryKeys: [], fields: [], deletes: false },
  });
  /** A run that was opened an hour and a minute ago, with changes. */
  async function silent(more: Partial<Run> = {}) {
    const setting = starter();
    const { destination, deps } = setting;
    const run = `r-${destination}`;
    await deps.runs.open(destination, run, 'x');
    await deps.runs.create(runOf({ run, destination, touchedAt: START_MS, ...more }));
    deps.clock.advance(STUCK_AFTER_MS + MINUTE_MS);
    return { ...setting, run, sweep: () => sweep(deps) };
  }

  test('closes a run that shows no sign of life, and frees its destination', async () => {
    const { destination, deps, run, sweep, started } = await silent();
    await deps.runs.createShard(run, shardOf({ movedAt: START_MS }));
    expect(await sweep()).toEqual({ closed: [{ destination, run }] });
    expect(await deps.runs.get(destination, run)).toMatchObject({
      status: 'failed',
      phase: 'closed',
      endedAt: deps.clock.now(),
      error: { found: expect.stringContaining('its messages are lost') },
    });
    expect((await deps.runs.state(destination)).open).toBeUndefined();
    expect(deps.metrics.all).toMatchObject([{ runFailed: 1, runSucceeded: 0 }]);
    expect(await sweep()).toEqual({ closed: [] });
    expect(await started({ destination })).toMatchObject({ status: 'running' });
  });

  test('keeps the error of a run that was failing', async () => {
    const error = { found: 'Braze is down', next: 'Wait.' };
    const { destination, deps, run, sweep } = await silent({ status: 'failing', error });
    await sweep();
    expect(await deps.runs.get(destination, run)).toMatchObject({ status: 'failed', error });
  });

  test.each<[string, (setting: Awaited<ReturnType<typeof silent>>) => Promise<unknown>]>([
    [
      'was touched',
      ({ deps, run, destination }) =>
        deps.runs.change(
          { run, destination },
          { touchedAt: deps.clock.now() - STUCK_AFTER_MS + 1 },
          { status: ['running'] },
        ),
    ],
    [
      'has moved a shard',
      ({ deps, run }) => deps.runs.createShard(run, shardOf({ movedAt: deps.clock.now() - MINUTE_MS })),
    ],
    [
      'has settled a batch',
      ({ deps, run }) =>
        deps.runs.settle(
          { run, shard: 0, seq: 0 },
          {
            ...{
              accepted: 1,
              rejected: 0,
              deleted: 0,
              absent: 0,
              undelivered: 0,
              requests: 1,
              lookups: 0,
              dataPoints: 0,
            },
          },
          false,
        ),
    ],
    [
      'has a batch under way',
      ({ deps, run, destination }) => deps.runs.putIntent(destination, intentOf(run, deps.clock.now() + 1)),
    ],
  ])('leaves a run alone that %s', async (_, live) => {
    const setting = await silent();
    await live(setting);
    expect(await setting.sweep()).toEqual({ closed: [] });
    const { deps, destination, run } = setting;
    expect(await deps.runs.get(destination, run)).toMatchObject({ status: 'running', phase: 'extracting' });
    expect((await deps.runs.state(destination)).open).toBe(run);
  });

  test('closes a run whose batches are under way no more, and does not heed those of others', async () => {
    const { destination, deps, run, sweep } = await silent();
    await deps.runs.putIntent(destination, intentOf(run, deps.clock.now() - 1));
    await deps.runs.putIntent(destination, intentOf('another', deps.clock.now() + MINUTE_MS));
    expect(await sweep()).toEqual({ closed: [{ destination, run }] });
  });

  test('frees a destination whose run ended without doing so', async () => {
    const { destination, deps, run, sweep } = await silent({ status: 'succeeded', phase: 'closed', endedAt: START_MS });
    expect(await sweep()).toEqual({ closed: [] });
    expect((await deps.runs.state(destination)).open).toBeUndefined();
    expect(await deps.runs.get(destination, run)).toMatchObject({ status: 'succeeded', endedAt: START_MS });
    expect(deps.metrics.all).toEqual([]);
  });

  test('frees a destination that was opened for a run that never came to be, once that is long ago', async () => {
    const { destination, deps } = starter();
    await deps.runs.open(destination, 'never', 'x');
    deps.clock.advance(STUCK_AFTER_MS - 1);
    await sweep(deps);
    expect((await deps.runs.state(destination)).open).toBe('never');
    deps.clock.advance(1);
    await sweep(deps);
    expect((await deps.runs.state(destination)).open).toBeUndefined();
  });

  test('looks after every destination that had a run: disabled, former and removed ones too', async () => {
    const [on, off, removed] = [newName(), newName(), newName()];
    const all = depsOn(dynamo);
    const { deps } = starterOf({ [on]: {}, [off]: { enabled: false } }, { destinations: all.runs.destinations });
    for (const destination of [on, off, removed]) {
      await deps.runs.open(destination, `r-${destination}`, 'x');
      await deps.runs.create(runOf({ run: `r-${destination}`, destination }));
    }
    deps.clock.advance(STUCK_AFTER_MS);
    const { closed } = await sweep(deps);
    expect(closed.map(({ destination }) => destination)).toEqual(expect.arrayContaining([on, off, removed]));
    expect((await deps.runs.state(removed)).open).toBeUndefined();
  });

  test('of a start does the same to the run in its way', async () => {
    const { destination, deps, run, started } = await silent();
    const next = await started({ destination });
    expect(next.run).not.toBe(run);
    expect(await deps.runs.get(destination, run)).toMatchObject({ status: 'failed' });
    expect(next.notBefore).toBe(deps.clock.now() + 5 * SECOND_MS);
  });
});
