/** `w2b plan`: what a run of each destination would do. */
import { startPlanner } from '../local/planner.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';
import { inLocalCloud } from './local.ts';
import { type CommandOptions, ExitCode } from './options.ts';
import { countsOf, heldList, planText, rejectionList } from './output.ts';
import { planOptions } from './start.ts';

/** Plans the destinations. Returns the exit code. */
export const planCommand = (options: CommandOptions): Promise<number> =>
  inLocalCloud(options, async (cloud, { destinations }) => {
    const planner = startPlanner(cloud);
    try {
      const plans: { plan: Plan; durationMs: number }[] = [];
      for (const destination of destinations) {
        const startedAt = Date.now();
        const made = await planner.plan(destination, planOptions(options));
        plans.push({ plan: made, durationMs: Date.now() - startedAt });
        if (!options.json) process.stdout.write(planText(made));
      }
      if (options.json) process.stdout.write(`${JSON.stringify({ plans: plans.map(jsonOf) })}\n`);
      else if (destinations.length === 0) process.stderr.write('No destination is enabled.\n');
      return ExitCode.ok;
    } finally {
      planner.close();
    }
  });

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
