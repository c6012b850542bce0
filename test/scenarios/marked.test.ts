/**
 * Nothing of a person and no secret gets out: rows whose every value carries a mark go through everything that can go
 * wrong, and then every log line, metric, item, error, queue attribute, alarm and template is searched for the marks.
 *
 * Primary keys may be in the ledger and in intents (docs/security.md); nowhere else, and nothing else.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import { App } from 'aws-cdk-lib';
import * as z from 'zod';
import { WarehouseToBrazeStack } from '../../cdk/stack.ts';
import type { Run } from '../../shared/runs/model.ts';
import { type Person, type Scenario, scenarios } from './support.ts';

const API_KEY = 'Mk-7f3a-api-key-1b9d';
const KEY = 'Mk-7f3a-key';
const VALUE = 'Mk-7f3a-value';
/** Numbers and times cannot carry a text: these occur nowhere else. */
const SCORE = 918273.25;
const JOINED = '2031-02-03 04:05:06';
/** Whatever of a row could be recognized, in any case. A key that has been shortened begins like all of them. */
const MARKS = ['mk-7f3a', '918273', '2031-02-03', '04:05:06'];

const lines: string[] = [];
const events: unknown[] = [];
const { cloud, place } = scenarios({
  secrets: { 'braze/rest-api-key': API_KEY },
  onLog: (name, line) => lines.push(`${name} ${line}`),
  onOutcome: (_, outcome, event) => events.push({ outcome, event }),
});

let number = 0;
/** A person whose every value and key is marked. */
function marked(change: Partial<Person> = {}): Person {
  number++;
  return {
    id: `${KEY}-${number}`,
    email: `${VALUE}-${number}@example.com`,
    first_name: `${VALUE} ${number}`,
    score: SCORE + number,
    joined: JOINED,
    notes: JSON.stringify({ [`${VALUE}-name-${number}`]: `${VALUE}-nested-${number}` }),
    ...change,
  };
}

const runs: Run[] = [];
/** What Braze had in the end, as JSON. */
let arrived = '';
async function run(it: Scenario, options?: Parameters<Scenario['run']>[0]): Promise<Run> {
  const ended = await it.run(options);
  runs.push(ended);
  return ended;
}

const notes = {
  customAttributes: { score: 'score', joined: 'joined', notes: { property: 'notes', type: 'object' } },
} as const;

/** Braze's answers that quote all of a request, and the key with it. */
const quoting = (status: number, quote: (said: string) => object) => {
  cloud()
    .braze()
    .fault({
      path: '/users/track',
      kind: 'status',
      status,
      body: JSON.parse(
        JSON.stringify(
          quote(`user ${KEY}-${number}: ${VALUE}-${number}@EXAMPLE.com of ${API_KEY} (${SCORE + number})`),
        ),
      ),
    });
};

const inMarked = place({ name: 'marked', destination: notes });
const inTrips = place({
  name: 'marked_trips',
  destination: { customAttributes: ['n'] },
  model: {
    table: undefined,
    query: 'SELECT id, email, first_name, score, joined, vip, notes::int AS n FROM marked_trips',
  },
});

beforeAll(async () => {
  const it = inMarked();

  // Good rows, and all kinds of bad ones.
  const twin = marked();
  await it.insert(marked(), marked(), twin, { ...twin, first_name: `${VALUE} twin` });
  await it.insert(
    marked({ email: `${VALUE} is no address` }),
    marked({ first_name: VALUE.repeat(50) }),
    marked({ notes: `{"${VALUE}": null}` }),
    marked({ notes: `${VALUE} {` }),
    marked({ id: `${KEY}${'x'.repeat(990)}` }),
    marked({ id: null }),
  );
  await run(it);

  // Refusals that quote: of one object by name, of one in all, and of the whole workspace.
  await it.insert(marked());
  quoting(201, (said) => ({ message: 'success', errors: [{ type: said, input_array: 'attributes', index: 0 }] }));
  await run(it);
  await it.insert(marked());
  quoting(400, (said) => ({ message: said }));
  await run(it);
  for (const status of [401, 403, 404, 422]) {
    await it.insert(marked());
    quoting(status, (said) => ({ message: `Invalid API key: ${API_KEY}: ${said}` }));
    // The key is read anew after a 401, and is the same: the run fails at once.
    await run(it);
  }

  // Statements that fail: the warehouse's own words, in the forms that Redshift has for them.
  for (const message of [
    `ERROR: invalid input syntax for integer: "${VALUE}"`,
    `ERROR:\n  error:  Invalid digit, Value 'M', Pos 0, Type: Integer\n  code:  1207\n  context:  ${VALUE} ${SCORE}\n`,
    `ERROR: Key (id)=(${KEY}) ${VALUE}@example.com ${JOINED}`,
  ]) {
    cloud().warehouse.faults.failStatement(message);
    await run(it);
  }

  // A function dies in the middle, and its answer is lost.
  await it.insert(marked());
  cloud().crashNext('write-batch', { at: 2, when: 'after' });
  cloud().braze().fault({ path: '/users/track', kind: 'cut_after', times: 2 });
  await run(it);

  // Removals that are held.
  await it.sql('DELETE FROM people');
  await run(it);

  arrived = JSON.stringify(cloud().braze().users());

  // A query of its own that trips over a value.
  const trips = inTrips();
  await trips.insert(marked({ notes: VALUE }));
  await run(trips);

  // Messages that nobody has made, on each queue that functions work on.
  const queues = cloud()
    .stack()
    .queues.filter(({ redrive }) => redrive !== undefined);
  for (const { name } of queues) {
    for (const body of [`{"${VALUE}": ${KEY}`, JSON.stringify({ kind: 'upsert', [VALUE]: KEY, records: [VALUE] })]) {
      await cloud().sqs.client.send(
        new SendMessageCommand({ QueueUrl: cloud().sqs.queueUrl(name), MessageBody: body }),
      );
    }
  }
  while (lines.filter((line) => line.includes('message comes again') && /(Syntax|Zod)Error/.test(line)).length < 4) {
    await sleep(20);
  }
}, 180_000);

