/** Starts a run of a destination: invoked by its schedule, or by hand with `{"destination": "…"}`. */
import type { SQSClient } from '@aws-sdk/client-sqs';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { STUCK_AFTER_MS, type StartEvent, type StartOutcome, startRun } from '../../shared/runs/start-run.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import type { FunctionDeps } from '../common/deps.ts';
import type { StartRunEnvironment } from '../common/environment.ts';

/** Returns the handler, wired to its clients. */
export function startRunFunction(
  env: StartRunEnvironment,
  { db, sqs, clock, ...deps }: FunctionDeps & { readonly sqs: SQSClient },
): (event: StartEvent) => Promise<StartOutcome> {
  const wired = {
    ...deps,
    runs: dynamoRuns(db, env.RUNS_TABLE, clock),
    extractQueue: sqsQueue(sqs, env.EXTRACT_QUEUE_URL, clock),
    stuckAfterMs: STUCK_AFTER_MS,
    clock,
  };
  return (event) => startRun(wired, event);
}
