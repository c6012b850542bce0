/** Entry point of the function write-batch. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { Agent } from 'undici';
import { functionDeps, RETRIES } from '../common/clients.ts';
import { WriteBatchEnvironment } from '../common/environment.ts';
import { writeBatchFunction } from './function.ts';

const env = WriteBatchEnvironment.parse(process.env);

export const handler = writeBatchFunction(env, {
  ...functionDeps(env.ENVIRONMENT),
  sqs: new SQSClient(RETRIES),
  secrets: new SecretsManagerClient(RETRIES),
  dispatcher: new Agent(),
});
