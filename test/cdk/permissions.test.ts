/** What each role may do, over all policies of the template: no more than its code asks for. */
import * as z from 'zod';
import {
  deadLetterQueueIds,
  functionIds,
  OneOrMore,
  resources,
  Text,
  tableIds,
  template,
  workQueueIds,
} from './template.ts';

const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.string(),
  Action: OneOrMore(z.string()),
  Resource: OneOrMore(Text),
  Condition: z.unknown().optional(),
});
const IamPolicy = z.object({ Roles: z.array(Text), PolicyDocument: z.object({ Statement: z.array(Statement) }) });
const Role = z.object({
  AssumeRolePolicyDocument: z.object({
    Statement: z
      .array(z.object({ Principal: z.object({ Service: z.string() }), Condition: z.unknown().optional() }))
      .length(1),
  }),
});
const Lambda = z.object({ Role: Text });

const policies = resources('AWS::IAM::Policy', IamPolicy);
const roles = resources('AWS::IAM::Role', Role);
const lambdas = new Map(resources('AWS::Lambda::Function', Lambda));
const statements = policies.flatMap(([id, { PolicyDocument }]) =>
  PolicyDocument.Statement.map((statement) => [`${id}: ${statement.Action.join(', ')}`, statement] as const),
);

/** What may be granted on more than one named resource, and why. */
const WILDCARDS = [
  {
    action: 'xray:PutTelemetryRecords',
    resource: '*',
    reason: 'X-Ray takes no resource',
    condition: undefined,
  },
  {
    action: 'xray:PutTraceSegments',
    resource: '*',
    reason: 'X-Ray takes no resource',
    condition: undefined,
  },
  {
    action: 'redshift-data:DescribeStatement',
    resource: '*',
    reason: 'a statement is no resource; the condition leaves those that the role itself has submitted',
    condition: { StringEquals: { 'redshift-data:statement-owner-iam-userid': ['$', '{aws:userid}'].join('') } },
  },
  {
    action: 'redshift-data:GetStatementResult',
    resource: '*',
    reason: 'a statement is no resource; the condition leaves those that the role itself has submitted',
    condition: { StringEquals: { 'redshift-data:statement-owner-iam-userid': ['$', '{aws:userid}'].join('') } },
  },
  {
    action: 'redshift-data:ExecuteStatement',
    resource: 'arn:{AWS::Partition}:redshift-serverless:{AWS::Region}:{AWS::AccountId}:workgroup/*',
    reason: 'the ARN of a workgroup holds an id that its name does not tell',
    condition: undefined,
  },
  {
    action: 'redshift-serverless:GetCredentials',
    resource: 'arn:{AWS::Partition}:redshift-serverless:{AWS::Region}:{AWS::AccountId}:workgroup/*',
    reason: 'the ARN of a workgroup holds an id that its name does not tell',
    condition: undefined,
  },
  ...['braze/us', 'redshift/readonly'].map((name) => ({
    action: 'secretsmanager:GetSecretValue',
    resource: `arn:{AWS::Partition}:secretsmanager:{AWS::Region}:{AWS::AccountId}:secret:${name}-??????`,
    reason: 'the ARN of a secret ends in six signs that its name does not tell',
    condition: undefined,
  })),
  {
    action: 'lambda:InvokeFunction',
    resource: `{${functionIds['start-run']}.Arn}:*`,
    reason: 'any version of the one function that schedules start',
    condition: undefined,
  },
];

