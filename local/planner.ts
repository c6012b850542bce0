/** Plans in the local cloud: what a run would do, by the code that a run decides with. Nothing is sent or written. */
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { contextOf } from '../shared/runs/context.ts';
import { type PlanDeps, plan } from '../shared/runs/plan.ts';
import type { Plan, PlanOptions } from '../shared/runs/plan-tally.ts';
import { dataApi } from '../shared/warehouse/data-api.ts';
import type { LocalCloud } from './cloud.ts';
import { LOCAL_CREDENTIALS } from './dynamodb.ts';
import { REGION } from './template.ts';

/** What a plan knows of earlier runs. */
export type Known = Pick<PlanDeps, 'ledger' | 'runs'>;

export type Planner = {
  /** Returns what a run would do now; with `known`, what it would do after other runs than those of this cloud. */
  readonly plan: (destination: string, options?: Partial<PlanOptions>, known?: Known) => Promise<Plan>;
  readonly close: () => void;
};

const OPTIONS: PlanOptions = {
  approve: [],
  approveDeletions: false,
  retryRejections: false,
  resync: false,
  rekey: false,
  showValues: false,
};

/** Returns the planner of a local cloud; it follows the cloud's deployments. */
export function startPlanner(cloud: LocalCloud): Planner {
  const client = new RedshiftDataClient({
    endpoint: cloud.warehouse.url,
    region: REGION,
    credentials: LOCAL_CREDENTIALS,
  });
  return {
    plan: (destination, options = {}, known = { ledger: cloud.ledger(), runs: cloud.runs() }) => {
      const parameters = cloud.parameters();
      const warehouse = dataApi(client, contextOf(parameters, destination).warehouse);
      return plan({ parameters, warehouse, clock: cloud.clock, ...known }, destination, { ...OPTIONS, ...options });
    },
    close: () => client.destroy(),
  };
}
