/**
 * Starts a run of a destination: invoked by its schedule, or by hand with `{"destination": "…"}`. With `{"sweep": true}`
 * it closes runs whose messages are lost.
 */
import type { SQSClient } from '@aws-sdk/client-sqs';
import { sqsQueue } from '../../shared/runs/queue.ts';
import {
  STUCK_AFTER_MS,
  type StartEvent,
  type StartOutcome,
  SweepEvent,
  type SweepOutcome,
  startRun,
  sweep,
} from '../../shared/runs/start-run.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import type { FunctionDeps } from '../common/deps.ts';
import type { StartRunEnvironment } from '../common/environment.ts';

const isSweep = (event: StartEvent | SweepEvent): event is SweepEvent => SweepEvent.safeParse(event).success;

/** Returns the handler, wired to its clients. */
export function startRunFunction(
  env: StartRunEnvironment,
  { db, sqs, clock, ...deps }: FunctionDeps & { readonly sqs: SQSClient },
): (event: StartEvent | SweepEvent) => Promise<StartOutcome | SweepOutcome> {
  const wired = {
    ...deps,
    runs: dynamoRuns(db, env.RUNS_TABLE, clock),
    extractQueue: sqsQueue(sqs, env.EXTRACT_QUEUE_URL, clock),
    stuckAfterMs: STUCK_AFTER_MS,
    clock,
  };
  return (event) => (isSweep(event) ? sweep(wired) : startRun(wired, event));
}
