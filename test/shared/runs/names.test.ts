import { contextOf } from '../../../shared/runs/context.ts';
import { DestinationState } from '../../../shared/runs/model.ts';
import { namesOf, spentToday } from '../../../shared/runs/names.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { parametersWith } from './deps.ts';

const NOW = 10 * DAY_MS;
const formerly: Record<string, string[]> = { third: ['first', 'second'], second: ['first'] };
const points: Record<string, number> = { first: 1, second: 20, third: 300 };
const runs = {
  state: async (name: string) => DestinationState.parse({ formerly: formerly[name] }),
  spentSince: async (name: string, sinceMs: number) => (sinceMs === NOW - DAY_MS ? (points[name] ?? 0) : Number.NaN),
};
const context = (name: string, more: Record<string, unknown>) => contextOf(parametersWith({ [name]: more }), name);
const budget = { dataPointsPerDay: 1000 };

test.each([
  ['third', { budget }, ['third', 'first', 'second'], 321],
  ['fourth', { budget, renamedFrom: 'third' }, ['fourth', 'third', 'first', 'second'], 321],
  ['second', { budget }, ['second', 'first'], 21],
  ['other', { budget }, ['other'], 0],
])("%s with %j counts the day's cost under every name that it has had", async (name, more, names, cost) => {
  expect(await namesOf(runs, context(name, more))).toEqual(names);
  expect(await spentToday(runs, context(name, more), NOW)).toBe(cost);
});

test('nothing is counted where no day has a budget', async () => {
  expect(await spentToday(runs, context('third', { budget: { dataPointsPerRun: 5 } }), NOW)).toBe(0);
  expect(await spentToday(runs, context('third', {}), NOW)).toBe(0);
});
