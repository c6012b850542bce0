/** Rules over all queues, functions, tables and schedules of the template: a new one is covered on the day it is added. */
import * as z from 'zod';
import { WarehouseToBrazeStack } from '../../cdk/stack.ts';
import {
  ExtractShardEnvironment,
  StartRunEnvironment,
  WriteBatchEnvironment,
} from '../../lambdas/common/environment.ts';
import { Parameters } from '../../shared/parameters/schema.ts';
import { parameters, SCHEDULED } from './parameters.ts';
import {
  deadLetterQueueIds,
  functionIds,
  inTemporaryDirectory,
  OneOrMore,
  resources,
  Text,
  tableIds,
  template,
  testApp,
  workQueueIds,
} from './template.ts';

const Queue = z.object({
  SqsManagedSseEnabled: z.boolean().optional(),
  VisibilityTimeout: z.number().default(30),
  MessageRetentionPeriod: z.number(),
  RedrivePolicy: z.object({ deadLetterTargetArn: Text, maxReceiveCount: z.number() }).optional(),
});
const Statement = z.object({
  Effect: z.string(),
  Action: OneOrMore(z.string()),
  Principal: z.unknown(),
  Resource: OneOrMore(Text),
  Condition: z.unknown(),
});
const Policy = z.object({ Statement: z.array(Statement) });
const QueuePolicy = z.object({ Queues: z.array(Text), PolicyDocument: Policy });
const Lambda = z.object({
  Runtime: z.string(),
  Architectures: z.array(z.string()),
  Timeout: z.number(),
  MemorySize: z.number(),
  Handler: z.string(),
  RecursiveLoop: z.string(),
  TracingConfig: z.object({ Mode: z.string() }),
  LoggingConfig: z.object({ LogFormat: z.string(), LogGroup: Text }),
  DeadLetterConfig: z.object({ TargetArn: Text }),
  Environment: z.object({ Variables: z.record(z.string(), Text) }),
  ReservedConcurrentExecutions: z.number().optional(),
});
const EventSource = z.object({
  BatchSize: z.number(),
  EventSourceArn: Text,
  FunctionName: Text,
  FunctionResponseTypes: z.array(z.string()),
  ScalingConfig: z.object({ MaximumConcurrency: z.number() }),
});
const LogGroup = z.object({ RetentionInDays: z.number() });

const queues = resources('AWS::SQS::Queue', Queue);
const queuePolicies = resources('AWS::SQS::QueuePolicy', QueuePolicy);
const functions = resources('AWS::Lambda::Function', Lambda);
const eventSources = resources('AWS::Lambda::EventSourceMapping', EventSource);
const logGroups = new Map(resources('AWS::Logs::LogGroup', LogGroup));
const deadLetterArns = new Set(Object.values(deadLetterQueueIds).map((id) => `{${id}.Arn}`));
const byId = <T>(table: readonly (readonly [string, T])[], id: string | undefined): T => {
  const found = table.find(([known]) => known === id);
  if (!found) throw new Error(`there is no ${id}`);
  return found[1];
};