describe('policies', () => {
  test.each(statements)('%s allows, by name', (_, { Effect, Action }) => {
    expect(Effect).toBe('Allow');
    expect(Action.filter((action) => !/^[a-z0-9-]+:[A-Za-z]+$/.test(action))).toEqual([]);
  });

  const wide = statements.flatMap(([, { Action, Resource, Condition }]) =>
    Resource.filter((resource) => /[*?]/.test(resource)).flatMap((resource) =>
      Action.map((action) => ({ action, resource, condition: Condition })),
    ),
  );

  test.each(wide.map((grant) => [grant.action, grant.resource, grant] as const))(
    '%s on %s is granted for a reason',
    (action, resource, { condition }) => {
      const known = WILDCARDS.filter((entry) => entry.action === action && entry.resource === resource);
      expect(known.map((entry) => entry.condition)).toEqual([condition]);
    },
  );

  test.each(WILDCARDS)('the reason for $action on $resource is still needed', ({ action, resource }) => {
    expect(wide.filter((grant) => grant.action === action && grant.resource === resource)).not.toEqual([]);
  });

  const FORBIDDEN = [
    /^dynamodb:(Scan|.*Table|.*Backup.*|PartiQL.*)$/,
    /^redshift-data:(BatchExecuteStatement|ListStatements|CancelStatement)$/,
    /^secretsmanager:(?!GetSecretValue$)/,
    /^sqs:(PurgeQueue|SetQueueAttributes|DeleteQueue)$/,
    /^(iam|kms|sts|s3|ec2):/,
  ];

  test.each(FORBIDDEN)('nobody may do %s', (pattern) => {
    expect(statements.flatMap(([, { Action }]) => Action).filter((action) => pattern.test(action))).toEqual([]);
  });

  test("are attached to roles, and all of a role's permissions are in them", () => {
    const types = new Set(Object.values(template.Resources).map(({ Type }) => Type));
    expect([...types].filter((type) => type.startsWith('AWS::IAM::')).sort()).toEqual([
      'AWS::IAM::Policy',
      'AWS::IAM::Role',
    ]);
    const keys = Object.values(template.Resources).flatMap(({ Type, Properties }) =>
      Type === 'AWS::IAM::Role' ? Object.keys(Properties) : [],
    );
    expect(new Set(keys)).toEqual(new Set(['AssumeRolePolicyDocument']));
  });
});

describe('roles', () => {
  const trusted = roles.map(([id, { AssumeRolePolicyDocument }]) => {
    const [statement] = AssumeRolePolicyDocument.Statement;
    return [id, statement?.Principal.Service, statement?.Condition] as const;
  });

  test.each(trusted)('%s is assumed by one service', (_, service) => {
    expect(['lambda.amazonaws.com', 'scheduler.amazonaws.com']).toContain(service);
  });

  test('each function has a role of its own', () => {
    const used = [...lambdas.values()].map(({ Role: role }) => role);
    expect(new Set(used).size).toBe(used.length);
    const assumed = trusted.filter(([, service]) => service === 'lambda.amazonaws.com').map(([id]) => `{${id}.Arn}`);
    expect(assumed.sort()).toEqual(used.sort());
  });

  test("the scheduler's role is assumed on behalf of this account's schedules only", () => {
    const conditions = trusted.filter(([, service]) => service === 'scheduler.amazonaws.com');
    expect(conditions.map(([, , condition]) => JSON.stringify(condition))).toEqual([
      expect.stringContaining('aws:SourceAccount'),
    ]);
  });
});

/** What a role may do, by resource: the names of the stack's own resources in words. */
function grants(roleId: string | undefined): Record<string, string[]> {
  const names = Object.entries({
    ...Object.fromEntries(Object.entries(tableIds).map(([name, id]) => [`table ${name}`, id])),
    ...Object.fromEntries(Object.entries(workQueueIds).map(([name, id]) => [`queue ${name}`, id])),
    ...Object.fromEntries(Object.entries(deadLetterQueueIds).map(([name, id]) => [`queue ${name}`, id])),
    ...Object.fromEntries(Object.entries(functionIds).map(([name, id]) => [`function ${name}`, id])),
  });
  const named = (resource: string): string => {
    const known = names.find(([, id]) => resource.startsWith(`{${id}.Arn}`));
    return known ? resource.replace(`{${known[1]}.Arn}`, known[0]) : resource.replace(/\{AWS::\w+\}/g, '');
  };
  const own = policies.filter(([, { Roles }]) => Roles.includes(`{${roleId}}`));
  const granted = new Map<string, string[]>();
  for (const { Action, Resource } of own.flatMap(([, { PolicyDocument }]) => PolicyDocument.Statement)) {
    for (const resource of Resource.map(named)) {
      granted.set(resource, [...(granted.get(resource) ?? []), ...Action].sort());
    }
  }
  return Object.fromEntries(granted);
}

