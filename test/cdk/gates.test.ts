/** What stands between the sources and a deployment: the rules at synthesis, the command itself, and the bundles. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { CfnQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import * as z from 'zod';
import type { WarehouseToBrazeStack } from '../../cdk/stack.ts';
import { addStack } from '../../cdk/synth.ts';
import { parseCheckedParameters } from '../../shared/parameters/checked.ts';
import { readParameters } from '../../shared/parameters/read.ts';
import { secretLikeness } from '../../shared/parameters/secret.ts';
import { parameters } from './parameters.ts';
import { inTemporaryDirectory, ROOT, Template, testApp } from './template.ts';

const temporary = mkdtempSync(join(tmpdir(), 'w2b-gates-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const DEMO_OUT = join(temporary, 'demo');
const RULES_OUT = join(temporary, 'rules');

/** An environment as on a machine that knows neither AWS nor a network: every proxy is a port where nobody listens. */
function isolated(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const nobody = 'http://127.0.0.1:9';
  const home = join(temporary, 'home');
  mkdirSync(home, { recursive: true });
  const proxies = { HTTP_PROXY: nobody, HTTPS_PROXY: nobody, http_proxy: nobody, https_proxy: nobody, NO_PROXY: '' };
  return { PATH: process.env.PATH ?? '', HOME: home, ...proxies, ...more };
}

type Ended = { readonly code: number | null; readonly output: string };

function ended(child: ChildProcess): Promise<Ended> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

/** Started first, as it takes longest; the rules are looked at meanwhile. */
const demo = ended(
  spawn('npx', ['cdk', 'synth', '--quiet', '--output', DEMO_OUT, '-c', 'environment=demo'], {
    cwd: ROOT,
    env: isolated(),
  }),
);

describe('rules at synthesis', () => {
  const Report = z.object({
    pluginReports: z.array(
      z.object({
        pluginName: z.string(),
        conclusion: z.string(),
        violations: z.array(z.object({ ruleName: z.string() })),
        suppressedViolations: z.array(z.object({ ruleName: z.string(), reason: z.string() })).default([]),
      }),
    ),
  });

  /** Synthesizes the stack with an addition; returns the report, and what was thrown. */
  function synthesized(outdir: string, add: (stack: WarehouseToBrazeStack) => void) {
    const app = testApp(outdir);
    add(addStack(app, parameters));
    const silenced = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      let thrown: unknown;
      try {
        app.synth();
      } catch (error) {
        thrown = error;
      }
      const text = readFileSync(join(outdir, 'validation-report.json'), 'utf8');
      return { thrown, reports: Report.parse(JSON.parse(text)).pluginReports };
    } finally {
      silenced.mockRestore();
    }
  }

  test('the stack breaks none of them', () => {
    const { thrown, reports } = synthesized(RULES_OUT, () => {});
    expect(thrown).toBeUndefined();
    expect(reports.map(({ pluginName }) => pluginName)).toContain('AwsSolutions');
    expect(reports.flatMap(({ violations }) => violations)).toEqual([]);
    const exceptions = reports.flatMap(({ suppressedViolations }) => suppressedViolations);
    expect(exceptions.filter(({ reason }) => reason.split(' ').length < 8)).toEqual([]);
  });

  const broken: [string, (stack: WarehouseToBrazeStack) => unknown, string[]][] = [
    [
      'a queue without a dead-letter queue and without TLS',
      (stack) => new Queue(stack, 'Bare'),
      ['AwsSolutions-SQS3', 'AwsSolutions-SQS4'],
    ],
    [
      'a value that CloudFormation refuses',
      (stack) => {
        const queue = stack.pipeline.extract.queue.node.defaultChild;
        if (queue instanceof CfnQueue) queue.visibilityTimeout = 999_999;
      },
      ['F3034'],
    ],
  ];

  test.each(broken)('%s ends the synthesis', (_, add, rules) => {
    const { thrown, reports } = inTemporaryDirectory((outdir) => synthesized(outdir, add));
    expect(String(thrown)).toContain('ValidationFailed');
    const found = reports.flatMap(({ violations }) => violations.map(({ ruleName }) => ruleName));
    expect(found.sort()).toEqual(rules);
  });
});

