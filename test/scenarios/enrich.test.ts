import { DAY_MS } from '../../shared/time.ts';
import { GROUP_ID, scenarios } from './support.ts';

const { cloud, scenario } = scenarios({
  common: { destination: { syncMode: 'enrich' }, braze: { lookupsPerMinute: 2500 } },
});

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 12.5 };
const BOB = { id: 'bob', email: 'bob@example.com', first_name: 'Bob', score: 3 };
const paths = () =>
  cloud()
    .braze()
    .requests()
    .map(({ path }) => path);

scenario('only users that Braze already has are updated, and nobody is created', 'enrich_known', async (it) => {
  cloud()
    .braze()
    .putUser({ externalId: 'ann', customAttributes: { plan: 'gold' } });
  await it.insert(ANN, BOB);
  const run = await it.run();
  expect(run).toMatchObject({
    status: 'succeeded',
    totals: { extracted: 2, added: 2, accepted: 1, absent: 1, rejected: 0 },
  });
  expect(it.users()).toEqual({
    ann: {
      standard: { email: 'ann@example.com', first_name: 'Ann' },
      custom: { plan: 'gold', score: 12.5 },
      groups: { [GROUP_ID]: 'subscribed' },
    },
  });
});

scenario('a confirmed user is updated without being looked up again', 'enrich_again', async (it) => {
  cloud().braze().putUser({ externalId: 'ann' });
  await it.insert(ANN);
  await it.run();
  await it.sql("UPDATE people SET first_name = 'Anna'");
  expect((await it.run()).totals).toMatchObject({ changed: 1, lookups: 0, requests: 1, dataPoints: 1 });
  expect(paths()).toEqual(['/users/export/ids', '/users/track', '/users/track']);
  expect(cloud().braze().requests().at(-1)?.body).toEqual({
    attributes: [{ external_id: 'ann', _update_existing_only: true, first_name: 'Anna' }],
  });
});

scenario(
  'a user that is absent is asked about again after a day, and enriched once it has appeared',
  'enrich_appears',
  async (it) => {
    await it.insert(BOB);
    expect((await it.run()).totals).toMatchObject({ absent: 1, accepted: 0 });
    expect((await it.run()).totals).toMatchObject({ unchanged: 1, requests: 0 });
    cloud().braze().putUser({ externalId: 'bob' });
    expect((await it.run()).totals).toMatchObject({ unchanged: 1, requests: 0 });
    cloud().advance(DAY_MS + 1000);
    expect((await it.run()).totals).toMatchObject({ added: 1, accepted: 1, absent: 0 });
    expect(it.users().bob?.standard).toEqual({ email: 'bob@example.com', first_name: 'Bob' });
  },
);

scenario(
  'a row that vanishes leaves its groups, its profile stays, and a user that was absent is forgotten',
  { name: 'enrich_left', destination: { deletionGuard: { maxPercent: 100 } } },
  async (it) => {
    cloud().braze().putUser({ externalId: 'ann' });
    await it.insert(ANN, BOB, { id: 'eve' });
    await it.run();
    await it.sql("DELETE FROM people WHERE id <> 'eve'");
    expect((await it.run()).totals).toMatchObject({ removed: 1, accepted: 1, deleted: 0, unchanged: 1 });
    expect(it.users()).toMatchObject({
      ann: { standard: { first_name: 'Ann' }, groups: { [GROUP_ID]: 'unsubscribed' } },
    });
    expect((await it.run()).totals).toMatchObject({ removed: 0, requests: 0 });
  },
);

scenario('more users than one lookup takes are looked up 50 at a time', 'enrich_many', async (it) => {
  for (let index = 1; index <= 60; index++)
    cloud()
      .braze()
      .putUser({ externalId: `p${index}` });
  await it.sql("INSERT INTO people (id, first_name) SELECT 'p' || i, 'Name ' || i FROM generate_series(1, 120) i");
  expect((await it.run()).totals).toMatchObject({ added: 120, accepted: 60, absent: 60, lookups: 3 });
  expect(Object.keys(it.users())).toHaveLength(60);
});
