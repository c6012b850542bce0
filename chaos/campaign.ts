/**
 * Seeds one after the other, told line by line as JSON: what a worker of `npm run chaos` and of `npm run mutants` runs.
 * Arguments: first seed, number of seeds, step between seeds, `stop` to end at the first failure, and seeds to `skip`.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';
import type { Told } from './told.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '100' },
    step: { type: 'string', default: '1' },
    stop: { type: 'boolean', default: false },
    skip: { type: 'string', multiple: true, default: [] },
    without: { type: 'string', multiple: true, default: [] },
  },
});

const tell = (told: Told): void => {
  process.stdout.write(`${JSON.stringify(told)}\n`);
};

const [from, seeds, step] = [Number(values.from), Number(values.seeds), Number(values.step)];
const skipped = new Set(values.skip.map(Number));
for (let seed = from; seed < from + seeds * step; seed += step) {
  if (skipped.has(seed)) continue;
  const { violations, faults, runs, invocations, requests, durationMs } = await simulate(seed, {
    without: values.without,
  });
  const byKind: Record<string, number> = {};
  for (const { kind } of faults) byKind[kind] = (byKind[kind] ?? 0) + 1;
  const [violation] = violations;
  tell({ seed, runs, invocations, requests, durationMs, faults: byKind, ...(violation ? { violation } : {}) });
  if (violation && values.stop) break;
}
