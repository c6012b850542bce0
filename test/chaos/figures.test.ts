/** The simulation goes by the template's timeouts, tries and concurrency. */
import { readFileSync } from 'node:fs';
import * as figures from '../../chaos/figures.ts';

const sources = ['pipeline.ts', 'work-queue.ts']
  .map((file) => readFileSync(new URL(`../../cdk/${file}`, import.meta.url), 'utf8'))
  .join('\n');

/** Returns a constant of the stack: a number, or a duration in ms. @throws Error when it is not there. */
function constant(name: string): number {
  const [, unit, duration, plain] =
    new RegExp(`const ${name} = (?:Duration\\.(\\w+)\\((\\d+)\\)|(\\d+));`).exec(sources) ?? [];
  if (plain !== undefined) return Number(plain);
  const unitMs = { seconds: 1_000, minutes: 60_000, days: 86_400_000 }[unit ?? ''];
  if (unitMs === undefined) throw new Error(`the stack has no constant ${name}`);
  return Number(duration) * unitMs;
}

test.each([
  ['START_TIMEOUT', figures.START_TIMEOUT_MS],
  ['EXTRACT_TIMEOUT', figures.EXTRACT_TIMEOUT_MS],
  ['WRITE_TIMEOUT', figures.WRITE_TIMEOUT_MS],
  ['MAX_RECEIVE_COUNT', figures.MAX_RECEIVE_COUNT],
  ['EXTRACT_CONCURRENCY', figures.EXTRACT_CONCURRENCY],
  ['BATCH_RETENTION', figures.BATCH_RETENTION_MS],
  ['VISIBILITY_TIMEOUTS', figures.VISIBILITY_TIMEOUTS],
])('%s of the stack is %i here too', (name, figure) => {
  expect(constant(name)).toBe(figure);
});

test('one message is worked on in an invocation', () => {
  expect(sources).toContain('batchSize: 1,');
});
