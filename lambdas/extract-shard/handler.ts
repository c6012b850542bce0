/** Entry point of the function extract-shard. */
import { randomBytes } from 'node:crypto';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { SQSClient } from '@aws-sdk/client-sqs';
import { functionDeps, RETRIES } from '../common/clients.ts';
import { ExtractShardEnvironment } from '../common/environment.ts';
import { extractShardFunction } from './function.ts';

const env = ExtractShardEnvironment.parse(process.env);

export const handler = extractShardFunction(env, {
  ...functionDeps(env.ENVIRONMENT),
  sqs: new SQSClient(RETRIES),
  redshift: new RedshiftDataClient(RETRIES),
  newEpoch: () => randomBytes(6).toString('hex'),
});
