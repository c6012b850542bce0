/** Starts a run of a destination: invoked by its schedule, or by hand with `{"destination": "…"}`. */
import { SQSClient } from '@aws-sdk/client-sqs';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { STUCK_AFTER_MS, type StartEvent, type StartOutcome, startRun } from '../../shared/runs/start-run.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import { systemClock } from '../../shared/time.ts';
import { deployedParameters, documentClient, RETRIES } from '../common/clients.ts';
import { StartRunEnvironment } from '../common/environment.ts';
import { telemetryLog, telemetryMetrics } from '../common/telemetry.ts';

const env = StartRunEnvironment.parse(process.env);
const clock = systemClock;
const deps = {
  parameters: deployedParameters(),
  runs: dynamoRuns(documentClient(), env.RUNS_TABLE, clock),
  extractQueue: sqsQueue(new SQSClient(RETRIES), env.EXTRACT_QUEUE_URL, clock),
  stuckAfterMs: STUCK_AFTER_MS,
  clock,
  log: telemetryLog(env.ENVIRONMENT),
  metrics: telemetryMetrics(env.ENVIRONMENT),
};

export const handler = (event: StartEvent): Promise<StartOutcome> => startRun(deps, event);
