/**
 * `npm run chaos`: plays seeds on all cores and prints what they held; `--seed S --replay` tells one seed's history event
 * by event. Exits with 1 when a seed fails, after printing the shortest history that fails in the same way.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './build.ts';
import { historyOf } from './history.ts';
import { shrink } from './shrink.ts';
import { describeSpec, describeStep, simulate } from './simulate.ts';
import { Told } from './told.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Below node_modules, so that nothing of it is checked in or checked. */
const BUILD = join(ROOT, 'node_modules', '.cache', 'chaos');

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    replay: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    without: { type: 'string', multiple: true, default: [] },
  },
});

/** Failing seeds whose histories are made shorter; the others are only named. */
const SHRUNK = 3;

async function replay(seed: number): Promise<boolean> {
  const history = historyOf(seed);
  for (const [name, spec] of history.specs) console.log(`${name}: ${describeSpec(spec)}`);
  console.log(JSON.stringify(history.app));
  const { violations, traceHash } = await simulate(seed, { trace: console.log, without: values.without });
  for (const { invariant, text } of violations) console.log(`VIOLATION ${invariant}: ${text}`);
  console.log(`trace ${traceHash}`);
  return violations.length === 0;
}

async function campaign(from: number, seeds: number): Promise<Told[]> {
  mkdirSync(BUILD, { recursive: true });
  const program = join(BUILD, `campaign-${process.pid}.mjs`);
  await bundle(ROOT, 'campaign', program);
  const workers = Math.max(1, Math.min(availableParallelism(), seeds));
  const told: Told[] = [];
  await Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const share = Math.ceil((seeds - worker) / workers);
      const args = ['--from', String(from + worker), '--seeds', String(share), '--step', String(workers)];
      const without = values.without.flatMap((kind) => ['--without', kind]);
      return listen(program, [...args, ...without], (line) => {
        told.push(line);
        if (line.violation) console.log(`seed ${line.seed}: ${line.violation.invariant}: ${line.violation.text}`);
        else if (values.verbose) console.log(`seed ${line.seed}: ${line.runs} runs, ${line.requests} requests`);
      });
    }),
  );
  return told;
}

/** Runs a worker to its end. @throws Error when it does not end well. */
function listen(program: string, args: readonly string[], heard: (told: Told) => void): Promise<void> {
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: child.stdout }).on('line', (line) => heard(Told.parse(JSON.parse(line))));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
  });
}

function report(told: readonly Told[], durationMs: number): void {
  const sum = (count: (line: Told) => number): string =>
    told.reduce((total, line) => total + count(line), 0).toLocaleString('en-US');
  const faults = new Map<string, number>();
  for (const { faults: byKind } of told)
    for (const [kind, count] of Object.entries(byKind)) faults.set(kind, (faults.get(kind) ?? 0) + count);
  const lines: [string, string][] = [
    ['seeds', sum(() => 1)],
    ['runs', sum(({ runs }) => runs)],
    ['invocations', sum(({ invocations }) => invocations)],
    ['requests to Braze', sum(({ requests }) => requests)],
    [
      'virtual days',
      Math.round(told.reduce((total, line) => total + line.durationMs, 0) / 86_400_000).toLocaleString('en-US'),
    ],
    ['faults', sum((line) => Object.values(line.faults).reduce((total, count) => total + count, 0))],
    ...[...faults]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, count]): [string, string] => [`  ${kind}`, count.toLocaleString('en-US')]),
    ['failures', sum(({ violation }) => (violation ? 1 : 0))],
    ['seeds a minute', Math.round((told.length / durationMs) * 60_000).toLocaleString('en-US')],
  ];
  for (const [name, value] of lines) console.log(`${name.padEnd(40)}${value.padStart(12)}`);
}

async function printShortest(seed: number): Promise<void> {
  const { history, only, result } = await shrink(seed, values.without);
  console.log(`\nseed ${seed}, shortened to ${history.steps.length} steps and ${only.size} faults`);
  for (const [name, spec] of history.specs) console.log(`  ${name}: ${describeSpec(spec)}`);
  for (const step of history.steps) console.log(`  ${describeStep(step)}`);
  for (const { index, kind } of result.faults) console.log(`  fault ${index}: ${kind}`);
  const [violation] = result.violations;
  console.log(`  ${violation?.invariant}: ${violation?.text}`);
  if (values.verbose) await simulate(seed, { history, only, trace: console.log, without: values.without });
  console.log(`  npm run chaos -- --seed ${seed} --replay`);
}

if (values.seed !== undefined && values.replay) {
  process.exitCode = (await replay(Number(values.seed))) ? 0 : 1;
} else if (values.seed !== undefined) {
  await printShortest(Number(values.seed));
} else {
  const startedAt = process.hrtime.bigint();
  const told = await campaign(Number(values.from), Number(values.seeds));
  report(told, Number(process.hrtime.bigint() - startedAt) / 1e6);
  const failed = told
    .filter(({ violation }) => violation)
    .map(({ seed }) => seed)
    .sort((a, b) => a - b);
  for (const seed of failed.slice(0, SHRUNK)) await printShortest(seed);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
