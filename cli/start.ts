/** What a command line asks of a run, as start-run and the plan take it. */
import { userInfo } from 'node:os';
import type { PlanOptions } from '../shared/runs/plan-tally.ts';
import type { StartEvent } from '../shared/runs/start-run.ts';
import { type CommandOptions, Mistake } from './options.ts';

/** Returns who decides: as stated, or the user of this machine. */
export const personOf = (options: Pick<CommandOptions, 'by'>): string => options.by ?? userInfo().username;

/** Returns the event that starts a run. @throws Mistake for options that say nothing together. */
export function startEvent(destination: string, options: CommandOptions): StartEvent {
  if (options.withGroups && !options.resync) throw new Mistake('--with-groups goes with --resync.');
  return {
    destination,
    approve: [...options.approve],
    approveDeletions: options.approveDeletions === true,
    by: personOf(options),
    retryRejections: options.retryRejections === true,
    resync: options.resync === true,
    withGroups: options.withGroups === true,
    rekey: options.rekey === true,
  };
}

/** Returns what a plan is to count. @throws Mistake as startEvent does. */
export function planOptions(options: CommandOptions): PlanOptions {
  const { resync, withGroups, ...event } = startEvent('', options);
  return {
    approve: event.approve ?? [],
    approveDeletions: event.approveDeletions === true,
    retryRejections: event.retryRejections === true,
    rekey: event.rekey === true,
    resync: resync === true && (withGroups ? 'groups' : 'attributes'),
    showValues: options.showValues === true,
  };
}
