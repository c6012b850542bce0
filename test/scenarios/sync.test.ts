import { GROUP_ID, scenarios } from './support.ts';

const { cloud, scenario } = scenarios({ common: { destination: { shards: 2 } } });

const ANN = {
  id: 'ann',
  email: 'ann@example.com',
  first_name: 'Ann',
  score: 12.5,
  joined: '2024-02-29 10:11:12',
  vip: true,
};
const BOB = { id: 'bob', email: 'bob@example.com', first_name: 'Bob', score: 3, joined: null, vip: false };

const ann = {
  standard: { email: 'ann@example.com', first_name: 'Ann' },
  custom: { score: 12.5, joined: '2024-02-29T10:11:12.000Z', vip: true },
  groups: { [GROUP_ID]: 'subscribed' },
};
const bob = {
  standard: { email: 'bob@example.com', first_name: 'Bob' },
  custom: { score: 3, vip: false },
  groups: {},
};

scenario('a first run makes every row a user, and a second run sends nothing', 'first_run', async (it) => {
  await it.insert(ANN, BOB);
  const first = await it.run();
  expect(first).toMatchObject({
    status: 'succeeded',
    totals: { extracted: 2, added: 2, unchanged: 0, changed: 0, accepted: 2, dataPoints: 9 },
  });
  expect(it.users()).toEqual({ ann, bob });
  const requests = cloud().braze().requests().length;
  const second = await it.run();
  expect(second).toMatchObject({
    status: 'succeeded',
    totals: { extracted: 2, unchanged: 2, added: 0, changed: 0, requests: 0, dataPoints: 0 },
  });
  expect(cloud().braze().requests()).toHaveLength(requests);
});

scenario('one changed field is sent alone', 'one_field', async (it) => {
  await it.insert(ANN, BOB);
  await it.run();
  await it.sql("UPDATE people SET first_name = 'Roberta' WHERE id = 'bob'");
  const run = await it.run();
  expect(run.totals).toMatchObject({ changed: 1, unchanged: 1, accepted: 1, requests: 1, dataPoints: 1 });
  expect(cloud().braze().requests().at(-1)?.body).toEqual({
    attributes: [{ external_id: 'bob', first_name: 'Roberta' }],
  });
});

scenario('a value that becomes NULL is unset, and a NULL of a new user is not mentioned', 'nulls', async (it) => {
  await it.insert(ANN, { id: 'eve' });
  await it.run();
  expect(it.users().eve).toEqual({ standard: {}, custom: {}, groups: {} });
  await it.sql("UPDATE people SET first_name = NULL, joined = NULL WHERE id = 'ann'");
  const run = await it.run();
  expect(run.totals).toMatchObject({ changed: 1, unchanged: 1, dataPoints: 2 });
  expect(cloud().braze().requests().at(-1)?.body).toEqual({
    attributes: [{ external_id: 'ann', first_name: null, joined: null }],
  });
  expect((await it.run()).totals).toMatchObject({ unchanged: 2, requests: 0 });
});

scenario('an empty text is a value, apart from NULL', 'empty_text', async (it) => {
  await it.insert({ id: 'ann', first_name: '' });
  await it.run();
  expect(it.users().ann?.standard).toEqual({ first_name: '' });
  await it.sql('UPDATE people SET first_name = NULL');
  await it.run();
  expect(it.users().ann?.standard).toEqual({});
});

scenario('a changed primary key is a new user and a removed one', 'key_changed', async (it) => {
  await it.insert(ANN, BOB, { id: 'eve' });
  await it.run();
  await it.sql("UPDATE people SET id = 'robert' WHERE id = 'bob'");
  const run = await it.run();
  expect(run.totals).toMatchObject({ added: 1, removed: 1, unchanged: 2, accepted: 1, deleted: 1 });
  expect(it.users()).toEqual({ ann, robert: bob, eve: { standard: {}, custom: {}, groups: {} } });
});

scenario(
  'a removed row deletes its user, and a row that returns is a new user with all its values',
  'returned',
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    await it.sql("DELETE FROM people WHERE id = 'ann'");
    expect((await it.run()).totals).toMatchObject({ removed: 1, deleted: 1, held: 0, accepted: 0, requests: 1 });
    expect(it.users()).toEqual({ bob });
    await it.insert(ANN);
    expect((await it.run()).totals).toMatchObject({ added: 1, unchanged: 1, accepted: 1 });
    expect(it.users()).toEqual({ ann, bob });
  },
);

scenario(
  'a member is subscribed, one that left is unsubscribed, one that never was is not mentioned',
  { name: 'memberships', destination: { shards: 1 } },
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    await it.sql("UPDATE people SET score = 1 WHERE id = 'ann'");
    await it.sql("UPDATE people SET score = 99 WHERE id = 'bob'");
    const run = await it.run();
    expect(run.totals).toMatchObject({ changed: 2, requests: 1, dataPoints: 2 });
    expect(it.users().ann?.groups).toEqual({ [GROUP_ID]: 'unsubscribed' });
    expect(it.users().bob?.groups).toEqual({ [GROUP_ID]: 'subscribed' });
    await it.sql("UPDATE people SET score = 2 WHERE id = 'ann'");
    await it.run();
    expect(cloud().braze().requests().at(-1)?.body).toEqual({ attributes: [{ external_id: 'ann', score: 2 }] });
  },
);

