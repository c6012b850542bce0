/** A parameter file changes between runs: what that does to users that Braze has. Fields and groups: mapping.test.ts. */
import type { Parameters, SyncMode } from '../../shared/parameters/schema.ts';
import { GROUP_ID, parametersOf, type Scenario, scenarios } from './support.ts';

const { cloud, place, deploy, scenario } = scenarios();

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 20 };
const BOB = { id: 'bob', email: 'bob@example.com', first_name: 'Bob', score: 20 };
/** Removals are let through: what is looked at here is what becomes of them. */
const FREE = { deletionGuard: { maxPercent: 100, maxRecords: 1000 } };
const MODES = ['sync', 'additive', 'enrich'] as const satisfies readonly SyncMode[];
/** Every one of the six directions, each with a destination of its own. */
const DIRECTIONS = MODES.flatMap((from) => MODES.filter((to) => to !== from).map((to) => [from, to] as const)).map(
  ([from, to]) => ({ from, to, at: place({ name: `${from}_to_${to}`, destination: { syncMode: from, ...FREE } }) }),
);

/** What becomes of a person of each fate: the state in the group, or undefined when Braze has no such user. */
const FATES = {
  stays: () => 'subscribed',
  /** Its row went before the mode changed: only a sync wants nobody whom the warehouse does not have. */
  went: (from: SyncMode, to: SyncMode) => (from === 'sync' || to === 'sync' ? undefined : 'unsubscribed'),
  goes: (_: SyncMode, to: SyncMode) => (to === 'sync' ? undefined : 'unsubscribed'),
  /** Braze did not know it before the first run: enrich leaves it at that. */
  unknown: () => 'subscribed',
  comes: (_: SyncMode, to: SyncMode) => (to === 'enrich' ? undefined : 'subscribed'),
} as const;

test('a sync mode that changes, in all six directions, holds from the next run on', async () => {
  const idOf = (fate: string, { name }: Scenario): string => `${fate} ${name}`;
  const person = (fate: string, it: Scenario) => ({ id: idOf(fate, it), first_name: fate, score: 20 });
  for (const { from, at } of DIRECTIONS) {
    const it = at();
    const known = ['stays', 'went', 'goes'].map((fate) => person(fate, it));
    if (from === 'enrich') for (const { id } of known) cloud().braze().putUser({ externalId: id });
    await it.insert(...known, person('unknown', it));
    expect(await it.run()).toMatchObject({ status: 'succeeded', syncMode: from });
    await it.sql(`DELETE FROM people WHERE id = '${idOf('went', it)}'`);
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { removed: 1 } });
  }
  await deploy(
    Object.fromEntries(DIRECTIONS.map(({ to, at }) => [at().name, { destination: { syncMode: to, ...FREE } }])),
  );
  for (const { from, to, at } of DIRECTIONS) {
    const it = at();
    await it.sql(`DELETE FROM people WHERE id = '${idOf('goes', it)}'`);
    await it.insert(person('comes', it));
    expect(await it.run()).toMatchObject({ status: 'succeeded', syncMode: to });
    const users = it.users();
    const states = Object.keys(FATES).map((fate) => [fate, users[idOf(fate, it)]?.groups[GROUP_ID]]);
    const expected = Object.entries(FATES).map(([fate, stateOf]) => [fate, stateOf(from, to)]);
    expect([it.name, ...states]).toEqual([it.name, ...expected]);
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { requests: 0 } });
  }
}, 120_000);

