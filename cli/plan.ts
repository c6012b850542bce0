/** `w2b plan`: what a run of each destination would do. */
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import type { LocalCloud } from '../local/cloud.ts';
import { LOCAL_CREDENTIALS } from '../local/dynamodb.ts';
import { REGION } from '../local/template.ts';
import { contextOf } from '../shared/runs/context.ts';
import { plan } from '../shared/runs/plan.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';
import { dataApi } from '../shared/warehouse/data-api.ts';
import { inLocalCloud } from './local.ts';
import { type CommandOptions, ExitCode } from './options.ts';
import { countsOf, heldList, planText, rejectionList } from './output.ts';
import { planOptions } from './start.ts';

/** Plans the destinations. Returns the exit code. */
export const planCommand = (options: CommandOptions): Promise<number> =>
  inLocalCloud(options, async (cloud, { destinations }) => {
    const client = new RedshiftDataClient({
      endpoint: cloud.warehouse.url,
      region: REGION,
      credentials: LOCAL_CREDENTIALS,
    });
    try {
      const plans: { plan: Plan; durationMs: number }[] = [];
      for (const destination of destinations) {
        const startedAt = Date.now();
        const made = await planDestination(cloud, client, destination, options);
        plans.push({ plan: made, durationMs: Date.now() - startedAt });
        if (!options.json) process.stdout.write(planText(made));
      }
      if (options.json) process.stdout.write(`${JSON.stringify({ plans: plans.map(jsonOf) })}\n`);
      else if (destinations.length === 0) process.stderr.write('No destination is enabled.\n');
      return ExitCode.ok;
    } finally {
      client.destroy();
    }
  });

const planDestination = (
  cloud: LocalCloud,
  client: RedshiftDataClient,
  destination: string,
  options: CommandOptions,
): Promise<Plan> =>
  plan(
    {
      parameters: cloud.parameters(),
      warehouse: dataApi(client, contextOf(cloud.parameters(), destination).warehouse),
      ledger: cloud.ledger(),
      runs: cloud.runs(),
      clock: cloud.clock,
    },
    destination,
    planOptions(options),
  );

/** A plan in the form that other programs read: the counts of a run, and what would change. */
const jsonOf = ({ plan: made, durationMs }: { plan: Plan; durationMs: number }) => ({
  destination: made.destination,
  status: made.status,
  syncMode: made.syncMode,
  ...countsOf(made.totals),
  changedFields: made.changedFields,
  groups: made.groups,
  ...(made.held.length > 0 ? { holds: heldList(made.held) } : {}),
  durationMs,
  samples: made.samples,
  rejections: rejectionList(made.rejections),
});
