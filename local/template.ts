/**
 * Reads a synthesized stack: the tables, queues, functions, event source mappings and schedules that `cdk deploy` would
 * make, with their references resolved to local names. What the template does not say, the local cloud does not do.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const Resource = z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) });
const Template = z.object({ Resources: z.record(z.string(), Resource) });
const Assets = z.object({ files: z.record(z.string(), z.object({ source: z.object({ path: z.string() }) })) });

export type Table = {
  readonly name: string;
  readonly keys: readonly { readonly name: string; readonly type: 'HASH' | 'RANGE' }[];
  readonly attributes: readonly { readonly name: string; readonly type: 'S' | 'N' | 'B' }[];
};
export type QueueSpec = {
  readonly id: string;
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly retentionSeconds: number;
  /** Name of the dead-letter queue, and deliveries before a message goes there. */
  readonly redrive: { readonly to: string; readonly maxReceiveCount: number } | undefined;
};
export type FunctionSpec = {
  readonly id: string;
  /** Folder of the bundle. */
  readonly code: string;
  /** Such as `index.handler`. */
  readonly handler: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  /** What its role may do, such as `dynamodb:GetItem`; on which resources is not looked at here. */
  readonly allowedActions: readonly string[];
};
export type EventSource = {
  readonly functionId: string;
  readonly queueName: string;
  readonly batchSize: number;
  readonly maxConcurrency: number;
  readonly reportsItemFailures: boolean;
};
export type ScheduleSpec = { readonly functionId: string; readonly input: string };

export type StackSpec = {
  readonly tables: readonly Table[];
  readonly queues: readonly QueueSpec[];
  readonly functions: readonly FunctionSpec[];
  readonly eventSources: readonly EventSource[];
  readonly schedules: readonly ScheduleSpec[];
};

/** Where a queue of the given name will be reached. */
export type QueueUrl = (name: string) => string;

/**
 * Returns what a synthesized stack is made of.
 * @throws Error when the template uses something that the local cloud cannot resolve.
 */
export function readStack(outDir: string, stackName: string, queueUrl: QueueUrl): StackSpec {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(outDir, file), 'utf8'));
  const { Resources } = Template.parse(read(`${stackName}.template.json`));
  const assets = Assets.parse(read(`${stackName}.assets.json`));
  const resolver = resolve(stackName, Resources, queueUrl);
  const of = (type: string) =>
    Object.entries(Resources)
      .filter(([, resource]) => resource.Type === type)
      .map(([id, resource]) => ({ id, properties: resolver(resource.Properties) }));
  return {
    tables: of('AWS::DynamoDB::GlobalTable').map(({ id, properties }) => table(localName(stackName, id), properties)),
    queues: of('AWS::SQS::Queue').map(({ id, properties }) => queue(id, localName(stackName, id), properties)),
    functions: of('AWS::Lambda::Function').map(({ id, properties }) => ({
      ...lambda(id, properties, outDir, assets),
      allowedActions: allowedActions(Resources, id),
    })),
    eventSources: of('AWS::Lambda::EventSourceMapping').map(({ properties }) => eventSource(properties)),
    schedules: of('AWS::Scheduler::Schedule').map(({ properties }) => schedule(properties)),
  };
}

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

const localName = (stackName: string, id: string): string => `${stackName}-${id}`;

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

/** An ARN whose last part is the resource's local name, whatever the service: enough to tell resources apart. */
const arn = (type: string, name: string): string =>
  `arn:aws:${type.split('::')[1]?.toLowerCase()}:${REGION}:${ACCOUNT}:${name}`;
const nameInArn = (text: string): string => text.split(':').at(-1) ?? '';

const Ref = z.strictObject({ Ref: z.string() });
const GetAtt = z.strictObject({ 'Fn::GetAtt': z.tuple([z.string(), z.string()]) });
const Join = z.strictObject({ 'Fn::Join': z.tuple([z.string(), z.array(z.unknown())]) });
const Sub = z.strictObject({ 'Fn::Sub': z.string() });

type Resources = z.infer<typeof Template>['Resources'];

