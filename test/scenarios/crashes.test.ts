/**
 * Functions die at any point of their work, and the run still ends well. What a function has done is what it has asked
 * others to do: dying before each request that changes something, and after the last one, is dying at any point.
 */
import { setImmediate } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import * as z from 'zod';
import type { LocalCloud } from '../../local/cloud.ts';
import type { FunctionName } from '../../local/deployment.ts';
import type { Crash, Outcome } from '../../local/lambda/functions.ts';
import type { Run } from '../../shared/runs/model.ts';
import { GROUP_ID, type Person, type Scenario, scenarios } from './support.ts';

const outcomes: { name: string; outcome: Outcome; event: unknown }[] = [];
const { cloud: started, place } = scenarios({
  onOutcome: (name, outcome, event) => outcomes.push({ name, outcome, event }),
});
const inCrashes = place({ name: 'crashes', destination: { deletionGuard: { maxPercent: 100 } } });
let cloud: LocalCloud;
let it: Scenario;

beforeAll(async () => {
  cloud = started();
  it = inCrashes();
  await it.insert({ id: 'anchor', first_name: 'Anchor' });
  await it.run();
});

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
  { name: 'write-batch', event: 'upsert' },
  { name: 'write-batch', event: 'remove' },
] as const;

async function crashAndCheck(name: FunctionName, crash: Crash): Promise<void> {
  const people = await turnRows();
  const before = died();
  cloud.crashNext(name, crash);
  const run = await runThroughCrash();
  await allIsQuiet();
  cloud.crashNext(name, undefined);
  if (died() > before) deaths.push(`${name} ${crash.event}: ${crash.when} ${crash.at}`);
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

/** How many effects the parts of an undisturbed run have. */
async function effectsOfARun(): Promise<number[]> {
  await turnRows();
  outcomes.length = 0;
  await it.run();
  await allIsQuiet();
  return PARTS.map((part) =>
    Math.max(
      ...outcomes
        .filter(({ name, event }) => name === part.name && JSON.stringify(event).includes(part.event))
        .map(({ outcome }) => (outcome.kind === 'returned' ? outcome.effects : 0)),
    ),
  );
}

/** Every twelfth point, moved by one from part to part; all of them with ALL_CRASHES=1. The simulation dies at every one. */
const EVERY = process.env.ALL_CRASHES === '1' ? 1 : 12;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test.each([
  { at: 1, when: 'before' },
  { at: 2, when: 'before' },
  { at: 3, when: 'before' },
  { at: 4, when: 'before' },
  { at: 4, when: 'after' },
] as const)('start-run dies $when its effect $at', (crash) => crashAndCheck('start-run', crash));

test('a function that reads or writes dies before any of its effects, and after the last one', async () => {
  const effects = await effectsOfARun();
  expect(Math.min(...effects)).toBeGreaterThan(1);
  deaths.length = 0;
  for (const [index, { name, event }] of PARTS.entries()) {
    const count = effects[index] ?? 0;
    const points = upTo(count).filter((at) => (at + index) % EVERY === 0);
    for (const at of points) await crashAndCheck(name, { at, when: 'before', event });
    await crashAndCheck(name, { at: count, when: 'after', event });
  }
  // An effect more or less comes and goes with what a turn finds; all other points were reached.
  const planned = effects.reduce((sum, count) => sum + Math.floor(count / EVERY) + 1, 0);
  expect(deaths.length).toBeGreaterThanOrEqual(planned - PARTS.length);
}, 240_000);

const Delivered = z.object({ Records: z.array(z.object({ body: z.string() })) });

test('a dead letter is a view: put back later it changes nothing, and a poisoned message keeps no other waiting', async () => {
  await turnRows();
  outcomes.length = 0;
  await it.run();
  await allIsQuiet();
  const bodies = outcomes
    .filter(({ name }) => name === 'write-batch')
    .flatMap(({ event }) => Delivered.parse(event).Records.map(({ body }) => body));
  expect(bodies.length).toBeGreaterThan(1);
  const people = await turnRows();
  expect(await it.run()).toMatchObject({ status: 'succeeded' });
  const requests = cloud.braze().requests().length;
  const batchQueue = cloud.stack().eventSources.find(({ queueName }) => /batch/i.test(queueName))?.queueName ?? '';
  const QueueUrl = cloud.sqs.queueUrl(batchQueue);
  for (const MessageBody of [...bodies, '{"kind":"upsert"}', 'no JSON'])
    await cloud.sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  const next = await turnRows();
  expect(next).not.toEqual(people);
  expect(await it.run()).toMatchObject({ status: 'succeeded' });
  while ((await cloud.sqs.messages(batchQueue)) > 0) await setImmediate();
  expect(withoutUnmentioned(it.users())).toEqual(withoutUnmentioned(expected(next)));
  expect(cloud.braze().requests().length).toBeLessThanOrEqual(requests + 2);
  const dead = cloud.stack().queues.find(({ name }) => name === batchQueue)?.redrive?.to ?? '';
  expect(await cloud.sqs.messages(dead)).toBe(2);
}, 60_000);
