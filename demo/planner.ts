/** Plans of the local cloud, by the same code as `w2b plan`; also over an empty ledger, which is what sending everything would be. */
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { planText } from '../cli/output.ts';
import type { LocalCloud } from '../local/cloud.ts';
import { LOCAL_CREDENTIALS } from '../local/dynamodb.ts';
import { REGION } from '../local/template.ts';
import { contextOf } from '../shared/runs/context.ts';
import { type PlanDeps, plan } from '../shared/runs/plan.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';
import { dataApi } from '../shared/warehouse/data-api.ts';

export type Planner = {
  /** Returns what a run would do now. */
  readonly plan: (destination: string) => Promise<Plan>;
  /** Returns what a run would do if Braze had nothing. */
  readonly planOfEverything: (destination: string) => Promise<Plan>;
  readonly close: () => void;
};

const OPTIONS = {
  approve: [],
  approveDeletions: false,
  retryRejections: false,
  resync: false,
  rekey: false,
  showValues: false,
} as const;

type Known = Pick<PlanDeps, 'ledger' | 'runs'>;

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
  const client = new RedshiftDataClient({
    endpoint: cloud.warehouse.url,
    region: REGION,
    credentials: LOCAL_CREDENTIALS,
  });
  const planWith = (destination: string, { ledger, runs }: Known): Promise<Plan> => {
    const parameters = cloud.parameters();
    const { clock } = cloud;
    const warehouse = dataApi(client, contextOf(parameters, destination).warehouse);
    return plan({ parameters, warehouse, ledger, runs, clock }, destination, OPTIONS);
  };
  return {
    plan: (destination) => planWith(destination, { ledger: cloud.ledger(), runs: cloud.runs() }),
    planOfEverything: (destination) => planWith(destination, NOTHING_KNOWN),
    close: () => client.destroy(),
  };
}

/** Returns the lines of a plan, as `w2b plan` prints them. */
export const planLines = (made: Plan): string => planText(made);