describe('queues', () => {
  test('those that the stack names are all there are', () => {
    const named = [...Object.values(workQueueIds), ...Object.values(deadLetterQueueIds)];
    expect(queues.map(([id]) => id).sort()).toEqual(named.sort());
  });

  test.each(queues)('%s is encrypted', (_, queue) => {
    expect(queue.SqsManagedSseEnabled).toBe(true);
  });

  test.each(queues)('%s refuses whoever comes without TLS', (id) => {
    const statements = queuePolicies.flatMap(([, { Queues, PolicyDocument }]) =>
      Queues.includes(`{${id}}`) ? PolicyDocument.Statement : [],
    );
    expect(statements).toContainEqual({
      Effect: 'Deny',
      Action: ['sqs:*'],
      Principal: { AWS: '*' },
      Resource: [`{${id}.Arn}`],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    });
  });

  test.each(queues)('%s has a dead-letter queue or is one', (id, { RedrivePolicy }) => {
    const isDeadLetterQueue = deadLetterArns.has(`{${id}.Arn}`);
    expect(RedrivePolicy !== undefined).toBe(!isDeadLetterQueue);
    if (RedrivePolicy) expect(deadLetterArns).toContain(RedrivePolicy.deadLetterTargetArn);
  });

  const isBatches = ([name]: readonly [string, string]) => name.startsWith('dead-letters-batch-');

  test.each(Object.entries(deadLetterQueueIds).filter((each) => !isBatches(each)))(
    '%s keeps messages for two weeks, the most that SQS allows',
    (_, id) => {
      expect(byId(queues, id).MessageRetentionPeriod).toBe(14 * 24 * 3600);
    },
  );

  test.each(Object.entries(deadLetterQueueIds).filter(isBatches))(
    '%s, which carries field values, keeps them for four days, of which its queue has used one at most',
    (name, id) => {
      expect(byId(queues, id).MessageRetentionPeriod).toBe(4 * 24 * 3600);
      const source = workQueueIds[name.replace('dead-letters-', '')];
      expect(byId(queues, source).MessageRetentionPeriod).toBe(24 * 3600);
    },
  );
});

