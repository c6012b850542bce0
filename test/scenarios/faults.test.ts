import type { Fault } from '../../local/braze/emulator.ts';
import { GROUP_ID, scenarios } from './support.ts';

const { cloud, place, scenario } = scenarios();

const ANN = { id: 'ann', email: 'ann@example.com', first_name: 'Ann', score: 12.5 };
const BOB = { id: 'bob', email: 'bob@example.com', first_name: 'Bob' };
const track = '/users/track' as const;

/** One destination serves all faults that a run waits out: each finds a row of its own to send. */
const patient = place('patient');
let persons = 0;
async function patientRun(fault: Fault) {
  const it = patient();
  cloud()
    .braze()
    .fault({ path: track, times: 2, ...fault });
  const id = `person-${++persons}`;
  await it.insert({ id, first_name: 'Pat' });
  const run = await it.run();
  expect(it.users()[id]?.standard).toEqual({ first_name: 'Pat' });
  return run;
}

test.each([
  ['seconds in X-Ratelimit-Retry-After', { 'X-Ratelimit-Retry-After': '1' }],
  ['seconds in Retry-After', { 'Retry-After': '1' }],
  ['seconds left in X-RateLimit-Reset', { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1' }],
  ['nothing at all', {}],
])('a rate limit that tells %s is waited out', async (_, headers) => {
  const limit: Fault = { kind: 'status', status: 429, headers };
  expect(await patientRun(limit)).toMatchObject({ status: 'succeeded', totals: { accepted: 1, requests: 3 } });
});

test.each([
  { kind: 'html' },
  { kind: 'empty' },
  { kind: 'unknown_message', message: 'hello' },
  { kind: 'cut_before' },
  { kind: 'cut_after' },
] as const)('an answer of kind $kind is asked for again and nothing is lost', async (fault) => {
  expect(await patientRun(fault)).toMatchObject({ status: 'succeeded', totals: { accepted: 1, requests: 3 } });
});

scenario(
  'a storm of server errors is waited out',
  'storm',
  async (it) => {
    cloud().braze().fault({ path: track, kind: 'status', status: 503, times: 6 });
    await it.insert(ANN, BOB);
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { accepted: 2 } });
    expect(it.users()).toMatchObject({ ann: { groups: { [GROUP_ID]: 'subscribed' } }, bob: { groups: {} } });
  },
  120_000,
);

const unlucky = place('unlucky');

test.each([
  [401, /401.*apiKeySecret/],
  [403, /403.*permissions/],
  [404, /404.*endpoint/],
])('a status of %d fails the run, marks nothing as sent, and the next run sends it', async (status, message) => {
  const it = unlucky();
  cloud().braze().fault({ path: track, kind: 'status', status, times: 10, body: '{"message":"no"}' });
  await it.insert({ ...ANN, id: `ann-${status}` });
  const failed = await it.run();
  expect(failed).toMatchObject({ status: 'failed', totals: { added: 1, accepted: 0, undelivered: 1 } });
  expect(`${failed.error?.found} ${failed.error?.next}`).toMatch(message);
  cloud().braze().clearFaults();
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1, accepted: 1 } });
});

scenario(
  'a key that was wrong and has been changed in Secrets Manager is read again without a deployment',
  'new_key',
  async (it) => {
    // Functions that are started anew have not read a key yet.
    await it.deploy({});
    cloud().secrets.set('braze/rest-api-key', 'a-wrong-key');
    await it.insert(ANN);
    const failed = await it.run();
    expect(failed).toMatchObject({ status: 'failed', totals: { accepted: 0 } });
    expect(JSON.stringify(failed)).not.toContain('a-wrong-key');
    cloud().secrets.set('braze/rest-api-key', 'local-api-key');
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1, accepted: 1 } });
  },
);

scenario(
  'what Braze applied without an answer is made up for, also where the row has meanwhile gone back',
  { name: 'lost_answers', destination: { deletionGuard: { maxPercent: 100 } } },
  async (it) => {
    const EVE = { id: 'eve', first_name: 'Eve', score: 50 };
    await it.insert(ANN, EVE, { id: 'zoe' });
    await it.run();
    const before = it.users();

    await it.sql("UPDATE people SET first_name = 'Anna', score = 1 WHERE id = 'ann'");
    await it.sql("DELETE FROM people WHERE id = 'eve'");
    await it.insert(BOB);
    for (const path of [track, '/users/delete'] as const)
      cloud().braze().fault({ path, kind: 'cut_after', times: 1000 });
    const lost = await it.run();
    cloud().braze().clearFaults();
    expect(lost).toMatchObject({ status: 'failed', totals: { accepted: 0, deleted: 0 } });
    expect(it.users()).toMatchObject({
      ann: { standard: { first_name: 'Anna' }, groups: { [GROUP_ID]: 'unsubscribed' } },
      bob: {},
    });
    expect(it.users().eve).toBeUndefined();

    // The update goes back to what the ledger says, the deleted row returns, and the new row leaves.
    await it.sql("UPDATE people SET first_name = 'Ann', score = 12.5 WHERE id = 'ann'");
    await it.insert(EVE);
    await it.sql("DELETE FROM people WHERE id = 'bob'");
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { removed: 1, deleted: 1, accepted: 2 } });
    expect(it.users()).toEqual(before);
    expect((await it.run()).totals).toMatchObject({ unchanged: 3, requests: 0 });
  },
  180_000,
);

scenario('a statement that fails fails the run with its message', 'statement_fails', async (it) => {
  await it.insert(ANN);
  cloud().warehouse.faults.failStatement('ERROR: out of disk');
  const run = await it.run();
  expect(run).toMatchObject({ status: 'failed', error: { found: expect.stringContaining('ERROR: out of disk') } });
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1 } });
});

scenario(
  'a warehouse that takes no statement for a while, throttles and is slow is waited for',
  'busy_warehouse',
  async (it) => {
    await it.insert(ANN);
    cloud().warehouse.faults.failNext('ExecuteStatement', 'ThrottlingException', 2);
    cloud().warehouse.faults.throttleResults(2);
    cloud().warehouse.faults.keepStarted(3);
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1, accepted: 1 } });
  },
  120_000,
);
