/** Mass effects and costs: what is held, what goes on meanwhile, and what a person's word does. */
import { recordHash } from '../../shared/ledger/record-hash.ts';
import type { Run } from '../../shared/runs/model.ts';
import { GROUP_ID, type Person, type Place, type Scenario, scenarios } from './support.ts';

const { cloud, scenario } = scenarios();

const people = (count: number, more: Partial<Person> = {}): Person[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `p${index}`,
    email: `p${index}@example.com`,
    first_name: `P${index}`,
    score: 20,
    ...more,
  }));

/** A run, after a plan that has said what it would do: the same counts, requests and points, and the same held. */
async function planned(it: Scenario, options: NonNullable<Parameters<Scenario['run']>[0]> = {}): Promise<Run> {
  const { approve = [], resync = false, withGroups = false } = options;
  const plan = await it.plan({ approve, resync: resync && (withGroups ? 'groups' : 'attributes') });
  const run = await it.run(options);
  // A plan says what a run would cost that its budget holds; the run has cost nothing.
  const { dataPoints, ...others } = plan.totals;
  const counts = plan.held.some(({ effect }) => effect === 'budget') ? others : { dataPoints, ...others };
  expect({ status: run.status, totals: run.totals }).toMatchObject({ status: plan.status, totals: counts });
  expect(run.held.map(({ effect, records, because }) => ({ effect, records, because }))).toEqual(
    plan.held.map(({ effect, records, because }) => ({ effect, records, because })),
  );
  return run;
}

/** A scenario that begins with a run of twelve people who all are fans. */
const started = (title: string, place: Place, body: (it: Scenario) => Promise<void>): void =>
  scenario(title, place, async (it) => {
    await it.insert(...people(12));
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 12, accepted: 12 } });
    await body(it);
  });

const emails = (it: Scenario): unknown[] => Object.values(it.users()).map(({ standard }) => standard.email ?? null);
const states = (it: Scenario): unknown[] => Object.values(it.users()).map(({ groups }) => groups[GROUP_ID]);
const holds = (it: Scenario) => cloud().runs().holds(it.name);

started(
  'a column that becomes NULL for most is held alone, the rest goes on, and is sent once a person approves it',
  'emptied_column',
  async (it) => {
    await it.sql("UPDATE people SET email = NULL; UPDATE people SET first_name = 'Q' WHERE id = 'p1'");
    const held = await planned(it);
    expect(held).toMatchObject({ status: 'held', totals: { changed: 1, accepted: 1, held: 12, dataPoints: 1 } });
    expect(held.held).toMatchObject([{ effect: 'attribute:email', records: 12, of: 12 }]);
    expect(held.held[0]?.samples).toHaveLength(10);
    expect(held.held[0]?.samples.every((hash) => people(12).some(({ id }) => recordHash(String(id)) === hash))).toBe(
      true,
    );
    expect(emails(it)).not.toContain(null);
    expect(it.users().p1?.standard.first_name).toBe('Q');
    // What is shown is what is sent: who lost the address since is not among it, and who has one again is out of it.
    await it.insert({ id: 'late', email: 'late@example.com', first_name: 'Late', score: 20 });
    await it.sql("UPDATE people SET email = 'back@example.com' WHERE id = 'p0'");
    expect(await planned(it)).toMatchObject({ status: 'held', totals: { held: 11, added: 1, changed: 1 } });
    await it.sql("UPDATE people SET email = NULL WHERE id = 'late'");
    const approved = await planned(it, { approve: ['attribute:email'], by: 'jane' });
    expect(approved).toMatchObject({ status: 'succeeded', totals: { changed: 12, held: 0 } });
    expect(approved.approvals).toMatchObject([{ effect: 'attribute:email', by: 'jane', shownIn: expect.any(String) }]);
    expect(it.users().p0?.standard.email).toBe('back@example.com');
    expect(emails(it).filter((email) => email === null)).toHaveLength(12);
    expect(await holds(it)).toEqual([]);
    expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { requests: 0 } });
  },
);