describe('event sources', () => {
  test('there is one for each work queue', () => {
    const arns = eventSources.map(([, { EventSourceArn }]) => EventSourceArn);
    expect(arns.sort()).toEqual(
      Object.values(workQueueIds)
        .map((id) => `{${id}.Arn}`)
        .sort(),
    );
  });

  test.each(eventSources)('%s hands over one message at a time, and takes back just what failed', (_, source) => {
    expect(source.BatchSize).toBe(1);
    expect(source.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
  });

  test.each(eventSources)('%s bounds the concurrency of its function', (_, source) => {
    expect(source.ScalingConfig.MaximumConcurrency).toBeGreaterThanOrEqual(2);
  });

  test.each(eventSources)('the queue of %s hides a message for six timeouts of its function at least', (_, source) => {
    const queue = byId(queues, source.EventSourceArn.slice(1, -'.Arn}'.length));
    const { Timeout } = byId(functions, source.FunctionName.slice(1, -1));
    expect(queue.VisibilityTimeout).toBeGreaterThanOrEqual(6 * Timeout);
  });

  test.each([
    ['braze', 5],
    ['braze-eu', 12],
  ])('the Braze app %s has one writer, with its concurrency', (app, concurrency) => {
    const worker = functionIds[`write-batch-${app}`];
    const own = eventSources.filter(([, { FunctionName }]) => FunctionName === `{${worker}}`);
    expect(own.map(([, { EventSourceArn }]) => EventSourceArn)).toEqual([`{${workQueueIds[`batch-${app}`]}.Arn}`]);
    expect(own.map(([, { ScalingConfig }]) => ScalingConfig.MaximumConcurrency)).toEqual([concurrency]);
  });
});

describe('functions', () => {
  test('those that the stack names are all there are', () => {
    expect(functions.map(([id]) => id).sort()).toEqual(Object.values(functionIds).sort());
  });

  test.each(functions)('%s runs on Node 24 for ARM, traced, with logs in JSON', (_, worker) => {
    expect(worker.Runtime).toBe('nodejs24.x');
    expect(worker.Architectures).toEqual(['arm64']);
    expect(worker.TracingConfig.Mode).toBe('Active');
    expect(worker.LoggingConfig.LogFormat).toBe('JSON');
  });

  test.each(functions)('%s writes to a log group of its own that forgets after a month', (id, worker) => {
    const group = worker.LoggingConfig.LogGroup;
    expect(logGroups.get(group.slice(1, -1))?.RetentionInDays).toBe(30);
    expect(functions.filter(([, { LoggingConfig }]) => LoggingConfig.LogGroup === group)).toEqual([[id, worker]]);
  });

  test.each(functions)('%s says its timeout and memory', (_, worker) => {
    expect(worker.Timeout).toBeGreaterThanOrEqual(60);
    expect(worker.Timeout).toBeLessThanOrEqual(900);
    expect(worker.MemorySize).toBeGreaterThanOrEqual(512);
  });

  test.each(functions)('%s leaves failed invocations in a dead-letter queue', (_, worker) => {
    expect(deadLetterArns).toContain(worker.DeadLetterConfig.TargetArn);
  });

  test.each(functions)('%s may put messages back without being taken for a loop', (_, worker) => {
    expect(worker.RecursiveLoop).toBe('Allow');
  });

  test.each(Object.entries(functionIds))('%s has exactly the environment variables that it parses', (name, id) => {
    const schema = name.startsWith('write-batch')
      ? WriteBatchEnvironment
      : name === 'start-run'
        ? StartRunEnvironment
        : ExtractShardEnvironment;
    const { NODE_OPTIONS, ...variables } = byId(functions, id).Environment.Variables;
    expect(NODE_OPTIONS).toBe('--enable-source-maps');
    expect(Object.keys(variables).sort()).toEqual(Object.keys(schema.shape).sort());
    expect(schema.safeParse(variables).error).toBeUndefined();
  });

  test.each(Object.entries(functionIds))('%s is told the runs table and the environment', (_, id) => {
    const { Variables } = byId(functions, id).Environment;
    expect(Variables).toMatchObject({ ENVIRONMENT: 'test', RUNS_TABLE: `{${tableIds.runs}}` });
  });

  test('extract-shard is told the batch queue of every Braze app', () => {
    const { Variables } = byId(functions, functionIds['extract-shard']).Environment;
    expect(JSON.parse(Variables.BATCH_QUEUE_URLS ?? '')).toEqual({
      braze: `{${workQueueIds['batch-braze']}}`,
      'braze-eu': `{${workQueueIds['batch-braze-eu']}}`,
    });
  });

  test.each(['braze', 'braze-eu'])("the writer of %s is told its app, queue, and the queue's tries", (app) => {
    const { Variables } = byId(functions, functionIds[`write-batch-${app}`]).Environment;
    const queueId = workQueueIds[`batch-${app}`];
    expect(Variables).toMatchObject({ BRAZE_APP: app, BATCH_QUEUE_URL: `{${queueId}}` });
    expect(Variables.MAX_RECEIVE_COUNT).toBe(String(byId(queues, queueId).RedrivePolicy?.maxReceiveCount));
  });
});

describe('tables', () => {
  const Replica = z.object({
    DeletionProtectionEnabled: z.boolean(),
    PointInTimeRecoverySpecification: z.object({ PointInTimeRecoveryEnabled: z.boolean() }),
  });
  const Table = z.object({
    BillingMode: z.string(),
    KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.string() })),
    SSESpecification: z.unknown(),
    TimeToLiveSpecification: z.object({ AttributeName: z.string(), Enabled: z.boolean() }).optional(),
    Replicas: z.array(Replica).length(1),
  });
  const tables = resources('AWS::DynamoDB::GlobalTable', Table);

  test('those that the stack names are all there are', () => {
    expect(tables.map(([id]) => id).sort()).toEqual(Object.values(tableIds).sort());
    const types = Object.values(template.Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type.startsWith('AWS::DynamoDB::'))).toHaveLength(tables.length);
  });

  test.each(tables)('%s is paid for on demand and has a partition and a sort key', (_, table) => {
    expect(table.BillingMode).toBe('PAY_PER_REQUEST');
    expect(table.KeySchema).toEqual([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
  });

  test.each(tables)('%s is encrypted', (_, table) => {
    // DynamoDB encrypts every table; false chooses the key that DynamoDB owns, which costs nothing and cannot be lost.
    expect(table.SSESpecification).toEqual({ SSEEnabled: false });
  });

  test.each(tables)('%s can be restored to any second, and survives its stack', (id, { Replicas }) => {
    expect(Replicas).toEqual([
      { DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } },
    ]);
    expect(template.Resources[id]).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });

  test('runs expire, the ledger never does', () => {
    const ttl = { AttributeName: 'expiresAt', Enabled: true };
    expect(byId(tables, tableIds.runs).TimeToLiveSpecification).toEqual(ttl);
    expect(byId(tables, tableIds.ledger).TimeToLiveSpecification).toBeUndefined();
  });
});

