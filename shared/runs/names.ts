/** The names that a destination has had: a rename goes on with what its runs have left under the former ones. */
import { DAY_MS } from '../time.ts';
import type { DestinationContext } from './context.ts';
import type { RunStore } from './store.ts';

/**
 * Returns every name under which runs may have left intents that are of the destination's ledger: its own and those that it
 * had before. The parameters name the last of them only, and not for ever.
 */
export async function namesOf(
  runs: Pick<RunStore, 'state'>,
  { name, destination: { renamedFrom } }: Pick<DestinationContext, 'name' | 'destination'>,
): Promise<string[]> {
  const { formerly = [] } = await runs.state(name);
  if (renamedFrom === undefined) return [name, ...formerly];
  const { formerly: before = [] } = await runs.state(renamedFrom);
  return [...new Set([name, ...formerly, renamedFrom, ...before])];
}

/**
 * Returns the data points that runs have cost in the 24 hours before a time (epoch ms), under every name that the
 * destination has had; 0 where nobody asks.
 */
export async function spentToday(
  runs: Pick<RunStore, 'spentSince' | 'state'>,
  context: DestinationContext,
  beforeMs: number,
): Promise<number> {
  if (context.destination.budget?.dataPointsPerDay === undefined) return 0;
  const names = await namesOf(runs, context);
  const spent = await Promise.all(names.map((name) => runs.spentSince(name, beforeMs - DAY_MS)));
  return spent.reduce((sum, dataPoints) => sum + dataPoints, 0);
}