started('most of a group leaving is held, and is no longer held once they are members again', 'leavers', async (it) => {
  await it.sql('UPDATE people SET score = 1');
  const held = await planned(it);
  expect(held).toMatchObject({ status: 'held', totals: { changed: 12, held: 12 } });
  expect(held.held).toMatchObject([{ effect: `group:${GROUP_ID}`, records: 12, of: 12 }]);
  expect(new Set(states(it))).toEqual(new Set(['subscribed']));
  expect(Object.values(it.users()).map(({ custom }) => custom.score)).toEqual(Array(12).fill(1));
  await it.sql('UPDATE people SET score = 30');
  expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { changed: 12, held: 0 } });
  expect(await holds(it)).toEqual([]);
});

started('a few leavers and a few NULLs pass', 'few', async (it) => {
  await it.sql("UPDATE people SET score = 1, email = NULL WHERE id IN ('p1', 'p2', 'p3')");
  expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { changed: 3, held: 0 } });
  expect(states(it).filter((state) => state === 'unsubscribed')).toHaveLength(3);
});

started(
  'what a person discards is left out without asking again, until more of it comes',
  { name: 'discarded', destination: { nullGuard: { maxPercent: 40, minRecords: 0 } } },
  async (it) => {
    await it.sql("UPDATE people SET email = NULL WHERE id IN ('p0', 'p1', 'p2', 'p3', 'p4', 'p5')");
    expect(await planned(it)).toMatchObject({ status: 'held', totals: { held: 6 } });
    expect(await cloud().discard({ destination: it.name, discard: ['attribute:email'], by: 'jane' })).toBe(
      'discarded: attribute:email',
    );
    expect(await holds(it)).toMatchObject([{ discardedBy: 'jane' }]);
    expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { held: 0, requests: 0 } });
    await it.sql("UPDATE people SET email = NULL WHERE id IN ('p6', 'p7', 'p8', 'p9', 'p10')");
    const more = await planned(it);
    expect(more).toMatchObject({ status: 'held', totals: { held: 11 } });
    expect(emails(it)).not.toContain(null);
    expect(await planned(it, { approve: ['all'], by: 'jane' })).toMatchObject({ status: 'succeeded' });
    expect(emails(it).filter((email) => email === null)).toHaveLength(11);
  },
);

started(
  'approving deletions sends those that were shown and are still gone, and no others',
  { name: 'shown', destination: { deletionGuard: { maxPercent: 20 } } },
  async (it) => {
    await it.sql("DELETE FROM people WHERE id IN ('p0', 'p1', 'p2', 'p3')");
    expect(await planned(it)).toMatchObject({ status: 'held', totals: { removed: 4, held: 4, deleted: 0 } });
    await it.insert({ id: 'p0', email: 'p0@example.com', first_name: 'P0', score: 20 });
    await it.sql("DELETE FROM people WHERE id IN ('p8', 'p9', 'p10')");
    const approved = await planned(it, { approve: ['deletions'], by: 'jane' });
    expect(approved).toMatchObject({ status: 'held', totals: { removed: 6, held: 3, deleted: 3 } });
    expect(Object.keys(it.users()).sort()).toEqual(['p0', 'p10', 'p11', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9']);
    await expect(it.run({ approve: ['group:fans'], by: 'jane' })).rejects.toThrow("'group:fans' is not held");
    await expect(it.run({ approve: ['deletions'] })).rejects.toThrow('say who');
  },
);

scenario(
  'a run that would cost more than its budget is held before it sends anything, and asks once',
  { name: 'budget', destination: { budget: { dataPointsPerRun: 20 } } },
  async (it) => {
    await it.insert(...people(12));
    const held = await planned(it);
    expect(held).toMatchObject({ status: 'held', totals: { added: 12, accepted: 0, requests: 0, dataPoints: 0 } });
    expect(held.held).toMatchObject([{ effect: 'budget', records: 12, dataPoints: 36, of: 20 }]);
    expect(it.users()).toEqual({});
    await it.insert({ id: 'more', email: 'more@example.com' });
    expect(await planned(it, { approve: ['budget'], by: 'jane' })).toMatchObject({
      status: 'held',
      totals: { requests: 0 },
    });
    expect(await planned(it, { approve: ['budget'], by: 'jane' })).toMatchObject({
      status: 'succeeded',
      totals: { added: 13, dataPoints: 37 },
    });
    await it.sql('UPDATE people SET score = 21');
    expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { changed: 13, dataPoints: 13 } });
  },
);

