/** Entry point of the function start-run. */
import { SQSClient } from '@aws-sdk/client-sqs';
import { functionDeps, RETRIES } from '../common/clients.ts';
import { StartRunEnvironment } from '../common/environment.ts';
import { startRunFunction } from './function.ts';

const env = StartRunEnvironment.parse(process.env);

export const handler = startRunFunction(env, { ...functionDeps(env.ENVIRONMENT), sqs: new SQSClient(RETRIES) });