describe('npx cdk synth -c environment=demo', () => {
  const Asset = z.object({ source: z.object({ path: z.string() }) });
  const Assets = z.object({ files: z.record(z.string(), Asset) });
  const SourceMap = z.object({ version: z.literal(3), sources: z.array(z.string()) });
  const read = (...path: string[]): string => readFileSync(join(DEMO_OUT, ...path), 'utf8');

  let synth: Ended = { code: null, output: '' };
  beforeAll(async () => {
    synth = await demo;
  });

  test('works without an account and without a network', () => {
    expect(synth).toMatchObject({ code: 0 });
    expect(Template.parse(JSON.parse(read('w2b-demo.template.json'))).Outputs).toHaveProperty('StartRunFunction');
  });

  test('says what is wrong with its arguments, in one line and without a stack trace', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'cdk/app.ts'], {
      cwd: ROOT,
      env: isolated(),
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('-c environment=NAME')]);
  });

  test('refers to nothing that is not there', () => {
    const { Resources } = Template.parse(JSON.parse(read('w2b-demo.template.json')));
    const text = JSON.stringify(Resources);
    const referred = [...text.matchAll(/\{"Ref":"([^"]+)"|\{"Fn::GetAtt":\["([^"]+)"/g)].map(
      ([, ref, of]) => ref ?? of,
    );
    expect(referred.length).toBeGreaterThan(0);
    expect(referred.filter((id = '') => !id.startsWith('AWS::') && !(id in Resources))).toEqual([]);
  });

  test('makes a template without errors, where cfn-lint is there to say so', () => {
    const files = [join(DEMO_OUT, 'w2b-demo.template.json'), join(RULES_OUT, 'w2b-test.template.json')];
    const lint = spawnSync('cfn-lint', ['--non-zero-exit-code', 'error', '--format', 'parseable', ...files], {
      encoding: 'utf8',
    });
    if (lint.error) expect(lint.error).toMatchObject({ code: 'ENOENT' });
    else {
      expect(lint.stdout.split('\n').filter((line) => /:E\d{4}:/.test(line))).toEqual([]);
      expect(lint.status).toBe(0);
    }
  });

  describe('bundles', () => {
    const HANDLERS = ['start-run', 'extract-shard', 'write-batch'];
    /** What only synthesis, command line or local cloud need: a package, a text that gives it away, a file that has it. */
    const FOREIGN = [
      ['aws-cdk-lib', 'aws-cdk-lib', 'package.json'],
      ['yaml', 'YAMLParseError', 'dist/errors.js'],
      ['node-sql-parser', 'window_frame_clause', 'build/redshift.js'],
      ['@electric-sql/pglite', 'pglite.wasm', 'dist/pglite.js'],
      ['esbuild', 'ESBUILD_BINARY_PATH', 'lib/main.js'],
      ['commander', 'commander.helpDisplayed', 'lib/command.js'],
    ] as const;

    test.each(FOREIGN)('%s would be known by %s', (name, sign, file) => {
      expect(readFileSync(join(ROOT, 'node_modules', name, file), 'utf8').includes(sign)).toBe(true);
    });

    function bundleOf(handler: string): { folder: string; code: string; sources: string[] } {
      const { files } = Assets.parse(JSON.parse(read('w2b-demo.assets.json')));
      const found = Object.values(files).flatMap(({ source }) => {
        const folder = join(DEMO_OUT, source.path);
        if (!statSync(folder).isDirectory()) return [];
        const { sources } = SourceMap.parse(JSON.parse(readFileSync(join(folder, 'index.mjs.map'), 'utf8')));
        const isOf = sources.some((name) => name.endsWith(`lambdas/${handler}/handler.ts`));
        return isOf ? [{ folder, code: readFileSync(join(folder, 'index.mjs'), 'utf8'), sources }] : [];
      });
      expect(found).toHaveLength(1);
      return found[0] ?? { folder: '', code: '', sources: [] };
    }

    test.each(HANDLERS)('%s is one ES module of less than 2 MB, with its source map and its parameters', (handler) => {
      const { folder, code } = bundleOf(handler);
      expect(readdirSync(folder).sort()).toEqual(['index.mjs', 'index.mjs.map', 'parameters.json']);
      expect(code).toMatch(/export\s*\{/);
      expect(code.trimEnd()).toMatch(/\/\/# sourceMappingURL=index\.mjs\.map$/);
      expect(Buffer.byteLength(code)).toBeLessThan(2_000_000);
    });

    test.each(HANDLERS)('%s carries its parameters as they were checked, and no secret', (handler) => {
      const text = readFileSync(join(bundleOf(handler).folder, 'parameters.json'), 'utf8');
      const known = readParameters(join(ROOT, 'parameters/demo.yaml'));
      expect(parseCheckedParameters(text)).toEqual(known);
      const { apps } = parseCheckedParameters(text);
      const secrets = Object.values(apps).flatMap((app) =>
        app.type === 'braze' ? app.apiKeySecret : (app.secret ?? []),
      );
      expect(secrets).toEqual(['redshift/readonly', 'braze/rest-api-key']);
      expect(secrets.map(secretLikeness)).toEqual([undefined, undefined]);
    });

    test.each(HANDLERS.flatMap((handler) => FOREIGN.map(([name, sign]) => [handler, name, sign] as const)))(
      '%s carries nothing of %s',
      (handler, name, sign) => {
        const { code, sources } = bundleOf(handler);
        const isIn = (module: string) => (source: string) => `/${source}`.includes(`/node_modules/${module}/`);
        expect(sources.some(isIn('zod'))).toBe(true);
        expect(sources.filter(isIn(name))).toEqual([]);
        expect(code.includes(sign)).toBe(false);
      },
    );

    test.each(HANDLERS)('%s carries no code of synthesis, command line or local cloud', (handler) => {
      const { sources } = bundleOf(handler);
      expect(sources.filter((source) => /^(\.\.\/)*(cdk|cli|local|test)\//.test(source))).toEqual([]);
    });

    test('export a handler, and nothing else', () => {
      const script = `for (const file of process.argv.slice(1)) {
        const exported = await import(file);
        console.log(Object.entries(exported).map(([name, value]) => name + ' ' + typeof value).join());
      }`;
      const env = {
        ENVIRONMENT: 'demo',
        RUNS_TABLE: 'runs',
        LEDGER_TABLE: 'ledger',
        EXTRACT_QUEUE_URL: 'http://localhost/extract',
        BATCH_QUEUE_URL: 'http://localhost/batch',
        BATCH_QUEUE_URLS: '{"braze":"http://localhost/batch"}',
        BRAZE_APP: 'braze',
        MAX_RECEIVE_COUNT: '5',
        AWS_REGION: 'eu-central-1',
      };
      const modules = HANDLERS.map((handler) => join(bundleOf(handler).folder, 'index.mjs'));
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ['--no-warnings', '--input-type=module', '-e', script, ...modules],
        {
          env: isolated(env),
          encoding: 'utf8',
        },
      );
      expect(stderr).toBe('');
      expect(stdout.trim().split('\n')).toEqual(HANDLERS.map(() => 'handler function'));
    });
  });
});