scenario(
  'the budget of a day counts what earlier runs have cost',
  { name: 'day', destination: { budget: { dataPointsPerDay: 40 } } },
  async (it) => {
    await it.insert(...people(12));
    expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { dataPoints: 36 } });
    await it.sql('UPDATE people SET score = 21');
    const held = await planned(it);
    expect(held).toMatchObject({ status: 'held', totals: { requests: 0 } });
    expect(held.held[0]?.because).toContain('with 36 of the last 24 hours');
  },
);

started('a resync sends every attribute again, and subscription states only with groups', 'resynced', async (it) => {
  const braze = cloud().braze();
  const choice = { subscription_group_id: GROUP_ID, subscription_state: 'unsubscribed' };
  await fetch(`${braze.url}/v2/subscription/status/set`, {
    method: 'POST',
    headers: { authorization: 'Bearer local-api-key', 'content-type': 'application/json' },
    body: JSON.stringify({ subscription_groups: [{ ...choice, external_ids: ['p1'] }] }),
  });
  expect(it.users().p1?.groups[GROUP_ID]).toBe('unsubscribed');
  expect(await planned(it)).toMatchObject({ totals: { requests: 0 } });
  expect(await planned(it, { resync: true })).toMatchObject({ totals: { changed: 12, dataPoints: 36 } });
  expect(it.users().p1?.groups[GROUP_ID]).toBe('unsubscribed');
  expect(await planned(it, { resync: true, withGroups: true })).toMatchObject({ totals: { changed: 12 } });
  expect(it.users().p1?.groups[GROUP_ID]).toBe('subscribed');
});

scenario(
  'a noisy attribute costs less with a resolution and a least interval',
  {
    name: 'noisy',
    destination: {
      customAttributes: { joined: { resolution: '1 day' }, score: { minInterval: '1 day', resolution: 10 } },
    },
  },
  async (it) => {
    await it.insert({ id: 'ann', email: 'ann@example.com', score: 14, joined: '2026-03-01 08:00:00' });
    expect(await planned(it)).toMatchObject({ totals: { added: 1 } });
    expect(it.users().ann?.custom).toEqual({ joined: '2026-03-01T00:00:00.000Z', score: 10 });
    await it.sql("UPDATE people SET joined = '2026-03-01 19:00:00', score = 39");
    expect(await planned(it)).toMatchObject({ totals: { unchanged: 1, requests: 0 } });
    cloud().advance(86_400_000);
    expect(await planned(it)).toMatchObject({ totals: { changed: 1, dataPoints: 1 } });
    expect(it.users().ann?.custom).toEqual({ joined: '2026-03-01T00:00:00.000Z', score: 30 });
  },
);

scenario(
  'a run whose messages are lost is closed by the sweeper, with a reason, and the next one finds everything',
  'swept',
  async (it) => {
    await it.insert(...people(3));
    // start-run opens the run, and dies before its first message.
    cloud().crashNext('start-run', { at: 4, when: 'before' });
    await expect(cloud().start({ destination: it.name })).rejects.toThrow('died');
    const [{ run } = { run: '' }] = await cloud().runs().latest(it.name, 1);
    await cloud().sweep();
    expect((await cloud().runs().get(it.name, run))?.status).toBe('running');
    cloud().advance(3 * 3_600_000);
    await cloud().sweep();
    expect(await cloud().runs().get(it.name, run)).toMatchObject({
      status: 'failed',
      error: { found: expect.stringContaining('made no progress') },
    });
    expect(await planned(it)).toMatchObject({ status: 'succeeded', totals: { added: 3 } });
  },
);
