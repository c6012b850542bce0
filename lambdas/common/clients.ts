/** AWS clients of a function, made once an execution environment. Endpoints come from the SDK's own configuration. */
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { parseCheckedParameters } from '../../shared/parameters/checked.ts';
import type { Parameters } from '../../shared/parameters/schema.ts';

/** Throttled calls are repeated for as long as an invocation reasonably waits. */
export const RETRIES = { maxAttempts: 8 } as const;

/** Returns a client that speaks plain values. */
export const documentClient = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient(RETRIES), { marshallOptions: { removeUndefinedValues: true } });

/** Returns the parameters that were deployed with the function's code. */
export const deployedParameters = (): Parameters =>
  parseCheckedParameters(readFileSync(new URL('./parameters.json', import.meta.url), 'utf8'));
