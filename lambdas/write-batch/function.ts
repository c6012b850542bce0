/** Writes batches of one Braze app: one request a batch, at the app's pace. */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { SQSHandler } from 'aws-lambda';
import type { Dispatcher } from 'undici';
import type * as z from 'zod';
import { brazeClient } from '../../shared/braze/client.ts';
import { lookupPace, requestPace } from '../../shared/braze/pace.ts';
import { dynamoLedger } from '../../shared/ledger/ledger.ts';
import { brazeApp, neighboursOf } from '../../shared/runs/context.ts';
import { BatchMessage } from '../../shared/runs/messages.ts';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import { restAfter, writeBatch } from '../../shared/runs/write-batch.ts';
import { apiKeyIn } from '../../shared/secrets/secrets.ts';
import type { FunctionDeps } from '../common/deps.ts';
import type { WriteBatchEnvironment } from '../common/environment.ts';
import { queueHandler } from '../common/sqs.ts';

export type WriteBatchDeps = FunctionDeps & {
  readonly sqs: SQSClient;
  readonly secrets: SecretsManagerClient;
  /** Carries the requests to Braze. */
  readonly dispatcher: Dispatcher;
};

/** Returns the handler, wired to its clients. Its pace and its key live as long as the execution environment. */
export function writeBatchFunction(env: z.output<typeof WriteBatchEnvironment>, given: WriteBatchDeps): SQSHandler {
  const { parameters, db, sqs, secrets, dispatcher, ...deps } = given;
  const { clock, log } = deps;
  const app = brazeApp(parameters, env.BRAZE_APP);
  const apiKey = apiKeyIn(secrets, app.apiKeySecret);
  const client = brazeClient(dispatcher, app.endpoint, apiKey.get);
  const pace = requestPace(clock, app.requestsPerSecond, app.concurrency);
  const wired = {
    ...deps,
    runs: dynamoRuns(db, env.RUNS_TABLE, clock),
    ledger: dynamoLedger(db, env.LEDGER_TABLE, clock),
    neighbours: (destination: string) => neighboursOf(parameters, destination),
    batchQueue: sqsQueue(sqs, env.BATCH_QUEUE_URL, clock),
    deliver: { client, clock, pace, renewKey: apiKey.renew },
    lookup: { client, clock, pace: lookupPace(clock, app.lookupsPerMinute, app.concurrency), renewKey: apiKey.renew },
  };
  return queueHandler({ sqs, queueUrl: env.BATCH_QUEUE_URL, log }, async ({ body, receiveCount, remainingMs }) => {
    const received = { message: BatchMessage.parse(body), receiveCount, maxReceiveCount: env.MAX_RECEIVE_COUNT };
    await restAfter({ ...wired, remainingMs }, writeBatch({ ...wired, remainingMs }, received));
  });
}
