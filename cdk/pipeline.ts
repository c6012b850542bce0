/**
 * The data path: start-run → extract queue → extract-shard → batch queue → write-batch, one batch queue and writer for
 * each Braze app, so that all destinations of a workspace share its rate limit.
 */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type {
  ExtractShardEnvironment,
  StartRunEnvironment,
  WriteBatchEnvironment,
} from '../lambdas/common/environment.ts';
import type { BrazeApp, Parameters, RedshiftApp } from '../shared/parameters/schema.ts';
import { acknowledge } from './acknowledge.ts';
import { PipelineFunction } from './pipeline-function.ts';
import type { KeyService, StackKey } from './stack-key.ts';
import type { State } from './state.ts';
import { deadLetterQueue, WorkQueue } from './work-queue.ts';

const START_TIMEOUT = Duration.seconds(60);
/** Long enough for a good stretch of a shard, short enough that a lost invocation is made up for within minutes. */
const EXTRACT_TIMEOUT = Duration.minutes(3);
/** A request, its tries, and the wait for a rate limit; longer waits go back to the queue. */
const WRITE_TIMEOUT = Duration.seconds(90);
const MAX_RECEIVE_COUNT = 5;
/** Shards read at once, over all destinations. */
const EXTRACT_CONCURRENCY = 8;
/** Batches carry field values and belong to one run: none is of use after it. */
const BATCH_RETENTION = Duration.days(1);
/**
 * A dead batch carries them too, and is a view of what went wrong: the next run finds the same differences. Its age
 * counts from when it was first sent, so that three days are left at least: a weekend. Source: Amazon SQS, 'Setting up
 * dead-letter queue retention'.
 */
const DEAD_BATCH_RETENTION = Duration.days(4);

export type PipelineProps = {
  readonly parameters: Parameters;
  readonly state: State;
  /** The key of the parameter file, if it has one. */
  readonly key: StackKey | undefined;
};

export type Writer = {
  readonly app: string;
  readonly work: WorkQueue;
  readonly worker: PipelineFunction<WriteBatchEnvironment>;
};

export class Pipeline extends Construct {
  readonly startRun: PipelineFunction<StartRunEnvironment>;
  readonly extractShard: PipelineFunction<ExtractShardEnvironment>;
  readonly extract: WorkQueue;
  readonly writers: readonly Writer[];
  /** Starts that failed for good. */
  readonly failedStarts: Queue;

  constructor(scope: Construct, id: string, { parameters, state, key }: PipelineProps) {
    super(scope, id);
    const parametersJson = JSON.stringify(parameters);
    const common = { ENVIRONMENT: parameters.environment, RUNS_TABLE: state.runs.tableName };
    this.failedStarts = deadLetterQueue(this, 'FailedStarts', key);
    this.extract = new WorkQueue(this, 'Extract', {
      functionTimeout: EXTRACT_TIMEOUT,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      key,
    });

    this.startRun = new PipelineFunction(this, 'StartRun', {
      handler: 'start-run',
      description: 'Starts a run of a destination',
      environment: { ...common, EXTRACT_QUEUE_URL: this.extract.queue.queueUrl },
      timeout: START_TIMEOUT,
      parametersJson,
      deadLetterQueue: this.failedStarts,
      key,
    });
    this.writers = brazeApps(parameters).map(([name, app]) =>
      this.writer(name, app, common, parametersJson, state, key),
    );
    const queueUrls = Object.fromEntries(this.writers.map(({ app, work }) => [app, work.queue.queueUrl]));
    this.extractShard = new PipelineFunction(this, 'ExtractShard', {
      handler: 'extract-shard',
      description: 'Reads shards of a model and finds what changed',
      environment: {
        ...common,
        LEDGER_TABLE: state.ledger.tableName,
        EXTRACT_QUEUE_URL: this.extract.queue.queueUrl,
        BATCH_QUEUE_URLS: Stack.of(this).toJsonString(queueUrls),
        MAX_RECEIVE_COUNT: String(MAX_RECEIVE_COUNT),
      },
      timeout: EXTRACT_TIMEOUT,
      memorySize: 1024,
      parametersJson,
      deadLetterQueue: this.failedStarts,
      key,
    });

    allow(this.startRun, state.runs, ['GetItem', 'PutItem', 'UpdateItem', 'Query']);
    allowSend(this.startRun, this.extract.queue);
    allow(this.extractShard, state.runs, ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query']);
    allow(this.extractShard, state.ledger, ['GetItem', 'PutItem', 'BatchWriteItem', 'Query']);
    allowSend(this.extractShard, this.extract.queue);
    for (const { work } of this.writers) allowSend(this.extractShard, work.queue);
    this.extract.consumedBy(this.extractShard, EXTRACT_CONCURRENCY);
    for (const [name, app] of redshiftApps(parameters)) allowWarehouse(this.extractShard, name, app);
    allowKey(this.startRun, key, ['dynamodb', 'sqs']);
    allowKey(this.extractShard, key, ['dynamodb', 'secretsmanager', 'sqs']);
  }

  private writer(
    name: string,
    app: BrazeApp,
    common: { ENVIRONMENT: string; RUNS_TABLE: string },
    parametersJson: string,
    state: State,
    key: StackKey | undefined,
  ): Writer {
    const work = new WorkQueue(this, `Batch-${name}`, {
      functionTimeout: WRITE_TIMEOUT,
      maxReceiveCount: MAX_RECEIVE_COUNT,
      retention: BATCH_RETENTION,
      deadLetterRetention: DEAD_BATCH_RETENTION,
      key,
    });
    const worker = new PipelineFunction<WriteBatchEnvironment>(this, `WriteBatch-${name}`, {
      handler: 'write-batch',
      description: `Writes batches to the Braze app ${name}`,
      environment: {
        ...common,
        LEDGER_TABLE: state.ledger.tableName,
        BATCH_QUEUE_URL: work.queue.queueUrl,
        BRAZE_APP: name,
        MAX_RECEIVE_COUNT: String(MAX_RECEIVE_COUNT),
      },
      timeout: WRITE_TIMEOUT,
      parametersJson,
      deadLetterQueue: this.failedStarts,
      key,
    });
    allow(worker, state.runs, ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query']);
    allow(worker, state.ledger, ['BatchWriteItem', 'UpdateItem']);
    allowSend(worker, work.queue);
    allowSecret(worker, `ApiKey-${name}`, app.apiKeySecret);
    allowKey(worker, key, ['dynamodb', 'secretsmanager', 'sqs']);
    work.consumedBy(worker, app.concurrency);
    return { app: name, work, worker };
  }
}

const COLON = ArnFormat.COLON_RESOURCE_NAME;

type AnyFunction = PipelineFunction<Record<string, string>>;

const brazeApps = (parameters: Parameters): [string, BrazeApp][] =>
  Object.entries(parameters.apps).flatMap(([name, app]): [string, BrazeApp][] =>
    app.type === 'braze' ? [[name, app]] : [],
  );

const redshiftApps = (parameters: Parameters): [string, RedshiftApp][] =>
  Object.entries(parameters.apps).flatMap(([name, app]): [string, RedshiftApp][] =>
    app.type === 'redshift' ? [[name, app]] : [],
  );

function allow(worker: AnyFunction, table: TableV2, actions: readonly string[]): void {
  worker.addToRolePolicy(
    new PolicyStatement({ actions: actions.map((action) => `dynamodb:${action}`), resources: [table.tableArn] }),
  );
}

const allowSend = (worker: AnyFunction, queue: Queue): void =>
  worker.addToRolePolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }));