function resolve(stackName: string, resources: Resources, queueUrl: QueueUrl): (value: unknown) => unknown {
  const reference = (id: string): string => {
    const type = resources[id]?.Type;
    if (type === undefined) return PSEUDO[id] ?? id;
    const name = localName(stackName, id);
    return type === 'AWS::SQS::Queue' ? queueUrl(name) : type === 'AWS::Lambda::Function' ? id : name;
  };
  const attribute = (id: string, name: string): string => {
    const type = resources[id]?.Type ?? '';
    if (name === 'QueueName') return localName(stackName, id);
    return arn(type, type === 'AWS::Lambda::Function' ? id : localName(stackName, id));
  };
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (value === null || typeof value !== 'object') return value;
    const ref = Ref.safeParse(value);
    if (ref.success) return reference(ref.data.Ref);
    const getAtt = GetAtt.safeParse(value);
    if (getAtt.success) return attribute(...getAtt.data['Fn::GetAtt']);
    const join = Join.safeParse(value);
    if (join.success) return join.data['Fn::Join'][1].map(walk).join(join.data['Fn::Join'][0]);
    const sub = Sub.safeParse(value);
    if (sub.success) return sub.data['Fn::Sub'].replace(/\$\{([\w:.]+)\}/g, (_, id: string) => reference(id));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
  };
  return walk;
}

const TableProperties = z.object({
  KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) })),
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) })),
});

function table(name: string, properties: unknown): Table {
  const { KeySchema, AttributeDefinitions } = TableProperties.parse(properties);
  return {
    name,
    keys: KeySchema.map((key) => ({ name: key.AttributeName, type: key.KeyType })),
    attributes: AttributeDefinitions.map((attribute) => ({
      name: attribute.AttributeName,
      type: attribute.AttributeType,
    })),
  };
}

/** Defaults are those of Amazon SQS. Source: Amazon SQS API Reference, 'CreateQueue'. */
const QueueProperties = z.object({
  VisibilityTimeout: z.number().default(30),
  MessageRetentionPeriod: z.number().default(345_600),
  RedrivePolicy: z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.number() }).optional(),
});

function queue(id: string, name: string, properties: unknown): QueueSpec {
  const { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = QueueProperties.parse(properties);
  return {
    id,
    name,
    visibilitySeconds: VisibilityTimeout,
    retentionSeconds: MessageRetentionPeriod,
    redrive: RedrivePolicy && {
      to: nameInArn(RedrivePolicy.deadLetterTargetArn),
      maxReceiveCount: RedrivePolicy.maxReceiveCount,
    },
  };
}

const FunctionProperties = z.object({
  Code: z.object({ S3Key: z.string() }),
  Handler: z.string(),
  Timeout: z.number(),
  MemorySize: z.number(),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
});

function lambda(
  id: string,
  properties: unknown,
  outDir: string,
  assets: z.infer<typeof Assets>,
): Omit<FunctionSpec, 'allowedActions'> {
  const { Code, Handler, Timeout, MemorySize, Environment } = FunctionProperties.parse(properties);
  const path = assets.files[Code.S3Key.replace(/\.zip$/, '')]?.source.path;
  if (path === undefined) throw new Error(`the stack has no asset for the code of ${id}`);
  return {
    id,
    code: join(outDir, path),
    handler: Handler,
    timeoutSeconds: Timeout,
    memoryMb: MemorySize,
    environment: Environment.Variables,
  };
}

const RoleReference = z.object({ Role: GetAtt });
const Policy = z.object({
  Roles: z.array(Ref),
  PolicyDocument: z.object({
    Statement: z.array(z.object({ Effect: z.literal('Allow'), Action: z.union([z.string(), z.array(z.string())]) })),
  }),
});

/** The actions of all policies of a function's role. */
function allowedActions(resources: Resources, functionId: string): string[] {
  const role = RoleReference.parse(resources[functionId]?.Properties).Role['Fn::GetAtt'][0];
  const policies = Object.values(resources)
    .filter(({ Type }) => Type === 'AWS::IAM::Policy')
    .map(({ Properties }) => Policy.parse(Properties))
    .filter(({ Roles }) => Roles.some(({ Ref }) => Ref === role));
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement.flatMap(({ Action }) => Action));
}

const EventSourceProperties = z.object({
  FunctionName: z.string(),
  EventSourceArn: z.string(),
  BatchSize: z.number().default(10),
  FunctionResponseTypes: z.array(z.string()).default([]),
  ScalingConfig: z.object({ MaximumConcurrency: z.number() }),
});

function eventSource(properties: unknown): EventSource {
  const read = EventSourceProperties.parse(properties);
  return {
    functionId: read.FunctionName,
    queueName: nameInArn(read.EventSourceArn),
    batchSize: read.BatchSize,
    maxConcurrency: read.ScalingConfig.MaximumConcurrency,
    reportsItemFailures: read.FunctionResponseTypes.includes('ReportBatchItemFailures'),
  };
}

const ScheduleProperties = z.object({ Target: z.object({ Arn: z.string(), Input: z.string() }) });

function schedule(properties: unknown): ScheduleSpec {
  const { Target } = ScheduleProperties.parse(properties);
  return { functionId: nameInArn(Target.Arn), input: Target.Input };
}