describe('schedules', () => {
  const Schedule = z.object({
    State: z.string(),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string(),
    FlexibleTimeWindow: z.unknown(),
    Target: z.object({
      Arn: Text,
      Input: z.string().transform((text): unknown => JSON.parse(text)),
      DeadLetterConfig: z.object({ Arn: Text }),
      RetryPolicy: z.object({ MaximumEventAgeInSeconds: z.number(), MaximumRetryAttempts: z.number() }),
    }),
  });
  const schedules = resources('AWS::Scheduler::Schedule', Schedule).map(([, schedule]) => schedule);
  const startOf = (destination: string) => ({ destination, execution: '<aws.scheduler.execution-id>' });

  const SWEEP = { sweep: true };
  const isSweep = ({ Target }: z.infer<typeof Schedule>) => JSON.stringify(Target.Input) === JSON.stringify(SWEEP);

  test('runs whose messages are lost are looked for every quarter of an hour', () => {
    expect(schedules.filter(isSweep)).toMatchObject([
      {
        State: 'ENABLED',
        ScheduleExpression: 'rate(15 minutes)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        // The next one comes soon enough, and two at once would help nobody.
        Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 900 } },
      },
    ]);
  });

  test('there is one for each enabled destination that has a schedule', () => {
    const starts = SCHEDULED.map(([name]) => startOf(name));
    expect(schedules.map(({ Target }) => Target.Input)).toEqual([SWEEP, ...starts]);
    const unscheduled = Object.keys(parameters.destinations).filter((name) => !SCHEDULED.some(([it]) => it === name));
    expect(unscheduled).toEqual(['on_request', 'disabled']);
  });

  test.each(SCHEDULED)('%s starts when its parameters say so', (name, { expression, timezone, window }) => {
    const own = schedules.filter(({ Target }) => JSON.stringify(Target.Input) === JSON.stringify(startOf(name)));
    expect(own).toMatchObject([
      {
        State: 'ENABLED',
        ScheduleExpression: expression,
        ScheduleExpressionTimezone: timezone,
        FlexibleTimeWindow: window,
      },
    ]);
  });

  test.each(schedules.map((schedule) => [schedule.ScheduleExpression, schedule]))(
    '%s invokes start-run, and leaves a start that it cannot deliver in a dead-letter queue',
    (_, schedule) => {
      const { Target } = schedule;
      expect(Target.Arn).toBe(`{${functionIds['start-run']}.Arn}`);
      expect(Target.DeadLetterConfig.Arn).toBe(`{${deadLetterQueueIds['undelivered-starts']}.Arn}`);
      if (!isSweep(schedule)) expect(Target.RetryPolicy.MaximumRetryAttempts).toBeGreaterThan(0);
    },
  );
});

test("no name of a destination or an app gets into the way of the stack's own names", () => {
  const { destinations, apps, ...rest } = parameters;
  const { hourly } = destinations;
  const { braze } = apps;
  const odd = ['Undelivered', 'Schedules', 'Default', 'Resource', 'Dashboard', 'Alarms', 'Topic'];
  const oddApps = ['brazeRole', 'brazeLogs', 'Default', 'extract'];
  const named = Parameters.parse({
    ...rest,
    apps: { ...apps, ...Object.fromEntries(oddApps.map((name) => [name, braze])) },
    destinations: Object.fromEntries(odd.map((name) => [name, hourly])),
  });
  inTemporaryDirectory((outdir) => {
    const app = testApp(outdir, { builtinCloudFormationValidation: false });
    expect(() => new WarehouseToBrazeStack(app, 'w2b-odd', { parameters: named })).not.toThrow();
  });
});