const grantsOf = (name: string) => {
  const role = lambdas.get(functionIds[name] ?? '')?.Role ?? '';
  const granted = grants(role.slice(1, -'.Arn}'.length));
  const { '*': anywhere = [], ...rest } = granted;
  const [logs, ...others] = Object.entries(rest).filter(([, actions]) => actions.includes('logs:PutLogEvents'));
  expect(others).toEqual([]);
  expect(logs?.[1]).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
  const onNames = Object.fromEntries(Object.entries(rest).filter(([resource]) => resource !== logs?.[0]));
  return { anywhere: anywhere.filter((action) => !action.startsWith('xray:')), onNames };
};

const RECEIVE = ['ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'GetQueueUrl', 'ReceiveMessage'];
const sqs = (...actions: string[]) => actions.map((action) => `sqs:${action}`).sort();
const dynamodb = (...actions: string[]) => actions.map((action) => `dynamodb:${action}`).sort();

describe('functions', () => {
  test('start-run opens runs and sends their first step; it knows neither ledger, secrets nor warehouse', () => {
    expect(grantsOf('start-run')).toEqual({
      anywhere: [],
      onNames: {
        'table runs': dynamodb('GetItem', 'PutItem', 'Query', 'UpdateItem'),
        'queue extract': sqs('SendMessage'),
        'queue failed-starts': sqs('SendMessage'),
      },
    });
  });

  test('extract-shard reads warehouses and ledger and fills the batch queues; it knows no API key', () => {
    const workgroups = 'arn::redshift-serverless:::workgroup/*';
    expect(grantsOf('extract-shard')).toEqual({
      anywhere: ['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult'],
      onNames: {
        'table runs': dynamodb('BatchGetItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'),
        'table ledger': dynamodb('BatchWriteItem', 'GetItem', 'PutItem', 'Query'),
        'queue extract': sqs(...RECEIVE, 'SendMessage'),
        'queue batch-braze': sqs('SendMessage'),
        'queue batch-braze-eu': sqs('SendMessage'),
        'queue failed-starts': sqs('SendMessage'),
        [workgroups]: ['redshift-data:ExecuteStatement', 'redshift-serverless:GetCredentials'],
        'arn::secretsmanager:::secret:redshift/readonly-??????': ['secretsmanager:GetSecretValue'],
        'arn::redshift:::cluster:main': ['redshift-data:ExecuteStatement'],
        'arn::redshift:::dbuser:main/reader': ['redshift:GetClusterCredentials'],
        'arn::redshift:::dbname:main/prod': ['redshift:GetClusterCredentials'],
      },
    });
  });

  test.each([
    ['braze', 'arn::secretsmanager:::secret:braze/us-??????'],
    ['braze-eu', 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:braze/eu-AbCdEf'],
  ])('the writer of %s reads no API key but its own, and does not read the ledger', (app, secret) => {
    expect(grantsOf(`write-batch-${app}`)).toEqual({
      anywhere: [],
      onNames: {
        'table runs': dynamodb('BatchGetItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'),
        'table ledger': dynamodb('BatchWriteItem', 'UpdateItem'),
        [`queue batch-${app}`]: sqs(...RECEIVE, 'SendMessage'),
        'queue failed-starts': sqs('SendMessage'),
        [secret]: ['secretsmanager:GetSecretValue'],
      },
    });
  });

  test('the scheduler may start runs and leave what it cannot deliver', () => {
    const [role, ...more] = roles.filter(([, { AssumeRolePolicyDocument }]) =>
      AssumeRolePolicyDocument.Statement.some(({ Principal }) => Principal.Service === 'scheduler.amazonaws.com'),
    );
    expect(more).toEqual([]);
    expect(grants(role?.[0])).toEqual({
      'function start-run': ['lambda:InvokeFunction'],
      'function start-run:*': ['lambda:InvokeFunction'],
      'queue undelivered-starts': ['sqs:SendMessage'],
    });
  });
});