const allowKey = (worker: AnyFunction, key: StackKey | undefined, services: readonly KeyService[]): void => {
  if (worker.role) key?.grantUse(worker.role, services);
};

/** A secret is named by its name or its full ARN; its ARN ends in six characters that a name does not tell. */
function allowSecret(worker: AnyFunction, id: string, secretId: string): void {
  const secret = secretId.startsWith('arn:')
    ? Secret.fromSecretCompleteArn(worker, id, secretId)
    : Secret.fromSecretNameV2(worker, id, secretId);
  const resource = secretId.startsWith('arn:') ? secret.secretArn : `${secret.secretArn}-??????`;
  worker.addToRolePolicy(new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [resource] }));
}

/** IAM's own variable, put in when a request is made. */
const OWN_USER_ID = ['$', '{aws:userid}'].join('');

function acknowledgeWarehouse(worker: AnyFunction): void {
  const role = worker.role ?? worker;
  acknowledge(
    role,
    'AwsSolutions-IAM5[Resource::*]',
    "DescribeStatement and GetStatementResult take no resource: a condition limits them to the role's own statements.",
  );
  acknowledge(
    role,
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:redshift-serverless:<AWS::Region>:<AWS::AccountId>:workgroup/*]',
    "A serverless workgroup's ARN holds an id that its name does not tell; the grant stays within account and region, and the database user's own grants decide what can be read.",
  );
}

/** Submitting statements to one warehouse, and asking about the role's own statements. Nothing that writes is granted here: the database user's grants decide. */
function allowWarehouse(worker: AnyFunction, name: string, app: RedshiftApp): void {
  const stack = Stack.of(worker);
  const target = app.cluster
    ? stack.formatArn({ service: 'redshift', resource: 'cluster', resourceName: app.cluster, arnFormat: COLON })
    : stack.formatArn({ service: 'redshift-serverless', resource: 'workgroup', resourceName: '*' });
  worker.addToRolePolicy(new PolicyStatement({ actions: ['redshift-data:ExecuteStatement'], resources: [target] }));
  worker.addToRolePolicy(
    new PolicyStatement({
      actions: ['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult'],
      resources: ['*'],
      conditions: { StringEquals: { 'redshift-data:statement-owner-iam-userid': OWN_USER_ID } },
    }),
  );
  acknowledgeWarehouse(worker);
  if (app.secret) {
    allowSecret(worker, `Warehouse-${name}`, app.secret);
    return;
  }
  if (!app.cluster) {
    worker.addToRolePolicy(
      new PolicyStatement({ actions: ['redshift-serverless:GetCredentials'], resources: [target] }),
    );
    return;
  }
  const part = (resource: string, resourceName: string) =>
    stack.formatArn({
      service: 'redshift',
      resource,
      resourceName: `${app.cluster}/${resourceName}`,
      arnFormat: COLON,
    });
  worker.addToRolePolicy(
    new PolicyStatement({
      actions: ['redshift:GetClusterCredentials'],
      resources: [part('dbuser', app.dbUser ?? ''), part('dbname', app.database)],
    }),
  );
}
