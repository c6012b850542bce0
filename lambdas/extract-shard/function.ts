/** Does one step of a run's extract: prepares it, or reads a shard. */
import type { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { SQSHandler } from 'aws-lambda';
import * as z from 'zod';
import { dynamoLedger } from '../../shared/ledger/ledger.ts';
import type { RedshiftApp } from '../../shared/parameters/schema.ts';
import { extractStep } from '../../shared/runs/extract-step.ts';
import { ExtractMessage } from '../../shared/runs/messages.ts';
import { sqsQueue } from '../../shared/runs/queue.ts';
import { dynamoRuns } from '../../shared/runs/store.ts';
import { dataApi } from '../../shared/warehouse/data-api.ts';
import type { FunctionDeps } from '../common/deps.ts';
import type { ExtractShardEnvironment } from '../common/environment.ts';
import { queueHandler } from '../common/sqs.ts';

export type ExtractShardDeps = FunctionDeps & {
  readonly sqs: SQSClient;
  readonly redshift: RedshiftDataClient;
  /** Returns a name that no other reading of a shard has. */
  readonly newEpoch: () => string;
};

/** Returns the handler, wired to its clients. */
export function extractShardFunction(
  env: z.output<typeof ExtractShardEnvironment>,
  given: ExtractShardDeps,
): SQSHandler {
  const { db, sqs, redshift, ...deps } = given;
  const { clock, log } = deps;
  const urls = z.record(z.string(), z.string()).parse(JSON.parse(env.BATCH_QUEUE_URLS));
  const queueUrlByApp = new Map(Object.entries(urls));
  const wired = {
    ...deps,
    runs: dynamoRuns(db, env.RUNS_TABLE, clock),
    ledger: dynamoLedger(db, env.LEDGER_TABLE, clock),
    warehouse: (app: RedshiftApp) => dataApi(redshift, app),
    extractQueue: sqsQueue(sqs, env.EXTRACT_QUEUE_URL, clock),
    batchQueue: (app: string) => sqsQueue(sqs, queueUrlByApp.get(app) ?? '', clock),
  };
  return queueHandler({ sqs, queueUrl: env.EXTRACT_QUEUE_URL, log }, ({ body, receiveCount, remainingMs }) =>
    extractStep({ ...wired, remainingMs }, ExtractMessage.parse(body), {
      receiveCount,
      maxReceiveCount: env.MAX_RECEIVE_COUNT,
    }),
  );
}
