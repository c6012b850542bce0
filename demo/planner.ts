/** Plans of the local cloud, by the same code as `w2b plan`; also over an empty ledger, which is what sending everything would be. */
import { planText } from '../cli/output.ts';
import type { LocalCloud } from '../local/cloud.ts';
import { type Known, type Planner as LocalPlanner, startPlanner } from '../local/planner.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';

export type Planner = LocalPlanner & {
  /** Returns what a run would do if Braze had nothing. */
  readonly planOfEverything: (destination: string) => Promise<Plan>;
};

const NOTHING_KNOWN: Known = {
  ledger: { entries: nothing, dictionary: async () => undefined },
  runs: {
    intents: nothing,
    batch: async () => ({ run: undefined, shard: undefined, settled: 'no' }),
    state: async () => ({ lastClosedAt: 0 }),
    holds: async () => [],
    heldHashes: async () => new Set(),
    spentSince: async () => 0,
  },
};

async function* nothing(): AsyncGenerator<never> {}

/** Returns the planner of a local cloud. */
export function plannerOf(cloud: LocalCloud): Planner {
  const planner = startPlanner(cloud);
  return { ...planner, planOfEverything: (destination) => planner.plan(destination, {}, NOTHING_KNOWN) };
}

/** Returns the lines of a plan, as `w2b plan` prints them. */
export const planLines = (made: Plan): string => planText(made);
