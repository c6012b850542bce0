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
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    /** Only mutants whose names contain this. */
    only: { type: 'string', default: '' },
  },
});

type Verdict = { readonly mutant: Mutant; readonly seeds: number; readonly invariant: string | undefined };

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
    return await play(program, mutant);
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

function play(program: string, mutant: Mutant): Promise<Verdict> {
  const args = [program, '--from', values.from, '--seeds', values.seeds, '--stop'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let seeds = 0;
  let invariant: string | undefined;
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    seeds++;
    invariant = Told.parse(JSON.parse(line)).violation?.invariant ?? invariant;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      // A defect that takes the process down has been noticed, too.
      if (code !== 0 && invariant === undefined)
        invariant = `the process ends: ${errors.trim().split('\n').at(-1) ?? ''}`;
      resolve({ mutant, seeds, invariant });
    });
  });
}

const mutants = MUTANTS.filter(({ name }) => name.includes(values.only));
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
