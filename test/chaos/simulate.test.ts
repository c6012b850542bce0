/** Seeded histories of the whole path: `npm run chaos` plays more of them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundle } from '../../chaos/build.ts';
import { shrink } from '../../chaos/shrink.ts';
import { type Result, simulate } from '../../chaos/simulate.ts';
import { Told } from '../../chaos/told.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SEEDS = 220;

test(`${SEEDS} histories keep every invariant`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  try {
    const program = join(folder, 'campaign.mjs');
    await bundle(ROOT, 'campaign', program);
    const { stdout } = await promisify(execFile)(process.execPath, [program, '--seeds', String(SEEDS)]);
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => Told.parse(JSON.parse(line)));
    expect(told.filter(({ violation }) => violation)).toEqual([]);
    expect(told).toHaveLength(SEEDS);
    // Histories in which nothing happens would hold anything.
    const sum = (count: (line: Told) => number) => told.reduce((total, line) => total + count(line), 0);
    expect(sum(({ requests }) => requests)).toBeGreaterThan(5 * SEEDS);
    expect(sum(({ faults }) => Object.keys(faults).length)).toBeGreaterThan(2 * SEEDS);
    expect(sum(({ runs }) => runs)).toBeGreaterThan(4 * SEEDS);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([7, 12, 1234])('seed %i has one trace, however often it is played', async (seed) => {
  const lines: string[][] = [[], []];
  const [first, second] = [
    await simulate(seed, { trace: (line) => lines[0]?.push(line) }),
    await simulate(seed, { trace: (line) => lines[1]?.push(line) }),
  ];
  expect(lines[0]?.length).toBeGreaterThan(100);
  expect(lines[1]).toEqual(lines[0]);
  expect(second.traceHash).toBe(first.traceHash);
});

test('another seed has another trace', async () => {
  const [first, second] = [
    await simulate(1, { trace: () => undefined }),
    await simulate(2, { trace: () => undefined }),
  ];
  expect(second.traceHash).not.toBe(first.traceHash);
});

test('faults that are left out do not happen', async () => {
  const seed = await firstSeed(({ faults }) => faults.length > 3);
  const { faults } = await simulate(seed);
  const [, second] = faults;
  const only = new Set(second ? [second.index] : []);
  const played = await simulate(seed, { only });
  expect(played.faults.every(({ index }) => only.has(index))).toBe(true);
  expect(played.violations).toEqual([]);
});

test('a seed that does not fail has no shortest failing history', async () => {
  await expect(shrink(1)).rejects.toThrow('does not fail');
});

async function firstSeed(fits: (result: Result) => boolean): Promise<number> {
  for (let seed = 1; ; seed++) if (fits(await simulate(seed))) return seed;
}
