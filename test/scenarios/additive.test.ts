import { GROUP_ID, scenarios } from './support.ts';

const { cloud, scenario } = scenarios({ common: { destination: { syncMode: 'additive' } } });

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 12.5 };
const BOB = { id: 'bob', email: 'bob@example.com', first_name: 'Bob', score: 3 };

scenario('rows are added and updated as in sync', 'additive_run', async (it) => {
  await it.insert(ANN, BOB);
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 2, accepted: 2 } });
  await it.sql("UPDATE people SET first_name = 'Robert' WHERE id = 'bob'");
  expect((await it.run()).totals).toMatchObject({ changed: 1, unchanged: 1, dataPoints: 1 });
  expect((await it.run()).totals).toMatchObject({ unchanged: 2, requests: 0 });
});

scenario('a row that vanishes leaves its groups and its profile stays', 'additive_left', async (it) => {
  await it.insert(ANN, BOB);
  await it.run();
  await it.sql("DELETE FROM people WHERE id = 'ann'");
  expect((await it.run()).totals).toMatchObject({ removed: 1, deleted: 0, accepted: 1, requests: 1, dataPoints: 0 });
  expect(it.users().ann).toEqual({
    standard: { email: 'ann@example.com', first_name: 'Ann' },
    custom: { score: 12.5 },
    groups: { [GROUP_ID]: 'unsubscribed' },
  });
  expect((await it.run()).totals).toMatchObject({ removed: 0, unchanged: 1, requests: 0 });
});

scenario('a row that vanishes without any group is counted once and nothing is sent', 'additive_silent', async (it) => {
  await it.insert(ANN, BOB);
  await it.run();
  await it.sql("DELETE FROM people WHERE id = 'bob'");
  expect((await it.run()).totals).toMatchObject({ removed: 1, requests: 0 });
  expect((await it.run()).totals).toMatchObject({ removed: 0, requests: 0 });
  expect(it.users().bob?.standard).toEqual({ email: 'bob@example.com', first_name: 'Bob' });
});

scenario('a row that returns sends only what differs from the profile it left', 'additive_back', async (it) => {
  await it.insert(ANN, BOB);
  await it.run();
  await it.sql("DELETE FROM people WHERE id = 'ann'");
  await it.run();
  await it.insert({ ...ANN, first_name: null });
  expect((await it.run()).totals).toMatchObject({ changed: 1, unchanged: 1, dataPoints: 1 });
  expect(cloud().braze().requests().at(-1)?.body).toEqual({
    attributes: [
      {
        external_id: 'ann',
        first_name: null,
        subscription_groups: [{ subscription_group_id: GROUP_ID, subscription_state: 'subscribed' }],
      },
    ],
  });
  await it.sql("DELETE FROM people WHERE id = 'ann'");
  expect((await it.run()).totals).toMatchObject({ removed: 1 });
  expect(it.users().ann?.groups).toEqual({ [GROUP_ID]: 'unsubscribed' });
});

scenario(
  'a table that is wiped out takes nobody out of a group',
  { name: 'additive_wiped', destination: { deletionGuard: { maxPercent: 100 } } },
  async (it) => {
    await it.insert(ANN, BOB);
    await it.run();
    await it.sql('DELETE FROM people');
    expect(await it.run()).toMatchObject({ status: 'held', totals: { removed: 2, held: 2, requests: 0 } });
    expect(it.users().ann?.groups).toEqual({ [GROUP_ID]: 'subscribed' });
  },
);
