/**
 * `npm run fuzz`: fires at every parser of what comes from outside, and ends with 1 at the first defect.
 * Options: --runs N (1,000,000 unless given), --seed S (1), --only NAME (a target). A defect is repeated by its seed and
 * `--runs 1`.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { parts, runTarget, TARGETS } from './run.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const targets = TARGETS.filter(({ name }) => values.only === undefined || name === values.only);
if (targets.length === 0) throw new Error(`--only is one of: ${TARGETS.map(({ name }) => name).join(', ')}`);

/** A hang leaves nobody to tell of it but another thread: it watches a count that each input raises. */
const watched = new SharedArrayBuffer(8);
const counts = new Int32Array(watched);
const HANGS_AFTER_MS = 60_000;
const watchdog = new Worker(
  `const { workerData, parentPort } = require('node:worker_threads');
  const counts = new Int32Array(workerData.watched);
  let last = -1;
  setInterval(() => {
    if (counts[0] === last) {
      require('node:fs').writeSync(2, 'hangs: target ' + counts[1] + ', input ' + counts[0] + '\\n');
      process.kill(process.pid, 'SIGKILL');
    }
    last = counts[0];
  }, workerData.afterMs);`,
  { eval: true, workerData: { watched, afterMs: HANGS_AFTER_MS } },
);
watchdog.unref();

const MAX_TOLD = 2000;
const say = (line: string): void => void writeSync(1, `${line}\n`);
let total = 0;
let seconds = 0;
for (const [target, inputs] of parts(targets, Number(values.runs))) {
  counts[1] = TARGETS.indexOf(target);
  const result = await runTarget(target, inputs, {
    runs: Number(values.runs),
    seed: Number(values.seed),
    now: () => performance.now(),
    before: () => {
      counts[0] = (counts[0] ?? 0) + 1;
    },
  });
  total += result.inputs;
  seconds += result.seconds;
  const outcomes = [...result.outcomes].sort(([, one], [, other]) => other - one);
  const told = outcomes.slice(0, 6).map(([outcome, count]) => `${outcome} ${count}`);
  say(
    `${target.name.padEnd(18)} ${String(result.inputs).padStart(8)}  ${result.seconds.toFixed(1).padStart(6)} s  ${told.join(', ')}`,
  );
  if (result.defect) {
    const { seed, error } = result.defect;
    say(`\n${target.name}: ${String(error instanceof Error ? error.stack : error).slice(0, MAX_TOLD)}`);
    say(`again: npm run fuzz -- --only '${target.name}' --seed ${seed} --runs 1`);
    process.exitCode = 1;
    break;
  }
}
say(`${'all'.padEnd(18)} ${String(total).padStart(8)}  ${seconds.toFixed(1).padStart(6)} s`);
