/** The stack with a customer-managed key: everything that keeps data uses it, and every role that needs it may. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import * as z from 'zod';
import { addStack } from '../../cdk/synth.ts';
import { parameters } from './parameters.ts';
import { OneOrMore, Template, Text, testApp } from './template.ts';

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/8f2b5c1e-0000-4000-8000-000000000001';
const ALIAS_ARN = 'arn:{AWS::Partition}:kms:{AWS::Region}:{AWS::AccountId}:alias/w2b';
const ANY_KEY = 'arn:{AWS::Partition}:kms:{AWS::Region}:{AWS::AccountId}:key/*';

const temporary = mkdtempSync(join(tmpdir(), 'w2b-kms-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** The template of the test's parameters with a key, held to the rules at synthesis. */
function synthesized(kmsKey: string): { file: string; template: Template } {
  const outdir = mkdtempSync(join(temporary, 'out-'));
  const app = testApp(outdir);
  const stack = addStack(app, { ...parameters, kmsKey });
  const silenced = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    app.synth();
  } finally {
    silenced.mockRestore();
  }
  const file = join(outdir, stack.templateFile);
  return { file, template: Template.parse(JSON.parse(readFileSync(file, 'utf8'))) };
}

const Statement = z.object({
  Action: OneOrMore(z.string()),
  Resource: OneOrMore(Text),
  Condition: z.unknown().optional(),
});
const Policy = z.object({ Roles: z.array(Text), PolicyDocument: z.object({ Statement: z.array(Statement) }) });
const Key = z.object({ KmsMasterKeyId: Text, SqsManagedSseEnabled: z.undefined().optional() });
const LogGroup = z.object({ KmsKeyId: Text });
const Table = z.object({
  SSESpecification: z.object({ SSEEnabled: z.literal(true), SSEType: z.literal('KMS') }),
  Replicas: z.array(z.object({ SSESpecification: z.object({ KMSMasterKeyId: Text }) })).length(1),
});

const MESSAGES = ['kms:Decrypt', 'kms:GenerateDataKey'];
const TABLES = ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey'];
const REENCRYPT = ['kms:ReEncryptFrom', 'kms:ReEncryptTo'];

describe.each([
  ['its ARN', ARN, ARN, ARN],
  ['its alias', 'alias/w2b', ALIAS_ARN, ANY_KEY],
])('with the key by %s', (_, kmsKey, used, granted) => {
  const { file, template } = synthesized(kmsKey);
  const of = <S extends z.ZodType>(type: string, schema: S): z.output<S>[] => {
    const found = Object.values(template.Resources).filter(({ Type }) => Type === type);
    expect(found).not.toEqual([]);
    return found.map(({ Properties }) => schema.parse(Properties));
  };

  test('all queues, dead-letter queues too, and the topic of the alarms are encrypted with it', () => {
    const ids = [...of('AWS::SQS::Queue', Key), ...of('AWS::SNS::Topic', Key)].map((it) => it.KmsMasterKeyId);
    expect(new Set(ids)).toEqual(new Set([used]));
  });

  test('all log groups and both tables are', () => {
    const logs = of('AWS::Logs::LogGroup', LogGroup).map((it) => it.KmsKeyId);
    const tables = of('AWS::DynamoDB::GlobalTable', Table).map((it) => it.Replicas[0]?.SSESpecification.KMSMasterKeyId);
    expect(tables).toHaveLength(2);
    expect(new Set([...logs, ...tables])).toEqual(new Set([used]));
  });

  test('there is no other key', () => {
    const types = Object.values(template.Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type.startsWith('AWS::KMS::'))).toEqual([]);
  });

  const statements = of('AWS::IAM::Policy', Policy).flatMap(({ Roles, PolicyDocument }) =>
    PolicyDocument.Statement.filter(({ Action }) => Action.some((action) => action.startsWith('kms:'))).map((it) => ({
      role: Roles.join(),
      ...it,
    })),
  );
  const via = (...services: string[]) => ({
    StringEquals: {
      'kms:ViaService': services.map((service) => ({
        'Fn::Join': ['', [`${service}.`, { Ref: 'AWS::Region' }, '.amazonaws.com']],
      })),
    },
    ...(granted === ANY_KEY ? { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': kmsKey } } : {}),
  });

  test.each([
    ['PipelineStartRun', [...TABLES, ...REENCRYPT], via('dynamodb', 'sqs')],
    ['PipelineExtractShard', [...TABLES, ...REENCRYPT], via('dynamodb', 'secretsmanager', 'sqs')],
    ['PipelineWriteBatchbrazeRole', [...TABLES, ...REENCRYPT], via('dynamodb', 'secretsmanager', 'sqs')],
    ['PipelineWriteBatchbrazeeuRole', [...TABLES, ...REENCRYPT], via('dynamodb', 'secretsmanager', 'sqs')],
    ['SchedulerRole', MESSAGES, via('sqs')],
  ])('the role of %s may use it through its services, and not by itself', (role, actions, condition) => {
    const own = statements.filter((statement) => statement.role.startsWith(`{${role}`));
    expect(own).toEqual([
      { role: expect.anything(), Action: [...actions].sort(), Resource: [granted], Condition: condition },
    ]);
  });

  test('nobody else may', () => {
    expect(statements).toHaveLength(5);
  });

  test('the template has no errors, where cfn-lint is there to say so', () => {
    const lint = spawnSync('cfn-lint', ['--non-zero-exit-code', 'error', '--format', 'parseable', file], {
      encoding: 'utf8',
    });
    if (lint.error) expect(lint.error).toMatchObject({ code: 'ENOENT' });
    else expect([lint.stdout.split('\n').filter((line) => /:E\d{4}:/.test(line)), lint.status]).toEqual([[], 0]);
  });
});
