/** AWS clients of a function, made once an execution environment. Endpoints come from the SDK's own configuration. */
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { parseCheckedParameters } from '../../shared/parameters/checked.ts';
import type { Parameters } from '../../shared/parameters/schema.ts';
import { systemClock } from '../../shared/time.ts';
import type { FunctionDeps } from './deps.ts';
import { telemetryLog, telemetryMetrics } from './telemetry.ts';

/** Throttled calls are repeated for as long as an invocation reasonably waits. */
export const RETRIES = { maxAttempts: 8 } as const;

/** Returns a client that speaks plain values. */
const documentClient = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient(RETRIES), { marshallOptions: { removeUndefinedValues: true } });

/** Returns the parameters that were deployed with the function's code. */
const deployedParameters = (): Parameters =>
  parseCheckedParameters(readFileSync(new URL('./parameters.json', import.meta.url), 'utf8'));

/** Returns what every deployed function is given. */
export const functionDeps = (environment: string): FunctionDeps => ({
  parameters: deployedParameters(),
  db: documentClient(),
  clock: systemClock,
  log: telemetryLog(environment),
  metrics: telemetryMetrics(environment),
});
