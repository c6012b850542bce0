/** Writes batches of one Braze app: one request a batch, at the app's pace. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { Agent } from 'undici';
import { brazeClient } from '../../shared/braze/client.ts';
import { lookupPace, requestPace } from '../../shared/braze/pace.ts';
import { dynamoLedger } from '../../shared/ledger/ledger.ts';
import { brazeApp } from '../../shared/runs/context.ts';
import { BatchMessage } from '../../shared/runs/messages.ts';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import { restAfter, writeBatch } from '../../shared/runs/write-batch.ts';
import { apiKeyIn } from '../../shared/secrets/secrets.ts';
import { systemClock } from '../../shared/time.ts';
import { deployedParameters, documentClient, RETRIES } from '../common/clients.ts';
import { WriteBatchEnvironment } from '../common/environment.ts';
import { queueHandler } from '../common/sqs.ts';
import { telemetryLog, telemetryMetrics } from '../common/telemetry.ts';

const env = WriteBatchEnvironment.parse(process.env);
const clock = systemClock;
const db = documentClient();
const sqs = new SQSClient(RETRIES);
const log = telemetryLog(env.ENVIRONMENT);
const app = brazeApp(deployedParameters(), env.BRAZE_APP);
const apiKey = apiKeyIn(new SecretsManagerClient(RETRIES), app.apiKeySecret);
const client = brazeClient(new Agent(), app.endpoint, apiKey.get);
const pace = requestPace(clock, app.requestsPerSecond, app.concurrency);
const deps = {
  runs: dynamoRuns(db, env.RUNS_TABLE, clock),
  ledger: dynamoLedger(db, env.LEDGER_TABLE, clock),
  batchQueue: sqsQueue(sqs, env.BATCH_QUEUE_URL, clock),
  deliver: { client, clock, pace, renewKey: apiKey.renew },
  lookup: { client, clock, pace: lookupPace(clock, app.lookupsPerMinute, app.concurrency), renewKey: apiKey.renew },
  clock,
  log,
  metrics: telemetryMetrics(env.ENVIRONMENT),
};

export const handler = queueHandler(
  { sqs, queueUrl: env.BATCH_QUEUE_URL, log },
  async ({ body, receiveCount, remainingMs }) => {
    const received = { message: BatchMessage.parse(body), receiveCount, maxReceiveCount: env.MAX_RECEIVE_COUNT };
    await restAfter({ ...deps, remainingMs }, writeBatch({ ...deps, remainingMs }, received));
  },
);
