/**
 * The demo's story: a car dealer's first days with Braze, told while they happen in the local cloud.
 *
 * Every claim is checked: what Braze holds against a query of its own on the warehouse (check.ts), what a run counted
 * against what the emulator has seen. What differs ends the story with a StoryDiffers that says how.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runText } from '../cli/output.ts';
import type { BrazeEmulator } from '../local/braze/emulator.ts';
import type { LocalCloud } from '../local/cloud.ts';
import type { Rejection, Run, Totals } from '../shared/runs/model.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';
import { DAY_MS, HOUR_MS } from '../shared/time.ts';
import { differencesOf, expectedProfiles, type GroupNames, type Profile, profileOf } from './check.ts';
import type { Page } from './page.ts';
import { type Planner, planLines } from './planner.ts';

/** Something did not happen as the story tells it. */
export class StoryDiffers extends Error {}

export type Stage = { readonly cloud: LocalCloud; readonly planner: Planner; readonly page: Page };

const DESTINATION = 'customers_to_braze';
const GROUP = 'high_value_recent_car_buyers';
/** The customers whom the story follows, by number. */
const ZOE = '1';
const HENRIK = '2';
/** What day-2.sql does. */
const DAY_2 = { walkedIn: 5, mended: 6, left: 3 } as const;
const MOST_SHOWN = 5;

/** Tells the whole story. @throws StoryDiffers when anything is not as it says. */
export async function tellStory(stage: Stage): Promise<void> {
  await warehouseChapter(stage);
  await planChapter(stage);
  await firstRunChapter(stage);
  profileChapter(stage);
  await dayChapter(stage);
  await emptyTableChapter(stage);
  await tableIsBackChapter(stage);
  nextChapter(stage);
}

const Counts = z.array(z.object({ what: z.string(), count: z.coerce.number() }));

async function warehouseChapter({ cloud, page }: Stage): Promise<void> {
  await cloud.warehouse.exec(sqlFile('day-1.sql'));
  const counted = async (column: string, table: string): Promise<z.infer<typeof Counts>> =>
    Counts.parse(
      await cloud.warehouse.query(
        `SELECT ${column} AS what, COUNT(*)::int AS count FROM ${table} GROUP BY 1 ORDER BY 2 DESC, 1`,
      ),
    );
  const customers = await counted('country', 'customers');
  const purchases = await counted('kind', 'purchases');
  const list = (counts: typeof customers): string => counts.map(({ what, count }) => `${what} ${count}`).join(', ');
  const sum = (counts: typeof customers): string => number(counts.reduce((total, { count }) => total + count, 0));
  page.chapter('What is in the warehouse');
  page.say(`A car dealer keeps customers and purchases in a Redshift warehouse. In this demo everything runs on your
    machine: PostgreSQL answers as Redshift does, and an emulator stands in for Braze. It is stricter than Braze: what
    Braze would silently lose, it reports.`);
  page.table([
    ['customers', `${sum(customers)} rows`, list(customers)],
    ['purchases', `${sum(purchases)} rows`, list(purchases)],
  ]);
  page.say(`The file parameters/demo.yaml says what Braze should know: which columns go into which attributes, and who
    belongs to which subscription group. ${GROUP} are the customers who spent 30,000 or more and bought a car within
    the last 180 days; newsletter_readers are those who want a newsletter and gave an address.`);
}

async function planChapter({ cloud, planner, page }: Stage): Promise<void> {
  page.chapter('A plan: what would happen');
  const plan = await planner.plan(DESTINATION);
  page.say('Before anything is sent, a plan tells what a run would do. It reads the warehouse, and writes nothing.');
  page.show(planLines({ ...plan, samples: plan.samples.slice(0, 1), rejections: [] }));
  const expected = await expectedProfiles(queryOf(cloud));
  equal('customers that the plan would send', plan.totals.accepted, expected.size);
  const members = [...expected.values()].filter((profile) => profile.has(GROUP)).length;
  equal(`members of ${GROUP} in the plan`, plan.groups[GROUP]?.joined, members);
  equal('users in Braze after the plan', cloud.braze().users().length, 0);
  page.say(`The last line is a sample of the records. They go by a hash of their key there, so that a plan can be passed
    around without anybody's data in it. Braze still has no users.`);
}

