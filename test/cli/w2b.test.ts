/**
 * The command as other programs use it: options, exit codes, what goes to stdout and what to stderr. Run in this process,
 * one command after the other on one folder, as a user would; the first test starts it as a process of its own.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import * as z from 'zod';
import { main } from '../../cli/main.ts';
import { startBrazeEmulator } from '../../local/braze/emulator.ts';
import { recordHash } from '../../shared/ledger/record-hash.ts';

const dir = mkdtempSync(join(tmpdir(), 'w2b-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, content: string): string => {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
};

const parameters = file(
  'shop.yaml',
  `
environment: shop
apps:
  warehouse: { type: redshift, workgroup: analytics, database: dev }
  braze: { type: braze, endpoint: https://rest.iad-01.braze.com, apiKeySecret: braze/key, settleSeconds: 0 }
models:
  customers:
    app: warehouse
    table: public.customers
    primaryKey: id
    groups: { big: { property: spent, op: gte, value: 100 } }
destinations:
  customers_to_braze:
    model: customers
    app: braze
    syncMode: sync
    mapping: { external_id: id, email: email }
    customAttributes: [spent]
    subscriptionGroups: { big: 11111111-1111-4111-8111-111111111111 }
    deletionGuard: { maxPercent: 40 }
  switched_off:
    model: customers
    app: braze
    enabled: false
    syncMode: enrich
    mapping: { external_id: id }
    customAttributes: { other: spent }
`,
);
const day1 = file(
  'day1.sql',
  `CREATE TABLE customers (id int, email varchar(100), spent decimal(10, 2));
   INSERT INTO customers VALUES (1, 'a@example.com', 120), (2, 'b@example.com', 10.5), (3, 'broken', 1), (4, NULL, NULL);`,
);
const state = join(dir, 'state');
const common = ['-p', parameters, '--local', state];

type Result = { code: number; stdout: string; stderr: string };

async function w2b(...args: string[]): Promise<Result> {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0),
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0),
  ];
  try {
    return { code: await main(['node', 'w2b', ...args]), stdout: out.join(''), stderr: err.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const RunOutput = z.object({
  runs: z.array(
    z.object({
      destination: z.string(),
      run: z.string().min(1),
      status: z.enum(['succeeded', 'held', 'partial', 'failed']),
      syncMode: z.enum(['sync', 'additive', 'enrich']),
      ...Object.fromEntries(
        [
          'extracted',
          'unchanged',
          'added',
          'changed',
          'removed',
          'held',
          'accepted',
          'rejected',
          'deleted',
          'requests',
          'dataPoints',
          'durationMs',
        ].map((name) => [name, z.int().min(0)]),
      ),
      rejections: z.array(z.looseObject({ recordHash: z.string(), reason: z.string().min(1) })),
      error: z.string().optional(),
    }),
  ),
});
/** Stdout has one JSON object and nothing else. */
const runs = ({ stdout }: Result) => {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return RunOutput.parse(JSON.parse(stdout)).runs;
};

test('the command runs as a process without a build step, and validates a file', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'w2b', '--', 'validate', '-p', parameters]);
  expect(stdout).toContain('no mistakes (2 destinations)');
});

test.each([
  ['nothing', [], 'w2b'],
  ['no parameter file', ['run', '--local', state], '--parameters'],
  ['no folder', ['run', '-p', parameters], '--local'],
  ['an unknown option', ['run', ...common, '--fast'], '--fast'],
  ['a file that is not there', ['plan', '-p', join(dir, 'nowhere.yaml'), '--local', state], 'nowhere.yaml'],
  ['an unknown destination', ['run', ...common, '-d', 'nobody'], "no destination 'nobody'"],
  [
    'plain http to another machine',
    ['run', ...common, '--braze-endpoint', 'http://rest.example.com'],
    'http://127.0.0.1',
  ],
  ['SQL that is not there', ['run', ...common, '--warehouse-sql', join(dir, 'none.sql')], 'none.sql'],
  ['secrets that are no JSON', ['run', ...common, '--secrets', day1], 'no JSON object'],
  ['groups without a resync', ['run', ...common, '--with-groups'], '--with-groups goes with --resync'],
  ['secrets without the key', ['run', ...common, '--secrets', file('empty.json', '{}')], 'braze/key'],
])('a command line with %s exits with 2 and says so on stderr alone', async (_, args, said) => {
  const result = await w2b(...args);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toContain(said);
});

test('validate exits with 2 and every mistake with its line', async () => {
  const broken = file(
    'broken.yaml',
    'environment: Bad Name\napps: {}\nmodels: {}\ndestinations:\n  x: { model: m, app: a, syncMode: mirror, mapping: {} }\n',
  );
  const result = await w2b('validate', '-p', broken);
  expect(result.code).toBe(2);
  for (const part of ['broken.yaml:1:', 'broken.yaml:5:', 'syncMode', 'mirror', 'external_id'])
    expect(result.stderr).toContain(part);
  const json = await w2b('validate', '-p', broken, '--json');
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stdout).problems.length).toBeGreaterThan(3);
});

test('help has examples for every command', async () => {
  for (const args of [['--help'], ['validate', '--help'], ['plan', '--help'], ['run', '--help']]) {
    const { code, stdout } = await w2b(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}w2b /);
  }
});

test('SQL that fails exits with 2 and names the statement', async () => {
  const result = await w2b('run', ...common, '--warehouse-sql', file('bad.sql', 'SELECT 1;\nSELEC 2;'));
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(/bad\.sql: statement 2, line 2/);
});

