/**
 * Functions die before any of their requests, and the run still ends well. As every effect of a function is a request,
 * dying before each of them in turn is dying at any point of its work that matters.
 */
import { setImmediate } from 'node:timers/promises';
import type { LocalCloud } from '../../local/cloud.ts';
import { startLocalCloud } from '../../local/cloud.ts';
import type { FunctionName } from '../../local/deployment.ts';
import type { Outcome } from '../../local/lambda/functions.ts';
import type { Run } from '../../shared/runs/model.ts';
import { endScenarios, GROUP_ID, type Person, parametersOf, type Scenario, scenario } from './support.ts';

let cloud: LocalCloud;
let it: Scenario;
const outcomes: { name: string; outcome: Outcome; event: unknown }[] = [];

beforeAll(async () => {
  cloud = await startLocalCloud({
    parameters: parametersOf('nobody'),
    hurry: 10,
    onOutcome: (name, outcome, event) => outcomes.push({ name, outcome, event }),
  });
  it = await scenario(cloud, 'crashes', { destination: { shards: 1, deletionGuard: { maxPercent: 100 } } });
  await it.insert({ id: 'anchor', first_name: 'Anchor' });
  await it.run();
});
afterAll(() => endScenarios(cloud));

/** Three people whose fate turns each time: one changes, one comes and goes, one joins and leaves the group. */
let turn = 0;
async function turnRows(): Promise<Person[]> {
  turn++;
  const people: Person[] = [
    { id: 'anchor', first_name: 'Anchor' },
    { id: 'changing', first_name: `Name ${turn}` },
    { id: 'joining', score: turn % 2 === 0 ? 50 : 5 },
    ...(turn % 2 === 0
      ? [{ id: 'coming', email: 'coming@example.com' }]
      : [{ id: 'going', email: 'going@example.com' }]),
  ];
  await it.sql('DELETE FROM people');
  await it.insert(...people);
  return people;
}

/** What Braze should hold, from the rows alone; a group that was left stays visible as such. */
function expected(people: readonly Person[]): Record<string, unknown> {
  return Object.fromEntries(
    people.map(({ id, first_name, email, score }) => [
      id,
      {
        standard: { ...(first_name ? { first_name } : {}), ...(email ? { email } : {}) },
        custom: score === undefined ? {} : { score },
        groups: id !== 'joining' ? {} : { [GROUP_ID]: Number(score) >= 10 ? 'subscribed' : 'unsubscribed' },
      },
    ]),
  );
}

/** A start whose function dies is delivered again, as Lambda does for an asynchronous invocation. */
async function runThroughCrash(): Promise<Run> {
  const event = { destination: it.name, execution: `execution-${turn}` };
  const run = await cloud.start(event).catch(() => cloud.start(event));
  return cloud.ended(it.name, run);
}

/** No message is waiting or being worked on. */
async function allIsQuiet(): Promise<void> {
  for (const { name } of cloud.stack().queues) while ((await cloud.sqs.messages(name)) > 0) await setImmediate();
}

const deaths: string[] = [];
const died = (): number => outcomes.filter(({ outcome }) => outcome.kind === 'died').length;

/** The parts of a run, and the event that shows which part an invocation does. */
const PARTS = [
  { name: 'extract-shard', event: 'prepare' },
  { name: 'extract-shard', event: 'shard\\"' },
  { name: 'extract-shard', event: 'release' },
  { name: 'write-batch', event: 'upsert' },
  { name: 'write-batch', event: 'remove' },
] as const;

async function crashAndCheck(name: FunctionName, at: number, event = ''): Promise<void> {
  const people = await turnRows();
  const before = died();
  cloud.crashNext(name, { at, when: 'before', event });
  const run = await runThroughCrash();
  await allIsQuiet();
  cloud.crashNext(name, undefined);
  if (died() > before) deaths.push(`${name} ${event}: ${at}`);
  expect(run).toMatchObject({ status: 'succeeded' });
  const { totals } = run;
  expect(totals?.extracted).toBe((totals?.unchanged ?? 0) + (totals?.added ?? 0) + (totals?.changed ?? 0));
  expect((totals?.added ?? 0) + (totals?.changed ?? 0)).toBe(totals?.accepted);
  expect(totals?.removed).toBe(totals?.deleted);
  expect(withoutUnmentioned(it.users())).toEqual(withoutUnmentioned(expected(people)));
  const again = await it.run();
  expect(again).toMatchObject({ status: 'succeeded', totals: { unchanged: people.length, requests: 0 } });
  expect(cloud.braze().violations()).toEqual([]);
}

/** Before its first membership a user has no state for the group at all. */
const withoutUnmentioned = (users: Record<string, unknown>): unknown =>
  JSON.parse(JSON.stringify(users).replaceAll(`"${GROUP_ID}":"unsubscribed"`, ''));

/** How many requests the parts of an undisturbed run make: at most, as a statement may be asked about several times. */
async function requestsOfARun(): Promise<number[]> {
  await turnRows();
  outcomes.length = 0;
  await it.run();
  await allIsQuiet();
  return PARTS.map((part) =>
    Math.max(
      ...outcomes
        .filter(({ name, event }) => name === part.name && JSON.stringify(event).includes(part.event))
        .map(({ outcome }) => (outcome.kind === 'returned' ? outcome.requests : 0)),
    ),
  );
}

test.each([1, 2, 3, 4])('start-run dies before its request %d', (at) => crashAndCheck('start-run', at));

test('a function that reads or writes dies before any of its requests', async () => {
  const requests = await requestsOfARun();
  deaths.length = 0;
  for (const [index, { name, event }] of PARTS.entries()) {
    for (const at of points(requests[index] ?? 0)) await crashAndCheck(name, at, event);
  }
  // A request more or less comes and goes with what a turn finds; all other points were reached.
  const planned = requests.reduce((sum, count) => sum + points(count).length, 0);
  expect(planned).toBeGreaterThan(40);
  expect(deaths.length).toBeGreaterThanOrEqual(planned - PARTS.length);
}, 240_000);

/** All requests of a short invocation; of a shard's reading, with its 256 ledger partitions, the first and the last. */
const points = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((at) => count < 50 || at <= 4 || at > count - 10);