async function firstRunChapter(stage: Stage): Promise<void> {
  const { cloud, page } = stage;
  page.chapter('The first run');
  const { run, rejections } = await runOnce(stage);
  page.show(runText(run, []));
  const totals = totalsOf(run);
  equal('status of the first run', run.status, 'partial');
  equal('records accepted and rows rejected', totals.accepted + totals.rejected, totals.extracted);
  equal('data points', totals.dataPoints, cloud.braze().dataPoints());
  page.say(`"Partial" means that all was sent that could be, and that ${totals.rejected} rows could not. Braze would have
    refused them, or would have said yes and then lost a part of them. So they stay behind, each with its reason, until
    somebody mends the row:`);
  page.table(await Promise.all(rejections.map((rejection) => explained(cloud, rejection))));
  page.say(`Two rows with the same number are both left out: nobody can know which of them is the customer.`);
  page.checked(`Braze has ${await braceIsTrue(stage)} users, and each of their values is what the warehouse says.`);
}

const Person = z.object({ who: z.string() });

/** Who is behind a rejection: a person with access to the warehouse finds the row by the hash of its key. */
async function explained(cloud: LocalCloud, { hash, field, reason }: Rejection): Promise<string[]> {
  const where = hash === '' ? 'customer_id IS NULL' : 'MD5(customer_id::varchar) = $1';
  const found = await cloud.warehouse.query(
    `SELECT COALESCE(customer_id::varchar, 'no number') || ', ' || first_name || ' ' || last_name AS who
     FROM customers WHERE ${where}`,
    hash === '' ? [] : [hash],
  );
  const { who } = Person.parse(found[0]);
  return [who, field === 'external_id' ? reason : `${field} ${reason}`];
}

function profileChapter({ cloud, page }: Stage): void {
  page.chapter('One customer in Braze');
  page.say(`This is Zoé Lefèvre, customer ${ZOE}, as Braze has her after the run. A field that is empty in the warehouse
    is not mentioned to Braze at all.`);
  page.table([...orderedProfile(profileIn(cloud, ZOE))].map(([name, value]) => [name, value]));
}

async function dayChapter(stage: Stage): Promise<void> {
  const { cloud, planner, page } = stage;
  const before = { zoe: profileIn(cloud, ZOE), henrik: profileIn(cloud, HENRIK), seen: seenBy(cloud.braze()) };
  page.chapter('A day goes by');
  page.say(`Zoé buys the electric car she wished for. ${words(DAY_2.walkedIn)} new customers walk in, eight come for a
    service or buy something small, some move, marry or change their address, ${words(DAY_2.left)} ask to be forgotten.
    Somebody mends yesterday's list of rejections. And Henrik Sjöberg does nothing at all: but he bought his Volvo 179 and
    a half days before the first run, so a day later that is no longer "within the last 180 days".`);
  cloud.advance(DAY_MS);
  await cloud.warehouse.exec(sqlFile('day-2.sql'));
  const plan = await planner.plan(DESTINATION);
  page.show(planLines({ ...plan, samples: [] }));
  const { run } = await runOnce(stage);
  const totals = totalsOf(run);
  page.show(runText(run, []));
  planIsRun(plan, totals);
  equal('status of the second run', run.status, 'succeeded');
  equal('new records', totals.added, DAY_2.walkedIn + DAY_2.mended);
  equal('deleted users', totals.deleted, DAY_2.left);
  const since = changeSince(before.seen, cloud.braze());
  equal('data points of the second run', totals.dataPoints, since.dataPoints);
  equal('requests of the second run', totals.requests, since.requests);
  await savingsPart(stage, totals);

  const zoe = profileIn(cloud, ZOE);
  holds(zoe.has(GROUP) && !before.zoe.has(GROUP), `Zoé joins ${GROUP}`);
  const henrik = profileIn(cloud, HENRIK);
  holds(before.henrik.has(GROUP) && !henrik.has(GROUP), `Henrik leaves ${GROUP}`);
  page.say('Zoé, before and after. Only the lines with an arrow were sent:');
  page.table(sideBySide(before.zoe, zoe));
  page.say(`She is in the audience of the campaign from now on. Henrik was taken out of it, though not a single value of
    his has changed:`);
  page.table(sideBySide(before.henrik, henrik).filter(([, , arrow]) => arrow !== ''));
  page.say('The three who left are deleted in Braze, and the mended rows have arrived.');
  page.checked(`Braze has ${await braceIsTrue(stage)} users, and each of their values is what the warehouse says.`);
}

