/**
 * `npm run mutants`: does the simulation notice? Each mutant is one seeded defect, a text that is replaced in a copy of the
 * sources; seeds are played on it until one fails. A mutant that is missed shows a hole in the model or in the faults.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './build.ts';
import { MUTANTS, type Mutant } from './mutant-list.ts';
import { Told } from './told.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    /** Only mutants whose names contain one of these. */
    only: { type: 'string', multiple: true, default: [''] },
  },
});

type Verdict = { readonly mutant: Mutant; readonly seeds: number; readonly invariant: string | undefined };

/** Seeds that fail without any mutant: they tell nothing. */
let skipped: readonly number[] = [];

/** Plays seeds on a mutant until one fails. @throws Error when its text is not there exactly once. */
async function judge(mutant: Mutant): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  try {
    for (const part of ['shared', 'lambdas', 'chaos', 'package.json', 'tsconfig.json'])
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const path = join(folder, mutant.file);
    writeFileSync(path, mutated(readFileSync(path, 'utf8'), mutant));
    const program = join(folder, 'campaign.mjs');
    await bundle(folder, 'campaign', program);
    const { heard, error } = await play(program, Number(values.from), Number(values.seeds), ['--stop']);
    const violation = heard.find((told) => told.violation)?.violation;
    // A defect that takes the process down has been noticed, too.
    return { mutant, seeds: heard.length, invariant: violation?.invariant ?? error };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the seeds that fail on the sources as they are. */
async function failing(): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  try {
    const program = join(folder, 'campaign.mjs');
    await bundle(ROOT, 'campaign', program);
    const [from, seeds] = [Number(values.from), Number(values.seeds)];
    const workers = availableParallelism();
    const shares = await Promise.all(
      Array.from({ length: workers }, (_, worker) =>
        play(program, from + worker, Math.ceil((seeds - worker) / workers), ['--step', String(workers)]),
      ),
    );
    const all = shares.flatMap(({ heard }) => heard);
    return all.filter(({ violation }) => violation).map(({ seed }) => seed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns a source with the mutant's defect. @throws Error when its text is not there exactly once. */
function mutated(source: string, { name, find, replace }: Mutant): string {
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`the text of mutant '${name}' occurs ${parts.length - 1} times`);
  return parts.join(replace);
}

/** Plays seeds in a process of its own. Returns what it told, and its last words where it did not end well. */
function play(
  program: string,
  from: number,
  seeds: number,
  options: readonly string[],
): Promise<{ heard: Told[]; error: string | undefined }> {
  const skip = skipped.flatMap((seed) => ['--skip', String(seed)]);
  const args = [program, '--from', String(from), '--seeds', String(seeds), ...options, ...skip];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: MAX_PLAY_MS });
  const heard: Told[] = [];
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  createInterface({ input: child.stdout }).on('line', (line) => heard.push(Told.parse(JSON.parse(line))));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const words = errors.trim().split('\n').at(-1) ?? '';
      resolve({ heard, error: code === 0 ? undefined : `the process ends: ${words || 'it takes too long'}` });
    });
  });
}

/** A defect that keeps a history going for ever has been noticed as well. */
const MAX_PLAY_MS = 180_000;

skipped = await failing();
if (skipped.length > 0) console.log(`fail without any mutant, and are skipped: seeds ${skipped.join(', ')}\n`);
const mutants = MUTANTS.filter(({ name }) => values.only.some((part) => name.includes(part)));
const left = [...mutants];
const verdicts: Verdict[] = [];
const print = ({ mutant, seeds, invariant }: Verdict): void => {
  console.log(`${mutant.name.padEnd(58)} ${invariant === undefined ? 'MISSED' : invariant} (${seeds} seeds)`);
};
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const verdict = await judge(mutant);
      verdicts.push(verdict);
      print(verdict);
    }
  }),
);
const missed = verdicts.filter(({ invariant }) => invariant === undefined);
console.log(`\n${verdicts.length} mutants, ${verdicts.length - missed.length} caught, ${missed.length} missed`);
for (const verdict of missed) print(verdict);
process.exitCode = missed.length > 0 ? 1 : 0;
