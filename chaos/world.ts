/** A simulated account: the real handlers, wired to services in memory, in virtual time. */
import type { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Dispatcher } from 'undici';
import { ExtractShardEnvironment, StartRunEnvironment, WriteBatchEnvironment } from '../lambdas/common/environment.ts';
import { extractShardFunction } from '../lambdas/extract-shard/function.ts';
import { startRunFunction } from '../lambdas/start-run/function.ts';
import { writeBatchFunction } from '../lambdas/write-batch/function.ts';
import type { Log } from '../shared/log.ts';
import type { Parameters } from '../shared/parameters/schema.ts';
import { type Braze, type BrazeWatcher, braze } from './braze.ts';
import type { Item } from './dynamo/expressions.ts';
import { type Output, type Tables, tables } from './dynamo/tables.ts';
import type { FaultKind, Faults, Site } from './faults.ts';
import {
  BATCH_RETENTION_MS,
  EXTRACT_CONCURRENCY,
  EXTRACT_RETENTION_MS,
  EXTRACT_TIMEOUT_MS,
  MAX_RECEIVE_COUNT,
  START_TIMEOUT_MS,
  VISIBILITY_TIMEOUTS,
  WRITE_TIMEOUT_MS,
} from './figures.ts';
import {
  awsError,
  type ExecutionEnvironment,
  type Invocation,
  type Lambda,
  label,
  lambda,
  type Outcome,
} from './lambda.ts';
import { type Queues, queues } from './queues.ts';
import { hashOf } from './random.ts';
import { type ModelState, redshift, type Submitted } from './redshift.ts';
import type { Timeline } from './timeline.ts';

export const START_RUN = 'start-run';
export const EXTRACT_SHARD = 'extract-shard';
export const WRITE_BATCH = 'write-batch';
export const EXTRACT_QUEUE = 'https://sqs.test/extract';
export const BATCH_QUEUE = 'https://sqs.test/batch';
export const RUNS_TABLE = 'runs';
export const LEDGER_TABLE = 'ledger';

export type WorldWatcher = BrazeWatcher & {
  readonly ended: (invocation: Invocation, outcome: Outcome) => void;
  /** A write of DynamoDB, by an invocation. */
  readonly wrote: (invocation: Invocation, table: string, before: Item | undefined, after: Item | undefined) => void;
  readonly submitted: Submitted;
  readonly log: (environment: ExecutionEnvironment, level: string, event: string, data: unknown) => void;
};

export type WorldOptions = {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly watcher: WorldWatcher;
  readonly settleMs: number;
  readonly concurrency: number;
  readonly pageItems: number;
  readonly pageRows: number;
  readonly maxSkewMs: number;
  readonly modelOf: (destination: string) => ModelState;
  readonly parameters: Parameters;
  readonly answerMs?: number;
  readonly fair?: boolean;
};

export type World = {
  readonly lambda: Lambda;
  readonly queues: Queues;
  readonly braze: Braze;
  readonly tables: Tables;
  readonly deploy: (parameters: Parameters) => void;
  /** Puts another key into the secret. */
  readonly setSecret: (key: string) => void;
};

/** What the document client's operations are to the faults. */
const SITE_OF: Readonly<Record<string, Site>> = {
  GetCommand: 'read',
  QueryCommand: 'read',
  BatchGetCommand: 'batchRead',
  BatchWriteCommand: 'batchWrite',
};

function siteOf(command: string, { Key, Item: put, TableName }: Item): Site {
  const { sk } = (Key ?? put ?? {}) as Item;
  const isWrite = SITE_OF[command] === undefined;
  if (isWrite && TableName === RUNS_TABLE && String(sk).startsWith('settled#')) return 'settle';
  if (isWrite && TableName === RUNS_TABLE && String(sk).startsWith('shard#')) return 'move';
  return SITE_OF[command] ?? 'write';
}