/** The marks in a text; a JSON text is searched as it is, so that escapes hide nothing of ASCII. */
const marksIn = (text: string): string[] => MARKS.filter((mark) => text.toLowerCase().includes(mark));
const found = (texts: readonly string[]): string[] => texts.filter((text) => marksIn(text).length > 0);

test('everything has happened that was to happen', () => {
  expect(runs.map(({ status, error }) => [status, error?.found.replace(/ \(in: .*/, '')])).toEqual([
    ['partial', undefined],
    ['partial', undefined],
    ['partial', undefined],
    ...[401, 403, 404, 422].map((status) => [
      'failed',
      expect.stringContaining(`Braze answered ${status}: Invalid API key: <redacted>`),
    ]),
    ['failed', 'Redshift: ERROR: invalid input syntax for integer: "…"'],
    ['failed', expect.stringContaining('code: 1207 context: …')],
    ['failed', 'Redshift: ERROR: Key (…) …'],
    ['partial', undefined],
    ['held', undefined],
    ['failed', 'Redshift: ERROR: invalid input syntax for type integer: "…"'],
  ]);
  expect(arrived).toContain(VALUE);
});

test('no log line and no metric has a mark', () => {
  expect(lines.filter((line) => line.includes('_aws')).length).toBeGreaterThan(10);
  expect(lines.length).toBeGreaterThan(50);
  expect(found(lines)).toEqual([]);
});

test('no invocation ends with an error that has one', () => {
  const ends = events.map((event) => JSON.stringify(z.object({ outcome: z.unknown() }).parse(event).outcome));
  expect(ends.filter((end) => end.includes('died')).length).toBeGreaterThan(0);
  expect(found(ends)).toEqual([]);
});

test('no message of a queue has one outside of its body', () => {
  const Record = z.looseObject({ body: z.string() });
  const records = events.flatMap(
    (event) => z.object({ event: z.object({ Records: z.array(Record).default([]) }) }).parse(event).event.Records,
  );
  expect(found(records.map(({ body }) => body)).length).toBeGreaterThan(0);
  expect(found(records.map(({ body: _, ...rest }) => JSON.stringify(rest)))).toEqual([]);
});

const Item = z.looseObject({ pk: z.string(), sk: z.string() });
async function items(table: 'LEDGER_TABLE' | 'RUNS_TABLE') {
  const name = cloud()
    .stack()
    .functions.map(({ environment }) => environment[table])
    .find((each) => each !== undefined);
  const all: z.infer<typeof Item>[] = [];
  for await (const page of paginateScan({ client: cloud().dynamo.client }, { TableName: name })) {
    all.push(...z.array(Item).parse(page.Items ?? []));
  }
  expect(all.length).toBeGreaterThan(0);
  return all;
}

const written = (item: object): string =>
  JSON.stringify(item, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value instanceof Set ? [...value] : value,
  );

test('the ledger has primary keys and nothing else', async () => {
  const all = await items('LEDGER_TABLE');
  const keyed = all.filter((item) => marksIn(written(item)).length > 0);
  expect(keyed.length).toBeGreaterThan(3);
  const rest = keyed.map(({ k: _, ...others }) => written(others));
  expect(found(rest)).toEqual([]);
  expect(all.filter((item) => written(item).includes(API_KEY) || written(item).includes(VALUE))).toEqual([]);
});

test('the runs table has primary keys in intents, and nothing else', async () => {
  const all = await items('RUNS_TABLE');
  const keyed = all.filter((item) => marksIn(written(item)).length > 0);
  const elsewhere = keyed.filter(({ pk }) => !pk.startsWith('intents#'));
  expect(elsewhere.map(({ pk, sk }) => `${pk} ${sk}`)).toEqual([]);
  const texts = keyed.map((item) => written(item).replaceAll(KEY, ''));
  expect(found(texts)).toEqual([]);
});

test('the template, its alarms, and what the functions are told have none', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'w2b-marked-'));
  try {
    const app = new App({ outdir, context: { 'aws:cdk:bundling-stacks': [] }, builtinCloudFormationValidation: false });
    const stack = new WarehouseToBrazeStack(app, 'w2b-marked', { parameters: cloud().parameters() });
    app.synth();
    const template = readFileSync(join(outdir, stack.templateFile), 'utf8');
    expect(template).toContain('AlarmDescription');
    expect(found([template, JSON.stringify(cloud().stack()), JSON.stringify(cloud().parameters())])).toEqual([]);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
});