/** What the same day had cost if everything were sent: the real plan, over a ledger that knows nothing. */
async function savingsPart({ planner, page }: Stage, totals: Totals): Promise<void> {
  const everything = (await planner.planOfEverything(DESTINATION)).totals;
  const saved = 100 * (1 - totals.dataPoints / everything.dataPoints);
  holds(saved > 90, 'the differences cost less than a tenth of everything');
  page.say(
    `Where Braze bills by data points, each value that is set costs one, whether it changed or not. So it matters
    that only differences travel:`,
  );
  page.table([
    ['', 'users', 'requests', 'data points'],
    ['everything again', ...[everything.accepted, everything.requests, everything.dataPoints].map(number)],
    ['the differences', ...[totals.accepted + totals.deleted, totals.requests, totals.dataPoints].map(number)],
    ['saved', '', '', `${saved.toFixed(1)} %`],
  ]);
}

async function emptyTableChapter(stage: Stage): Promise<void> {
  const { cloud, page } = stage;
  const seen = seenBy(cloud.braze());
  page.chapter('A table is emptied by mistake');
  page.say(`At night a job empties the table of customers and breaks before it has filled it again. For the warehouse,
    nobody is a customer any more. An hour later the next run comes by:`);
  await cloud.warehouse.exec('CREATE TABLE customers_kept AS SELECT * FROM customers; DELETE FROM customers;');
  cloud.advance(HOUR_MS);
  const { run } = await runOnce(stage);
  page.show(runText(run, []));
  const totals = totalsOf(run);
  equal('status of the run over an empty table', run.status, 'held');
  equal('deletions held', totals.held, seen.users);
  const since = changeSince(seen, cloud.braze());
  equal('users lost', since.users, 0);
  equal('requests sent', since.requests, 0);
  page.say(`The run found ${number(totals.removed)} customers gone. Deleting users in Braze cannot be undone, so a run that
    would delete more than the limits in the parameter file allow (here 10 percent), or that finds no rows at all, holds
    every deletion and raises an alarm.`);
  page.checked(`Braze still has ${number(cloud.braze().users().length)} users. Not one request was sent.`);
}

async function tableIsBackChapter(stage: Stage): Promise<void> {
  const { cloud, page } = stage;
  const seen = seenBy(cloud.braze());
  page.chapter('The table is back');
  page.say('In the morning the job is mended and the customers are there again. Nobody has to clean up anything:');
  await cloud.warehouse.exec('INSERT INTO customers SELECT * FROM customers_kept; DROP TABLE customers_kept;');
  cloud.advance(HOUR_MS);
  const { run } = await runOnce(stage);
  page.show(runText(run, []));
  const totals = totalsOf(run);
  equal('status of the run over the table that is back', run.status, 'succeeded');
  equal('rows unchanged', totals.unchanged, totals.extracted);
  equal('requests sent', changeSince(seen, cloud.braze()).requests, 0);
  page.checked(`Nothing to do, and Braze is true to the warehouse: ${await braceIsTrue(stage)} users.`);
}

function nextChapter({ page }: Stage): void {
  page.chapter('What to try next');
  page.say('The same on your own, with the state kept in the folder .w2b:');
  page.show(
    [
      'npx w2b plan -p parameters/demo.yaml --local .w2b --warehouse-sql demo/day-1.sql --show-values',
      'npx w2b run  -p parameters/demo.yaml --local .w2b',
      'npx w2b run  -p parameters/demo.yaml --local .w2b --warehouse-sql demo/day-2.sql',
    ].join('\n'),
  );
  page.say('Change a group or a mapping in parameters/demo.yaml, then look before you send:');
  page.show('npx w2b validate -p parameters/demo.yaml\nnpx w2b plan -p parameters/demo.yaml --local .w2b');
  page.say('README.md tells how to deploy it to AWS, docs/parameters.md what a parameter file can say.');
}

// What the chapters share

