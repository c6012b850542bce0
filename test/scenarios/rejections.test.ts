import { recordHash } from '../../shared/ledger/record-hash.ts';
import { GROUP_ID, scenarios } from './support.ts';

const { cloud, scenario } = scenarios();

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 12.5 };
const listed = async (run: string) =>
  (await cloud().runs().rejections(run, 100)).map(({ hash, field, reason, rows }) => ({ hash, field, reason, rows }));

scenario(
  'bad rows are rejected with field and reason and take no good row along',
  {
    name: 'bad_rows',
    destination: { mapping: { external_id: 'id', email: 'email', first_name: 'first_name', country: 'country' } },
  },
  async (it) => {
    await it.insert(
      ANN,
      { id: null, email: 'nobody@example.com' },
      { id: '', email: 'empty@example.com' },
      { id: 'x'.repeat(988) },
      { id: 'twin', first_name: 'One' },
      { id: 'twin', first_name: 'Two' },
      { id: 'long', first_name: 'y'.repeat(256) },
      { id: 'mail', email: 'not an address' },
      { id: 'land', country: 'Brazil' },
      { id: 'case', country: 'br' },
      { id: 'digits', score: '12345678901234567890.1234' },
    );
    const run = await it.run();
    expect(run).toMatchObject({ status: 'partial', totals: { extracted: 11, added: 2, accepted: 2, rejected: 9 } });
    expect(await listed(run.run)).toEqual(
      [
        { hash: '', field: 'external_id', reason: 'the primary key is NULL', rows: 1 },
        { hash: recordHash(''), field: 'external_id', reason: 'the primary key is empty', rows: 1 },
        {
          hash: recordHash('x'.repeat(988)),
          field: 'external_id',
          reason: 'the primary key is longer than 987 bytes (988)',
          rows: 1,
        },
        {
          hash: recordHash('twin'),
          field: 'external_id',
          reason: 'the primary key occurs in 2 rows; none of them is sent',
          rows: 2,
        },
        { hash: recordHash('long'), field: 'first_name', reason: 'is longer than 255 characters (256)', rows: 1 },
        { hash: recordHash('mail'), field: 'email', reason: 'is no valid email address', rows: 1 },
        {
          hash: recordHash('land'),
          field: 'country',
          reason: 'is no ISO 3166-1 alpha-2 country code; convert names to codes in the query',
          rows: 1,
        },
        {
          hash: recordHash('digits'),
          field: 'score',
          reason: "has more digits than a JSON number keeps; give the attribute the type 'string'",
          rows: 1,
        },
      ].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
    );
    expect(Object.keys(it.users()).sort()).toEqual(['ann', 'case']);
    expect(it.users().case?.standard).toEqual({ country: 'BR' });
  },
);

scenario('a bad row of a known user leaves the user as it was, and once mended it is sent', 'turns_bad', async (it) => {
  await it.insert(ANN);
  await it.run();
  await it.sql("UPDATE people SET email = 'broken', first_name = 'Anna'");
  expect(await it.run()).toMatchObject({ status: 'partial', totals: { rejected: 1, removed: 0, requests: 0 } });
  expect(it.users().ann?.standard).toEqual({ email: 'ann@example.com', first_name: 'Ann' });
  await it.sql("UPDATE people SET email = 'anna@example.com'");
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { changed: 1, dataPoints: 2 } });
});

scenario('a duplicate of a known user changes nothing and removes nobody', 'turns_double', async (it) => {
  await it.insert(ANN);
  await it.run();
  await it.insert({ ...ANN, first_name: 'Other' });
  expect(await it.run()).toMatchObject({
    status: 'partial',
    totals: { extracted: 2, rejected: 2, removed: 0, requests: 0 },
  });
  expect(it.users().ann?.standard).toMatchObject({ first_name: 'Ann' });
});

scenario(
  'with invalidValues: omit only the field stays behind, keeps its old value, and is reported',
  { name: 'omitted', destination: { invalidValues: 'omit' } },
  async (it) => {
    await it.insert(ANN, { id: 'bob', email: 'broken', first_name: 'Bob' });
    const first = await it.run();
    expect(first).toMatchObject({ status: 'succeeded', totals: { added: 2, accepted: 2, rejected: 0, omitted: 1 } });
    expect(it.users().bob?.standard).toEqual({ first_name: 'Bob' });
    expect(await cloud().runs().rejections(first.run, 10)).toEqual([
      {
        hash: recordHash('bob'),
        field: 'email',
        reason: 'is no valid email address',
        rows: 1,
        omitted: true,
        tries: 1,
      },
    ]);
    await it.sql("UPDATE people SET email = 'broken', score = 1 WHERE id = 'ann'");
    expect((await it.run()).totals).toMatchObject({ changed: 1, omitted: 2, dataPoints: 1 });
    expect(it.users().ann).toEqual({
      standard: { email: 'ann@example.com', first_name: 'Ann' },
      custom: { score: 1 },
      groups: { [GROUP_ID]: 'unsubscribed' },
    });
    expect((await it.run()).totals).toMatchObject({ unchanged: 2, requests: 0 });
  },
);

scenario(
  'a record that Braze refuses is not marked as sent, not sent again until it changes, and sent on request',
  'refused',
  async (it) => {
    cloud().braze().settings.blockedExternalIds = ['bob'];
    await it.insert(ANN, { id: 'bob', first_name: 'Bob' });
    const first = await it.run();
    expect(first).toMatchObject({ status: 'partial', totals: { added: 2, accepted: 1, rejected: 1, requests: 1 } });
    const [rejection] = await cloud().runs().rejections(first.run, 10);
    expect(rejection?.hash).toBe(recordHash('bob'));
    expect(rejection?.reason).not.toContain('bob');
    expect(await it.run()).toMatchObject({ status: 'partial', totals: { unchanged: 1, rejected: 1, requests: 0 } });
    expect((await it.run({ retryRejections: true })).totals).toMatchObject({ rejected: 1, requests: 1 });
    cloud().braze().settings.blockedExternalIds = [];
    await it.sql("UPDATE people SET first_name = 'Robert' WHERE id = 'bob'");
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1, accepted: 1 } });
    expect(it.users().bob?.standard).toEqual({ first_name: 'Robert' });
  },
);

scenario('a batch in which Braze refuses every record rejects each of them', 'all_refused', async (it) => {
  cloud().braze().settings.blockedExternalIds = ['ann', 'bob'];
  await it.insert(ANN, { id: 'bob', first_name: 'Bob' });
  expect(await it.run()).toMatchObject({ status: 'partial', totals: { accepted: 0, rejected: 2, requests: 1 } });
  cloud().braze().settings.blockedExternalIds = [];
  expect(await it.run({ retryRejections: true })).toMatchObject({ status: 'succeeded', totals: { accepted: 2 } });
});

scenario(
  'a user that was never accepted and whose row has left is forgotten without a request',
  'never_there',
  async (it) => {
    cloud().braze().settings.blockedExternalIds = ['bob'];
    await it.insert(ANN, { id: 'bob', first_name: 'Bob' });
    await it.run();
    cloud().braze().settings.blockedExternalIds = [];
    await it.sql("DELETE FROM people WHERE id = 'bob'");
    const requests = cloud().braze().requests().length;
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { removed: 0, requests: 0, unchanged: 1 } });
    expect(cloud().braze().requests()).toHaveLength(requests);
    expect(await cloud().ledger().get(it.name, recordHash('bob'))).toBeUndefined();
  },
);
