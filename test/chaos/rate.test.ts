/** The rate of an app whose destinations all run at once, and what a hot destination does to another one. */
import { type Measured, measureRate } from '../../chaos/rate.ts';
import type { AppSpec } from '../../chaos/specs.ts';

const APP: AppSpec = {
  requestsPerSecond: 20,
  concurrency: 5,
  maxUsersPerRequest: 1,
  lookupsPerMinute: 250,
  settleSeconds: 5,
};
/** Batches of a destination that is not hot. */
const BATCHES = 30;
const EIGHT = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8'];

const durationOf = ({ durationMs }: Measured, name: string): number => durationMs.get(name) ?? Number.NaN;

test.each([
  [20, 1],
  [20, 2],
  [50, 3],
  [8, 4],
])(
  'eight destinations keep %i requests a second within a tenth, in any three seconds (seed %i)',
  async (rate, seed) => {
    const rows = new Map(EIGHT.map((name) => [name, BATCHES]));
    const app = { ...APP, requestsPerSecond: rate };
    const measured = await measureRate({ seed, app, rows, answerMs: 30 });
    expect(measured.requests).toBe(EIGHT.length * BATCHES);
    expect(measured.busiest).toBeLessThanOrEqual(rate * 3 * 1.1);
    expect([...measured.durationMs.values()]).not.toContain(undefined);
  },
);

test.each([11, 12, 13])('destinations that have the same users never send one at once (seed %i)', async (seed) => {
  const rows = new Map(['d1', 'd2', 'd3'].map((name) => [name, BATCHES]));
  const { requests, durationMs } = await measureRate({ seed, app: APP, rows, apartMs: 1, answerMs: 900, shared: true });
  expect(requests).toBe(3 * BATCHES);
  expect([...durationMs.values()]).not.toContain(undefined);
});

test('the rate is used where there is enough to send', async () => {
  const { busiest } = await measureRate({ seed: 5, app: APP, rows: new Map([['d1', 300]]), answerMs: 30 });
  expect(busiest).toBeGreaterThan(0.8 * 3 * APP.requestsPerSecond);
});

describe('a destination with twenty times the batches, started first', () => {
  const measure = async (rows: ReadonlyMap<string, number>, fair: boolean) =>
    durationOf(
      await measureRate({ seed: 7, app: { ...APP, requestsPerSecond: 10 }, rows, apartMs: 15_000, answerMs: 30, fair }),
      'cold',
    );
  const HOT = new Map([
    ['hot', 20 * BATCHES],
    ['cold', BATCHES],
  ]);
  const ALONE = new Map([['cold', BATCHES]]);

  test('another one takes three times as long as alone at most', async () => {
    const [alone, beside] = [await measure(ALONE, true), await measure(HOT, true)];
    expect(beside / alone).toBeLessThan(3);
  });

  test('without groups of messages it would wait for the hot one', async () => {
    const [alone, beside] = [await measure(ALONE, false), await measure(HOT, false)];
    expect(beside / alone).toBeGreaterThan(8);
  });
});