type Told = { readonly run: Run; readonly rejections: readonly Rejection[] };

async function runOnce({ cloud }: Stage): Promise<Told> {
  const run = await cloud.run({ destination: DESTINATION });
  if (run.error) throw new StoryDiffers(`the run failed: ${run.error.found}. ${run.error.next}`);
  return { run, rejections: await cloud.runs().rejections(run.run, 100) };
}

/** Compares Braze with the warehouse, as a whole. Returns how many users it has. */
async function braceIsTrue({ cloud }: Stage): Promise<string> {
  const braze = cloud.braze();
  braze.settle();
  const users = braze.users();
  const found = [
    ...differencesOf(await expectedProfiles(queryOf(cloud)), users, groupNames(cloud)),
    ...braze.violations().map((violation) => `Braze would lose something: ${JSON.stringify(violation)}`),
  ];
  if (found.length > 0) throw new StoryDiffers(someOf(found));
  return number(users.length);
}

const someOf = (found: readonly string[]): string =>
  [
    'Braze is not what the warehouse says:',
    ...found.slice(0, MOST_SHOWN).map((difference) => `- ${difference}`),
    ...(found.length > MOST_SHOWN ? [`and ${found.length - MOST_SHOWN} more`] : []),
  ].join('\n');

type Seen = { readonly users: number; readonly requests: number; readonly dataPoints: number };

function seenBy(braze: BrazeEmulator): Seen {
  braze.settle();
  return { users: braze.users().length, requests: braze.requests().length, dataPoints: braze.dataPoints() };
}

function changeSince(before: Seen, braze: BrazeEmulator): Seen {
  const after = seenBy(braze);
  return {
    users: before.users - after.users,
    requests: after.requests - before.requests,
    dataPoints: after.dataPoints - before.dataPoints,
  };
}

function planIsRun(plan: Plan, totals: Totals): void {
  for (const count of ['added', 'changed', 'removed', 'accepted', 'deleted', 'requests', 'dataPoints'] as const)
    equal(`${count}, planned and done`, totals[count], plan.totals[count]);
}

function profileIn(cloud: LocalCloud, externalId: string): Profile {
  const user = cloud.braze().user(externalId);
  if (!user) throw new StoryDiffers(`Braze has no user ${externalId}`);
  return profileOf(user, groupNames(cloud));
}

/** Attributes as they come, groups last. */
const orderedProfile = (profile: Profile): [string, string][] =>
  [...profile].sort(([, one], [, other]) => Number(one === 'member') - Number(other === 'member'));

function sideBySide(before: Profile, after: Profile): string[][] {
  const names = [...new Map([...orderedProfile(before), ...orderedProfile(after)]).keys()];
  const groupsLast = names.sort(
    (one, other) => Number(isGroup(one, before, after)) - Number(isGroup(other, before, after)),
  );
  return groupsLast.map((name) => {
    const [old = '-', now = '-'] = [before.get(name), after.get(name)];
    return [name, old, old === now ? '' : '→', old === now ? '' : now];
  });
}

const isGroup = (name: string, before: Profile, after: Profile): boolean =>
  before.get(name) === 'member' || after.get(name) === 'member';

const groupNames = ({ parameters }: LocalCloud): GroupNames =>
  Object.fromEntries(
    Object.entries(parameters().destinations[DESTINATION]?.subscriptionGroups ?? {}).map(([group, id]) => [id, group]),
  );

const queryOf =
  ({ warehouse }: LocalCloud) =>
  (sql: string): Promise<unknown[]> =>
    warehouse.query(sql);

const sqlFile = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

function totalsOf({ totals }: Run): Totals {
  if (!totals) throw new StoryDiffers('the run ended without totals');
  return totals;
}

function equal(what: string, found: unknown, told: unknown): void {
  if (found !== told) throw new StoryDiffers(`${what}: the story says ${told}, but it is ${found}`);
}

function holds(isTrue: boolean, what: string): void {
  if (!isTrue) throw new StoryDiffers(`the story says that ${what}, but it is not so`);
}

const number = (value: number): string => value.toLocaleString('en-US');
const WORDS: Readonly<Record<number, string>> = { 3: 'three', 5: 'Five', 6: 'six' };
const words = (value: number): string => WORDS[value] ?? String(value);
