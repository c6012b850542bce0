import { GROUP_ID, OTHER_GROUP_ID, scenarios } from './support.ts';

const { cloud, scenario } = scenarios();

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 12.5, country: 'FR', vip: true };
const base = {
  mapping: { external_id: 'id', email: 'email' },
  customAttributes: { score: 'score' },
  subscriptionGroups: { fans: GROUP_ID },
};
const lastBody = () => cloud().braze().requests().at(-1)?.body;

scenario('a newly mapped field goes out alone', { name: 'extended', destination: base }, async (it) => {
  await it.insert(ANN, { id: 'bob', email: 'bob@example.com' });
  await it.run();
  await it.deploy({ destination: { ...base, mapping: { ...base.mapping, first_name: 'first_name' } } });
  expect((await it.run()).totals).toMatchObject({ changed: 1, unchanged: 1, dataPoints: 1 });
  expect(lastBody()).toEqual({ attributes: [{ external_id: 'ann', first_name: 'Ann' }] });
});

scenario('a field that is no longer mapped is unset', { name: 'reduced', destination: base }, async (it) => {
  await it.insert(ANN);
  await it.run();
  await it.deploy({ destination: { ...base, customAttributes: {} } });
  expect((await it.run()).totals).toMatchObject({ changed: 1, dataPoints: 1 });
  expect(lastBody()).toEqual({ attributes: [{ external_id: 'ann', score: null }] });
  expect((await it.run()).totals).toMatchObject({ unchanged: 1, requests: 0 });
  await it.deploy({ destination: base });
  await it.run();
  expect(it.users().ann?.custom).toEqual({ score: 12.5 });
});

scenario(
  'a renamed field is unset by its old name and set by its new one',
  { name: 'renamed', destination: base },
  async (it) => {
    await it.insert(ANN);
    await it.run();
    await it.deploy({ destination: { ...base, customAttributes: { rating: 'score' } } });
    await it.run();
    expect(lastBody()).toEqual({ attributes: [{ external_id: 'ann', rating: 12.5, score: null }] });
    expect(it.users().ann?.custom).toEqual({ rating: 12.5 });
  },
);

scenario('a field of another type is sent anew', { name: 'retyped', destination: base }, async (it) => {
  await it.insert(ANN);
  await it.run();
  await it.deploy({ destination: { ...base, customAttributes: { score: { property: 'score', type: 'string' } } } });
  await it.run();
  expect(lastBody()).toEqual({ attributes: [{ external_id: 'ann', score: '12.5000' }] });
});

scenario(
  'a group that is no longer listed is left, and a newly listed one joined',
  { name: 'regrouped', destination: base },
  async (it) => {
    await it.insert(ANN);
    await it.run();
    await it.deploy({ destination: { ...base, subscriptionGroups: { vips: OTHER_GROUP_ID } } });
    expect((await it.run()).totals).toMatchObject({ changed: 1, dataPoints: 0 });
    expect(it.users().ann?.groups).toEqual({ [GROUP_ID]: 'unsubscribed', [OTHER_GROUP_ID]: 'subscribed' });
  },
);

scenario(
  "a group's new rule moves exactly those whom it concerns",
  { name: 'new_rule', destination: base },
  async (it) => {
    await it.insert(ANN, { id: 'bob', score: 3 }, { id: 'eve', score: 20 });
    await it.run();
    const groups = { fans: { property: 'score', op: 'gte' as const, value: 15 } };
    await it.deploy({ destination: base, model: { groups } });
    expect((await it.run()).totals).toMatchObject({ changed: 1, unchanged: 2 });
    expect(it.users().ann?.groups).toEqual({ [GROUP_ID]: 'unsubscribed' });
    expect(it.users().eve?.groups).toEqual({ [GROUP_ID]: 'subscribed' });
  },
);

scenario(
  'a column that the query does not have fails the run with all that is wrong, and sends nothing',
  { name: 'no_column', destination: { ...base, mapping: { external_id: 'id', first_name: 'nickname', phone: 'vip' } } },
  async (it) => {
    await it.insert(ANN);
    const run = await it.run();
    expect(run.status).toBe('failed');
    expect(run.error?.found).toContain("the model has no column 'nickname'");
    expect(run.error?.found).toContain("'phone' takes a column of type text, integer; 'vip' is boolean");
    expect(cloud().braze().requests()).toEqual([]);
  },
);

scenario(
  "a query that Redshift refuses fails the run with Redshift's own message and the query's first line",
  {
    name: 'bad_query',
    model: {
      table: undefined,
      query: 'SELECT id, email, first_name, score, joined, vip, country\nFROM nowhere',
    },
  },
  async (it) => {
    const run = await it.run();
    expect(run).toMatchObject({ status: 'failed', totals: { requests: 0 } });
    expect(run.error?.found).toMatch(/nowhere.*does not exist.*SELECT id, email/s);
  },
);

scenario(
  'properties are found in any case, and comments at the end of a query do no harm',
  {
    name: 'any_case',
    destination: { ...base, mapping: { external_id: 'ID', email: 'Email' }, customAttributes: ['score'] },
    model: {
      table: undefined,
      query: 'SELECT id AS "ID", email, score, vip FROM any_case -- all of them\n;',
      primaryKey: 'ID',
      where: 'score > 0 -- some',
    },
  },
  async (it) => {
    await it.insert(ANN, { id: 'bob', score: -1 });
    expect((await it.run()).totals).toMatchObject({ extracted: 1, accepted: 1 });
    expect(it.users()).toEqual({
      ann: { standard: { email: 'ann@example.com' }, custom: { score: 12.5 }, groups: { [GROUP_ID]: 'subscribed' } },
    });
  },
);

scenario(
  'a rule that compares a SUPER column fails the run and says what to write instead',
  {
    name: 'super_rule',
    destination: base,
    model: {
      table: undefined,
      query: 'SELECT id, email, score, vip, JSON_PARSE(\'"FR"\') AS place FROM super_rule',
      groups: { fans: { property: 'place', op: 'eq', value: 'FR' } },
    },
  },
  async (it) => {
    await it.insert(ANN);
    const run = await it.run();
    expect(run).toMatchObject({ status: 'failed', totals: { requests: 0 } });
    expect(run.error?.found).toContain("'place', which is SUPER");
  },
);