scenario(
  'another primary key is refused, and taken with --rekey: everybody is new, and who was there leaves through the guard',
  'rekeyed',
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    const other = {
      model: { primaryKey: 'email' },
      destination: { mapping: { external_id: 'email', first_name: 'first_name' }, customAttributes: {} },
    };
    await it.deploy(other);
    const refused = await it.run();
    expect(refused).toMatchObject({
      status: 'failed',
      error: {
        found: "the primary key of destination 'rekeyed' was id, and is now email",
        next: expect.stringContaining('--rekey'),
      },
      totals: { sent: 0, requests: 0 },
    });
    expect(Object.keys(it.users()).sort()).toEqual(['ann', 'bob']);
    const rekeyed = await it.run({ rekey: true });
    expect(rekeyed).toMatchObject({ status: 'held', totals: { added: 2, removed: 2, held: 2 } });
    expect(Object.keys(it.users())).toHaveLength(4);
    expect(await it.run({ approve: ['deletions'], by: 'jane' })).toMatchObject({ totals: { deleted: 2 } });
    expect(Object.keys(it.users()).sort()).toEqual(['ann@example.com', 'bob@example.com']);
  },
);

scenario('an app that moves to another workspace is refused', 'moved', async (it) => {
  await it.insert(ANN);
  await it.run();
  await it.deploy({ braze: { endpoint: 'https://rest.fra-01.braze.eu' } });
  await it.sql("UPDATE people SET first_name = 'Anna'");
  expect(await it.run()).toMatchObject({
    status: 'failed',
    error: {
      found: expect.stringContaining('rest.fra-01.braze.eu'),
      next: expect.stringContaining('a new destination'),
    },
    totals: { requests: 0 },
  });
  await it.deploy({});
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { changed: 1 } });
});

/** The scenario's parameters, with the destination under another name. */
function renamed(name: string, to: string, renamedFrom?: string): Parameters {
  const parameters = parametersOf({ [name]: {} });
  const destination = parameters.destinations[name];
  if (!destination) throw new Error(`no destination ${name}`);
  return { ...parameters, destinations: { [to]: { ...destination, ...(renamedFrom ? { renamedFrom } : {}) } } };
}

scenario(
  'a renamed destination goes on with its ledger, also when the file no longer says so, and back again',
  'former',
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    await cloud().deploy(renamed('former', 'latter', 'former'));
    expect(await cloud().run({ destination: 'latter' })).toMatchObject({ totals: { unchanged: 2, requests: 0 } });
    await cloud().deploy(renamed('former', 'latter'));
    await it.sql("DELETE FROM people WHERE id = 'bob'");
    expect(await cloud().run({ destination: 'latter' })).toMatchObject({ totals: { removed: 1, deleted: 1 } });
    await cloud().deploy(renamed('former', 'former'));
    await expect(it.run()).rejects.toThrow("the ledger of destination 'former' has gone to 'latter'");
    await cloud().deploy(renamed('former', 'former', 'latter'));
    expect(await it.run()).toMatchObject({ totals: { unchanged: 1, requests: 0 } });
  },
);

scenario(
  'a destination that is disabled or removed leaves Braze alone, and goes on from its ledger when it is back',
  'paused',
  async (it) => {
    await it.insert(ANN);
    await it.run();
    await it.deploy({ destination: { enabled: false } });
    await expect(it.run()).rejects.toThrow("destination 'paused' is disabled");
    await cloud().deploy(renamed('paused', 'another'));
    await expect(it.run()).rejects.toThrow("the parameters have no destination 'paused'");
    expect(it.users().ann?.standard.first_name).toBe('Ann');
    await it.sql("UPDATE people SET first_name = 'Anna'");
    await it.deploy({});
    expect(await it.run()).toMatchObject({ totals: { changed: 1, dataPoints: 1 } });
  },
);

const scoreAs = (score: string) => ({
  model: {
    table: undefined,
    query: `SELECT id, email, first_name, joined, vip, ${score} AS score FROM retyped_query`,
    groups: { fans: { property: 'email', op: 'exists' as const } },
  },
});

scenario(
  'a query whose columns change their type sends the values of the new form, and no others',
  { name: 'retyped_query', ...scoreAs('score') },
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    expect(it.users().ann?.custom).toEqual({ score: 20 });
    await it.deploy(scoreAs("'s' || score"));
    expect(await it.run()).toMatchObject({ totals: { changed: 2, dataPoints: 2 } });
    expect(it.users().ann?.custom).toEqual({ score: 's20.0000' });
  },
);
