/** What every function is given: its clients, its clock, and where it tells what happened. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Log } from '../../shared/log.ts';
import type { Metrics } from '../../shared/metrics.ts';
import type { Parameters } from '../../shared/parameters/schema.ts';
import type { Clock } from '../../shared/time.ts';

export type FunctionDeps = {
  readonly parameters: Parameters;
  readonly db: DynamoDBDocumentClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};