/** Returns an account with everything deployed and nothing in it. */
export function world(options: WorldOptions): World {
  const { seed, timeline, faults, watcher } = options;
  let parameters = options.parameters;
  let secret = 'key-0';
  let writer: Invocation | undefined;
  const store = tables(
    () => options.pageItems,
    (table, before, after) => {
      if (writer) watcher.wrote(writer, table, before, after);
    },
  );

  const runStore = (
    invocation: Invocation | undefined,
    command: string,
    input: Item,
    fault: FaultKind | undefined,
  ): Output => {
    writer = invocation;
    if (fault === 'dynamodb throttles') throw awsError('ProvisionedThroughputExceededException', 400);
    const partial = fault === 'dynamodb does a part' ? 1 + (hashOf(seed, 77, timeline.now()) % sizeOf(input)) : 0;
    const output = store.run(command, input, Math.min(partial, sizeOf(input)));
    if (fault === 'dynamodb loses an answer') throw awsError('InternalServerError', 500);
    return fault === 'dynamodb write is repeated' ? store.run(command, input) : output;
  };

  const db = (environment: ExecutionEnvironment): DynamoDBDocumentClient => {
    const send = (command: {
      readonly constructor: { readonly name: string };
      readonly input: Item;
    }): Promise<Output> => {
      const { name } = command.constructor;
      const { input } = command;
      const invocation = environment.current;
      // A ledger has 64 partitions, most of them empty here: reading those takes no time.
      const instant = name === 'QueryCommand' && input.TableName === LEDGER_TABLE && isEmpty(store, input);
      const what = (): string => `${name.replace('Command', '')} ${JSON.stringify(input, readable)}`;
      return service.call(
        environment,
        siteOf(name, input),
        what,
        (fault) => runStore(invocation, name, input, fault),
        instant,
      );
    };
    return { send } as unknown as DynamoDBDocumentClient;
  };
  const sqs = (environment: ExecutionEnvironment): SQSClient =>
    clientOf((name, input) => queue.send(environment, name, input)) as unknown as SQSClient;
  const common = (environment: ExecutionEnvironment) => ({
    parameters,
    db: db(environment),
    clock: environment.clock,
    log: logOf(environment),
    metrics: { add: () => undefined },
  });
  const logOf = (environment: ExecutionEnvironment): Log => {
    const at = (level: string) => (event: string, data: unknown) => watcher.log(environment, level, event, data);
    return { info: at('info'), warn: at('warn'), error: at('error') };
  };

  const service = lambda({
    seed,
    timeline,
    faults,
    timeoutMs: { [START_RUN]: START_TIMEOUT_MS, [EXTRACT_SHARD]: EXTRACT_TIMEOUT_MS, [WRITE_BATCH]: WRITE_TIMEOUT_MS },
    maxSkewMs: options.maxSkewMs,
    watcher,
    make: {
      [START_RUN]: (environment) => {
        const env = StartRunEnvironment.parse({ ENVIRONMENT: 'chaos', RUNS_TABLE, EXTRACT_QUEUE_URL: EXTRACT_QUEUE });
        return handlerOf(startRunFunction(env, { ...common(environment), sqs: sqs(environment) }));
      },
      [EXTRACT_SHARD]: (environment) => {
        const env = ExtractShardEnvironment.parse({
          ENVIRONMENT: 'chaos',
          RUNS_TABLE,
          LEDGER_TABLE,
          EXTRACT_QUEUE_URL: EXTRACT_QUEUE,
          BATCH_QUEUE_URLS: JSON.stringify({ braze: BATCH_QUEUE }),
          MAX_RECEIVE_COUNT: String(MAX_RECEIVE_COUNT),
        });
        let epochs = 0;
        const redshiftClient = clientOf((name, input) =>
          warehouse.send(environment, name, input),
        ) as unknown as RedshiftDataClient;
        return handlerOf(
          extractShardFunction(env, {
            ...common(environment),
            sqs: sqs(environment),
            redshift: redshiftClient,
            newEpoch: () => `e${environment.id}-${++epochs}`,
          }),
        );
      },
      [WRITE_BATCH]: (environment) => {
        const env = WriteBatchEnvironment.parse({
          ENVIRONMENT: 'chaos',
          RUNS_TABLE,
          LEDGER_TABLE,
          BATCH_QUEUE_URL: BATCH_QUEUE,
          BRAZE_APP: 'braze',
          MAX_RECEIVE_COUNT: String(MAX_RECEIVE_COUNT),
        });
        const secrets = clientOf((name) => readSecret(environment, name)) as unknown as SecretsManagerClient;
        const dispatcher = {
          request: (request: unknown) => workspace.request(environment, request),
        } as unknown as Dispatcher;
        return handlerOf(
          writeBatchFunction(env, { ...common(environment), sqs: sqs(environment), secrets, dispatcher }),
        );
      },
    },
  });
  const readSecret = (environment: ExecutionEnvironment, name: string): Promise<unknown> => {
    if (name !== 'GetSecretValueCommand') throw new Error(`Secrets Manager: ${name} is not imitated`);
    return service.call(
      environment,
      'secret',
      () => 'reads the secret',
      (fault) => {
        if (fault === 'secrets manager throttles') throw awsError('ThrottlingException', 400);
        return { SecretString: secret };
      },
    );
  };
  const queue = queues({
    seed,
    timeline,
    faults,
    lambda: service,
    trace: watcher.trace,
    ...(options.fair === undefined ? {} : { fair: options.fair }),
    queues: [
      {
        url: EXTRACT_QUEUE,
        consumer: EXTRACT_SHARD,
        visibilityMs: VISIBILITY_TIMEOUTS * EXTRACT_TIMEOUT_MS,
        maxReceiveCount: MAX_RECEIVE_COUNT,
        maxConcurrency: EXTRACT_CONCURRENCY,
        retentionMs: EXTRACT_RETENTION_MS,
      },
      {
        url: BATCH_QUEUE,
        consumer: WRITE_BATCH,
        visibilityMs: VISIBILITY_TIMEOUTS * WRITE_TIMEOUT_MS,
        maxReceiveCount: MAX_RECEIVE_COUNT,
        maxConcurrency: options.concurrency,
        retentionMs: BATCH_RETENTION_MS,
      },
    ],
  });
  const warehouse = redshift({
    seed,
    timeline,
    lambda: service,
    modelOf: options.modelOf,
    submitted: watcher.submitted,
    violation: watcher.violation,
    pageRows: options.pageRows,
  });
  const workspace = braze({
    seed,
    timeline,
    faults,
    lambda: service,
    watcher,
    settleMs: options.settleMs,
    ...(options.answerMs === undefined ? {} : { answerMs: options.answerMs }),
  });
  workspace.setKeys([secret]);

  return {
    lambda: service,
    queues: queue,
    braze: workspace,
    tables: store,
    deploy: (next) => {
      parameters = next;
      service.deploy();
    },
    setSecret: (key) => {
      secret = key;
    },
  };
}

/** A client of the SDK, as far as `send` goes. */
const clientOf = (send: (command: string, input: unknown) => Promise<unknown>) => ({
  send: (command: { readonly constructor: { readonly name: string }; readonly input: unknown }) =>
    send(command.constructor.name, command.input),
});

const handlerOf = (handler: unknown): ExecutionEnvironment['handler'] => handler as ExecutionEnvironment['handler'];

const readable = (_: string, value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value instanceof Set ? [...value] : value;
};

function sizeOf(input: Item): number {
  const [request] = Object.values((input.RequestItems ?? {}) as Item);
  if (Array.isArray(request)) return request.length;
  const keys = (request as { readonly Keys?: readonly unknown[] } | undefined)?.Keys;
  return keys?.length ?? 1;
}

const isEmpty = (store: Tables, input: Item): boolean => {
  const values = (input.ExpressionAttributeValues ?? {}) as Item;
  return store.isEmpty(LEDGER_TABLE, String(values[':pk']));
};

export { label };