test('a plan says what a run would do, and neither sends nor writes', async () => {
  const human = await w2b('plan', ...common, '--warehouse-sql', day1);
  expect(human.code).toBe(0);
  expect(human.stdout).toContain('3 added');
  expect(human.stdout).not.toContain('a@example.com');
  const shown = await w2b('plan', ...common, '--show-values');
  expect(shown.stdout).toContain('a@example.com');
  const { stdout } = await w2b('plan', ...common, '--json');
  expect(JSON.parse(stdout).plans).toEqual([
    expect.objectContaining({
      destination: 'customers_to_braze',
      status: 'partial',
      added: 3,
      rejected: 1,
      requests: 1,
      dataPoints: 4,
      changedFields: {},
    }),
  ]);
});

test('a run does what the plan said, keeps its state, and a second one has nothing to do', async () => {
  const first = await w2b('run', ...common, '--json');
  expect(first.code).toBe(1);
  const [run] = runs(first);
  expect(run).toMatchObject({
    status: 'partial',
    extracted: 4,
    added: 3,
    accepted: 3,
    rejected: 1,
    requests: 1,
    dataPoints: 4,
  });
  expect(run?.rejections).toEqual([
    {
      ...{ recordHash: recordHash('3'), field: 'email', reason: 'is no valid email address' },
      ...{ tries: 1, since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) },
    },
  ]);
  const mended = await w2b(
    'run',
    ...common,
    '--json',
    '--warehouse-sql',
    file('mend.sql', "UPDATE customers SET email = 'c@example.com' WHERE id = 3"),
  );
  expect(mended.code).toBe(0);
  expect(runs(mended)).toMatchObject([{ status: 'succeeded', added: 1, unchanged: 3, rejections: [] }]);
  const idle = await w2b('run', ...common);
  expect(idle).toMatchObject({ code: 0, stderr: '' });
  expect(idle.stdout).toMatch(/4 unchanged, 0 added[\s\S]*0 data points, 0 requests/);
});

test('a plan counts the fields that changed and who joins or leaves a group', async () => {
  const change = file(
    'change.sql',
    "UPDATE customers SET spent = 500, email = 'bb@example.com' WHERE id = 2; UPDATE customers SET spent = 1 WHERE id = 1",
  );
  const { stdout } = await w2b('plan', ...common, '--json', '--warehouse-sql', change);
  expect(JSON.parse(stdout).plans[0]).toMatchObject({
    changed: 2,
    changedFields: { spent: 2, email: 1, big: 2 },
    groups: { big: { joined: 1, left: 1 } },
  });
});

test('held deletions exit with 1, are listed, discarded by one person, and approved by another', async () => {
  const gone = await w2b(
    'run',
    ...common,
    '--json',
    '--warehouse-sql',
    file('gone.sql', 'DELETE FROM customers WHERE id > 2'),
  );
  expect(gone.code).toBe(1);
  const [run] = runs(gone);
  expect(run).toMatchObject({ status: 'held', removed: 2, held: 2, deleted: 0, changed: 2 });

  const listed = await w2b('held', ...common, '--json');
  expect(listed.code).toBe(1);
  const hold = {
    ...{ destination: 'customers_to_braze', effect: 'deletions', records: 2, of: 4, run: run?.run },
    samples: [recordHash('3'), recordHash('4')].sort(),
  };
  expect(JSON.parse(listed.stdout)).toEqual({ held: [expect.objectContaining(hold)] });

  const discarded = await w2b('discard', 'deletions', ...common, '-d', 'customers_to_braze', '--by', 'jane');
  expect(discarded).toMatchObject({ code: 0, stderr: '' });
  expect(discarded.stdout).toContain('discarded: deletions');
  const nothingWaits = await w2b('held', ...common);
  expect(nothingWaits.code).toBe(0);
  expect(nothingWaits.stdout).toContain('discarded by jane');

  const approved = await w2b('run', ...common, '--json', '--approve', 'deletions', '--by', 'john');
  expect(approved.code).toBe(0);
  expect(runs(approved)).toMatchObject([{ status: 'succeeded', removed: 2, held: 0, deleted: 2 }]);
});

test('another Braze gets the requests with the key of the secrets file', async () => {
  const braze = await startBrazeEmulator({ keys: [{ key: 'my-key' }] });
  try {
    const secrets = file('secrets.json', JSON.stringify({ 'braze/key': { apiKey: 'my-key' } }));
    const elsewhere = ['-p', parameters, '--local', join(dir, 'elsewhere'), '--braze-endpoint', braze.url, '--json'];
    const ok = await w2b('run', ...elsewhere, '--secrets', secrets, '--warehouse-sql', day1);
    expect(runs(ok)).toMatchObject([{ status: 'partial', accepted: 3 }]);
    expect(
      braze
        .users()
        .map(({ externalId }) => externalId)
        .sort(),
    ).toEqual(['1', '2', '4']);
    expect(braze.violations()).toEqual([]);
    const wrong = file('wrong.json', JSON.stringify({ 'braze/key': 'another-key' }));
    const failed = await w2b(
      'run',
      ...elsewhere,
      '--secrets',
      wrong,
      '--warehouse-sql',
      file('touch.sql', 'UPDATE customers SET spent = 7'),
    );
    expect(failed.code).toBe(1);
    expect(runs(failed)).toMatchObject([{ status: 'failed', accepted: 0, error: expect.stringContaining('401') }]);
    expect(failed.stdout + failed.stderr).not.toContain('another-key');
  } finally {
    await braze.close();
  }
});

test('a disabled destination runs only when it is named', async () => {
  const named = await w2b('run', ...common, '--json', '-d', 'switched_off');
  expect(named.code).toBe(0);
  expect(runs(named)).toMatchObject([{ destination: 'switched_off', syncMode: 'enrich', accepted: 2 }]);
});