scenario(
  'only members of the audience are sent, and one that leaves it is deleted',
  { name: 'audience', destination: { audience: 'vips' } },
  async (it) => {
    await it.insert(ANN, BOB, { ...ANN, id: 'eve', email: null });
    expect((await it.run()).totals).toMatchObject({ extracted: 2, added: 2 });
    expect(Object.keys(it.users()).sort()).toEqual(['ann', 'eve']);
    await it.sql("UPDATE people SET vip = FALSE WHERE id = 'eve'");
    expect((await it.run()).totals).toMatchObject({ extracted: 1, removed: 1, deleted: 1 });
    expect(Object.keys(it.users())).toEqual(['ann']);
  },
);

scenario(
  'deletions beyond the limit are held, the rest of the run goes on, and approval sends them',
  { name: 'held', destination: { deletionGuard: { maxPercent: 30 } } },
  async (it) => {
    await it.insert(ANN, BOB, { id: 'eve' });
    await it.run();
    await it.sql("DELETE FROM people WHERE id <> 'ann'");
    await it.sql("UPDATE people SET first_name = 'Anna'");
    const held = await it.run();
    expect(held).toMatchObject({
      status: 'held',
      totals: { removed: 2, held: 2, deleted: 0, changed: 1, accepted: 1 },
    });
    expect(Object.keys(it.users()).sort()).toEqual(['ann', 'bob', 'eve']);
    const again = await it.run();
    expect(again).toMatchObject({ status: 'held', totals: { removed: 2, held: 2, requests: 0 } });
    const approved = await it.run({ approveDeletions: true, by: 'tester' });
    expect(approved).toMatchObject({ status: 'succeeded', totals: { removed: 2, held: 0, deleted: 2, requests: 1 } });
    expect(Object.keys(it.users())).toEqual(['ann']);
  },
);

scenario(
  'an extract without any row holds every deletion, whatever the limits',
  { name: 'wiped', destination: { deletionGuard: { maxPercent: 100, maxRecords: 1000 } } },
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    await it.sql('DELETE FROM people');
    expect(await it.run()).toMatchObject({
      status: 'held',
      totals: { extracted: 0, removed: 2, held: 2, requests: 0 },
    });
    expect(it.users()).toEqual({ ann, bob });
    await it.insert(ANN, BOB);
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { unchanged: 2, held: 0, requests: 0 } });
  },
);

scenario(
  'more users than fit one request travel in full batches, and deletions 50 at most',
  { name: 'batches', destination: { shards: 1, deletionGuard: { maxPercent: 100 } } },
  async (it) => {
    await it.sql("INSERT INTO people (id, first_name) SELECT 'p' || i, 'Name ' || i FROM generate_series(1, 160) i");
    expect((await it.run()).totals).toMatchObject({ added: 160, accepted: 160, requests: 3 });
    expect(
      cloud()
        .braze()
        .requests()
        .map(({ objects }) => objects)
        .sort(),
    ).toEqual([10, 75, 75]);
    await it.sql("DELETE FROM people WHERE id <> 'p1'");
    expect((await it.run()).totals).toMatchObject({ removed: 159, deleted: 159, requests: 4 });
    expect(Object.keys(it.users())).toEqual(['p1']);
  },
);

scenario('a second start while a run is open is skipped', 'two_starts', async (it) => {
  await it.insert(ANN);
  const run = await cloud().start({ destination: it.name });
  await expect(cloud().start({ destination: it.name })).rejects.toThrow('a run of this destination is open');
  expect(await cloud().ended(it.name, run)).toMatchObject({ status: 'succeeded', totals: { accepted: 1 } });
});

scenario('a start that is delivered twice is one run', 'same_start', async (it) => {
  await it.insert(ANN);
  const event = { destination: it.name, execution: 'execution-1' };
  const [one, other] = [await cloud().start(event), await cloud().start(event)];
  expect(other).toBe(one);
  expect(await cloud().ended(it.name, one)).toMatchObject({ totals: { added: 1, accepted: 1, requests: 1 } });
});

scenario('no request of a run leaves before the settling time after the last run is over', 'settling', async (it) => {
  await it.deploy({ braze: { settleSeconds: 5 } });
  await it.insert(ANN);
  const first = await it.run();
  await it.sql("UPDATE people SET first_name = 'Anna'");
  const second = await it.run();
  expect(first.notBefore).toBe(0);
  expect(second.notBefore).toBeGreaterThanOrEqual((first.endedAt ?? 0) + 5000);
  expect(second.totals).toMatchObject({ accepted: 1 });
});
