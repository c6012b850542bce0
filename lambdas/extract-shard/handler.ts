/** Does one step of a run's extract: prepares it, reads a shard, or releases held removals. */
import { randomBytes } from 'node:crypto';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { SQSClient } from '@aws-sdk/client-sqs';
import * as z from 'zod';
import { dynamoLedger } from '../../shared/ledger/ledger.ts';
import { extractStep } from '../../shared/runs/extract-step.ts';
import { ExtractMessage } from '../../shared/runs/messages.ts';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import { systemClock } from '../../shared/time.ts';
import { dataApi } from '../../shared/warehouse/data-api.ts';
import { deployedParameters, documentClient, RETRIES } from '../common/clients.ts';
import { ExtractShardEnvironment } from '../common/environment.ts';
import { queueHandler } from '../common/sqs.ts';
import { telemetryLog, telemetryMetrics } from '../common/telemetry.ts';

const env = ExtractShardEnvironment.parse(process.env);
const clock = systemClock;
const db = documentClient();
const sqs = new SQSClient(RETRIES);
const redshift = new RedshiftDataClient(RETRIES);
const queueUrlByApp = new Map(Object.entries(z.record(z.string(), z.string()).parse(JSON.parse(env.BATCH_QUEUE_URLS))));
const log = telemetryLog(env.ENVIRONMENT);
const deps = {
  parameters: deployedParameters(),
  runs: dynamoRuns(db, env.RUNS_TABLE, clock),
  ledger: dynamoLedger(db, env.LEDGER_TABLE, clock),
  warehouse: (app: Parameters<typeof dataApi>[1]) => dataApi(redshift, app),
  extractQueue: sqsQueue(sqs, env.EXTRACT_QUEUE_URL, clock),
  batchQueue: (app: string) => sqsQueue(sqs, queueUrlByApp.get(app) ?? '', clock),
  newEpoch: () => randomBytes(6).toString('hex'),
  clock,
  log,
  metrics: telemetryMetrics(env.ENVIRONMENT),
};

export const handler = queueHandler(
  { sqs, queueUrl: env.EXTRACT_QUEUE_URL, log },
  ({ body, receiveCount, remainingMs }) =>
    extractStep({ ...deps, remainingMs }, ExtractMessage.parse(body), {
      receiveCount,
      maxReceiveCount: env.MAX_RECEIVE_COUNT,
    }),
);
