/** Alarms, their topic and runbook, and the dashboard. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import * as z from 'zod';
import { ARTICLES, SEVERITIES } from '../../cdk/alarms.ts';
import { successWindow } from '../../cdk/success-window.ts';
import { telemetryMetrics } from '../../lambdas/common/telemetry.ts';
import { METRIC_NAMESPACE, METRICS, type MetricName } from '../../shared/metrics.ts';
import { Destination } from '../../shared/parameters/schema.ts';
import { StartEvent } from '../../shared/runs/start-run.ts';
import { parameters } from './parameters.ts';
import { deadLetterQueueIds, functionIds, OneOrMore, ROOT, resources, Text, textOf, workQueueIds } from './template.ts';

const Dimensions = z.array(z.object({ Name: z.string(), Value: Text }));
const MetricParts = { Namespace: z.string(), MetricName: z.string(), Dimensions };
const MetricQuery = z.object({
  Expression: z.string().optional(),
  MetricStat: z
    .object({ Metric: z.object(MetricParts), Period: z.number(), Stat: z.string() })
    .transform(({ Metric, Period, Stat }) => ({ ...Metric, Period, Statistic: Stat }))
    .optional(),
});
const Alarm = z
  .object({
    AlarmName: z.string(),
    AlarmDescription: z.string(),
    ComparisonOperator: z.string(),
    Threshold: z.number(),
    EvaluationPeriods: z.number(),
    DatapointsToAlarm: z.number().optional(),
    TreatMissingData: z.string(),
    AlarmActions: z.array(Text),
    ActionsEnabled: z.boolean().default(true),
    Metrics: z.array(MetricQuery).optional(),
    ...z.object({ ...MetricParts, Period: z.number(), Statistic: z.string() }).partial().shape,
  })
  .transform(({ Metrics, Namespace, MetricName, Dimensions, Period, Statistic, ...rest }) => {
    const metric = Metrics
      ? Metrics.map((query) => query.MetricStat).filter((stat) => stat !== undefined)
      : [{ Namespace, MetricName, Dimensions, Period, Statistic }];
    const expressions = (Metrics ?? []).map((query) => query.Expression).filter((text) => text !== undefined);
    return { ...rest, metric: metric[0], metrics: metric.length, expressions };
  });

const alarms = resources('AWS::CloudWatch::Alarm', Alarm).map(([, alarm]) => [alarm.AlarmName, alarm] as const);
const subjectsOf = (article: string): string[] =>
  alarms.flatMap(([name]) =>
    name.startsWith(`w2b-test-${article}`) ? [name.slice(`w2b-test-${article}-`.length)] : [],
  );
const alarmCalled = (name: string) => alarms.find(([known]) => known === name)?.[1];
const enabled = Object.entries(parameters.destinations).filter(([, destination]) => destination.enabled);

describe('alarms', () => {
  test.each(alarms)('%s says its severity, what has happened, and where to read what to do', (name, alarm) => {
    const [, severity, article] =
      /^\[(\w+)\] [A-Z][^\n]+\. What to do: docs\/runbook\.md#([a-z-]+)$/.exec(alarm.AlarmDescription) ?? [];
    expect(SEVERITIES).toContain(severity);
    expect(ARTICLES).toContain(article);
    expect(name).toMatch(new RegExp(`^w2b-test-${article}(-|$)`));
  });

  test.each(alarms)('%s says what missing data means: breaching only where silence is the trouble', (name, alarm) => {
    const isSilence = name.startsWith('w2b-test-no-successful-run-');
    expect(alarm.TreatMissingData).toBe(isSilence ? 'breaching' : 'notBreaching');
  });

  test.each(alarms)('%s looks no further back than CloudWatch can', (_, alarm) => {
    const period = alarm.metric?.Period ?? 0;
    expect(period).toBeGreaterThan(0);
    expect(period * alarm.EvaluationPeriods).toBeLessThanOrEqual((period < 3600 ? 1 : 7) * 24 * 3600);
    expect(alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods).toBe(alarm.EvaluationPeriods);
    expect(alarm.metrics).toBe(1);
  });

  test.each([
    ['run-failed', enabled.map(([name]) => name)],
    ['run-held', enabled.map(([name]) => name)],
    ['rejections', enabled.map(([name]) => name)],
    ['braze-throttling', enabled.map(([name]) => name)],
    ['no-successful-run', ['hourly', 'often', 'relaxed', 'mornings']],
    ['dead-letters', Object.keys(workQueueIds)],
    ['oldest-message', Object.keys(workQueueIds)],
    ['function-errors', Object.keys(functionIds)],
    ['failed-starts', ['']],
    ['undelivered-starts', ['']],
  ])('%s is watched for all there is to watch', (article, subjects) => {
    expect(subjects).not.toEqual([]);
    expect(subjectsOf(article).sort()).toEqual([...subjects].sort());
  });

  test.each([
    ['run-failed-hourly', 'RunFailed', 'Sum', 'GreaterThanOrEqualToThreshold', 1],
    ['run-held-hourly', 'RunHeld', 'Sum', 'GreaterThanOrEqualToThreshold', 1],
    ['rejections-hourly', 'RejectedPercent', 'Maximum', 'GreaterThanThreshold', 5],
    ['no-successful-run-hourly', 'RunSucceeded', 'Sum', 'LessThanThreshold', 1],
    ['braze-throttling-hourly', 'BrazeThrottled', 'Sum', 'GreaterThanOrEqualToThreshold', 2 * 5],
    ['braze-throttling-often', 'BrazeThrottled', 'Sum', 'GreaterThanOrEqualToThreshold', 2 * 12],
    ['dead-letters-extract', 'ApproximateNumberOfMessagesVisible', 'Maximum', 'GreaterThanOrEqualToThreshold', 1],
    ['failed-starts', 'ApproximateNumberOfMessagesVisible', 'Maximum', 'GreaterThanOrEqualToThreshold', 1],
    ['undelivered-starts', 'ApproximateNumberOfMessagesVisible', 'Maximum', 'GreaterThanOrEqualToThreshold', 1],
    ['oldest-message-extract', 'ApproximateAgeOfOldestMessage', 'Maximum', 'GreaterThanOrEqualToThreshold', 3600],
    ['oldest-message-batch-braze', 'ApproximateAgeOfOldestMessage', 'Maximum', 'GreaterThanOrEqualToThreshold', 14_400],
    ['function-errors-start-run', 'Errors', 'Sum', 'GreaterThanOrEqualToThreshold', 3],
  ])('%s comes by %s (%s, %s %d)', (name, metricName, statistic, comparison, threshold) => {
    const alarm = alarmCalled(`w2b-test-${name}`);
    expect(alarm?.metric).toMatchObject({ MetricName: metricName, Statistic: statistic });
    expect(alarm).toMatchObject({ ComparisonOperator: comparison, Threshold: threshold });
  });

  test.each([
    ...Object.entries(workQueueIds).map(([name, id]) => [`oldest-message-${name}`, id] as const),
    ...Object.entries(deadLetterQueueIds),
  ])('%s looks at its own queue', (name, id) => {
    const dimensions = [{ Name: 'QueueName', Value: `{${id}.QueueName}` }];
    expect(alarmCalled(`w2b-test-${name}`)?.metric).toMatchObject({ Namespace: 'AWS/SQS', Dimensions: dimensions });
  });

  test.each(Object.entries(functionIds))('function-errors-%s looks at its own function', (name, id) => {
    const dimensions = [{ Name: 'FunctionName', Value: `{${id}}` }];
    const { metric } = alarmCalled(`w2b-test-function-errors-${name}`) ?? {};
    expect(metric).toMatchObject({ Namespace: 'AWS/Lambda', Dimensions: dimensions });
  });

  test.each(alarms.filter(([name]) => /-(no-successful-run|braze-throttling)-/.test(name)))(
    '%s counts periods without data as zero, as they have to follow one another',
    (_, { expressions }) => {
      expect(expressions).toEqual(['FILL(counted, 0)']);
    },
  );
});

describe('how long a destination may go without success', () => {
  const destination = (schedule: unknown, rest = {}): Destination =>
    Destination.parse({ ...parameters.destinations.hourly, schedule, ...rest });
  const hours = (periods: number) => ({ periodMinutes: 60, periods });

  test.each([
    ['rate(1 hour)', hours(2)],
    ['rate(90 minutes)', hours(3)],
    ['rate(30 minutes)', hours(1)],
    ['rate(25 minutes)', { periodMinutes: 5, periods: 10 }],
    ['rate(5 minutes)', { periodMinutes: 5, periods: 6 }],
    ['rate(1 minute)', { periodMinutes: 5, periods: 6 }],
    ['rate(1 day)', hours(48)],
    ['cron(0 6 * * ? *)', hours(48)],
    ['cron(0 6,18 * * ? *)', hours(24)],
    ['cron(0 6 ? * MON-FRI *)', hours(144)],
    ['rate(84 hours)', hours(168)],
  ])('%s: twice the longest time between two starts', (schedule, window) => {
    expect(successWindow(destination(schedule))).toEqual(window);
  });

  test('the flexible window comes on top', () => {
    expect(successWindow(destination({ expression: 'rate(2 hours)', flexibleMinutes: 45 }))).toEqual(hours(5));
  });

  test.each(['rate(85 hours)', 'cron(0 6 ? * MON *)', 'cron(0 6 1 * ? *)'])(
    '%s: nothing can be said, as CloudWatch looks back a week at most',
    (schedule) => {
      expect(successWindow(destination(schedule))).toBeUndefined();
    },
  );

  test.each([
    ['a destination without a schedule', destination(undefined)],
    ['one that runs once', destination('at(2030-01-01T00:00:00)')],
    ['a disabled one', destination('rate(1 hour)', { enabled: false })],
  ])('%s is not waited for', (_, given) => {
    expect(successWindow(given)).toBeUndefined();
  });
});

describe('the topic', () => {
  const topics = resources('AWS::SNS::Topic', z.object({ KmsMasterKeyId: Text }));
  const Statement = z.object({
    Sid: z.string().optional(),
    Effect: z.string(),
    Action: OneOrMore(z.string()),
    Principal: z.unknown(),
    Resource: Text,
    Condition: z
      .unknown()
      .optional()
      .transform((condition) => JSON.stringify(condition)),
  });
  const [[topicId, topic]] = z.tuple([z.tuple([z.string(), z.object({ KmsMasterKeyId: z.string() })])]).parse(topics);
  const keyId = topic.KmsMasterKeyId.slice(1, -'.Arn}'.length);
  const cloudWatch = { Service: 'cloudwatch.amazonaws.com' };

  test.each(alarms)('gets %s', (_, { AlarmActions, ActionsEnabled }) => {
    expect(AlarmActions).toEqual([`{${topicId}}`]);
    expect(ActionsEnabled).toBe(true);
  });

  test("lets CloudWatch publish for this environment's alarms, over TLS only", () => {
    const [[, policy]] = z
      .tuple([z.tuple([z.string(), z.object({ Topics: z.array(Text), PolicyDocument: z.unknown() })])])
      .parse(resources('AWS::SNS::TopicPolicy', z.object({ Topics: z.array(Text), PolicyDocument: z.unknown() })));
    expect(policy.Topics).toEqual([`{${topicId}}`]);
    const { Statement: statements } = z.object({ Statement: z.array(Statement) }).parse(policy.PolicyDocument);
    expect(statements).toHaveLength(2);
    const publish = { Action: ['sns:Publish'], Resource: `{${topicId}}` };
    expect(statements).toContainEqual(
      expect.objectContaining({
        ...publish,
        Effect: 'Deny',
        Principal: '*',
        Condition: JSON.stringify({ Bool: { 'aws:SecureTransport': 'false' } }),
      }),
    );
    const allowed = statements.find(({ Effect }) => Effect === 'Allow');
    expect(allowed).toMatchObject({ ...publish, Principal: cloudWatch });
    expect(allowed?.Condition).toContain('"aws:SourceAccount":{"Ref":"AWS::AccountId"}');
    expect(allowed?.Condition).toContain(':alarm:w2b-test-*');
  });

  test('is encrypted with a key of its own that is rotated and that CloudWatch may use', () => {
    const Key = z.object({
      EnableKeyRotation: z.literal(true),
      KeyPolicy: z.object({ Statement: z.array(Statement) }),
    });
    const keys = resources('AWS::KMS::Key', Key);
    expect(keys.map(([id]) => id)).toEqual([keyId]);
    const statements = keys.flatMap(([, { KeyPolicy }]) => KeyPolicy.Statement);
    const services = statements.filter(({ Principal }) => JSON.stringify(Principal).includes('Service'));
    expect(services).toEqual([
      {
        Effect: 'Allow',
        Principal: cloudWatch,
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        Resource: '*',
        Condition: JSON.stringify({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }),
      },
    ]);
  });

  test('is told by mail to whom the parameters name', () => {
    const Subscription = z.object({ Protocol: z.string(), Endpoint: z.string(), TopicArn: Text });
    expect(resources('AWS::SNS::Subscription', Subscription).map(([, subscription]) => subscription)).toEqual([
      { Protocol: 'email', Endpoint: 'operations@example.com', TopicArn: `{${topicId}}` },
    ]);
  });
});

describe('the runbook', () => {
  const text = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8');
  const [general = '', section = ''] = text.split(/^## Alarms$/m);
  const articles = section
    .split(/^### /m)
    .slice(1)
    .map((article) => {
      const [title = '', ...lines] = article.split('\n');
      return [title, lines.join('\n')] as const;
    });
  const kinds = [...new Set(alarms.map(([, { AlarmDescription }]) => AlarmDescription.split('#')[1]))];

  test('has an article for each kind of alarm, and none without an alarm', () => {
    expect(articles.length).toBeGreaterThan(0);
    expect(articles.map(([title]) => title).sort()).toEqual(kinds.sort());
    expect([...ARTICLES].sort()).toEqual(kinds);
  });

  test.each(articles)('%s says what it is, how to look into it, and what to do', (_, body) => {
    const parts = [...body.matchAll(/^\*\*(\w+)\.\*\* \S/gm)].map(([, part]) => part);
    expect(parts).toEqual(['Description', 'Investigation', 'Resolution']);
  });

  test('has only links that lead somewhere', () => {
    const anchors = [...text.matchAll(/^#{2,3} (.+)$/gm)].map(([, title = '']) =>
      title.toLowerCase().replaceAll(' ', '-'),
    );
    const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
  });

  test('tells how to look at a run, start one, approve deletions and retry rejections', () => {
    for (const words of ['"approve":["deletions"]', '"retryRejections":true', 'aws lambda invoke', 'filter run =']) {
      expect(general).toContain(words);
    }
  });

  test('invokes start-run with what it takes', () => {
    const payloads = [...text.matchAll(/--payload '(.+?)' \/dev\/stdout/g)].map(([, payload = '']) =>
      JSON.parse(payload.replaceAll(`'"$DESTINATION"'`, 'customers_to_braze')),
    );
    expect(payloads.length).toBeGreaterThan(2);
    for (const payload of payloads) {
      expect(StartEvent.parse(payload)).toMatchObject({ ...payload, destination: 'customers_to_braze' });
    }
  });

  test('gives the threshold of rejections that the alarm has', () => {
    const threshold = alarmCalled('w2b-test-rejections-hourly')?.Threshold;
    expect(section).toContain(`More than ${threshold} percent of the rows`);
  });
});

/** What a function emits when it reports all metrics of a destination. */
function emitted(destination: string): { namespace: string; dimensions: Record<string, string>; names: string[] } {
  const Emf = z.looseObject({
    _aws: z.object({
      CloudWatchMetrics: z
        .array(
          z.object({
            Namespace: z.string(),
            Dimensions: z.array(z.array(z.string())).length(1),
            Metrics: z.array(z.object({ Name: z.string() })),
          }),
        )
        .length(1),
    }),
  });
  const lines: string[] = [];
  const written = jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => lines.push(String(chunk)) > 0);
  try {
    const names = Object.keys(METRICS).filter((name): name is MetricName => name in METRICS);
    telemetryMetrics('test').add(destination, Object.fromEntries(names.map((name) => [name, 1])));
  } finally {
    written.mockRestore();
  }
  const { _aws, ...values } = Emf.parse(JSON.parse(lines.join('')));
  const [directive] = _aws.CloudWatchMetrics;
  const [dimensions = []] = directive?.Dimensions ?? [];
  return {
    namespace: directive?.Namespace ?? '',
    dimensions: Object.fromEntries(dimensions.map((name) => [name, String(values[name])])),
    names: (directive?.Metrics ?? []).map(({ Name }) => Name),
  };
}

describe('metrics', () => {
  test('all of them are emitted', () => {
    expect(emitted('hourly').names.sort()).toEqual(
      Object.values(METRICS)
        .map(({ name }) => name)
        .sort(),
    );
  });

  const ours = alarms.filter(([, { metric }]) => metric?.Namespace === METRIC_NAMESPACE);

  test.each(ours)('%s looks where the functions emit', (name, { metric }) => {
    const destination = enabled.map(([known]) => known).filter((known) => name.endsWith(`-${known}`));
    const { namespace, dimensions, names } = emitted(destination[0] ?? '');
    expect(metric?.Namespace).toBe(namespace);
    expect(names).toContain(metric?.MetricName);
    expect(Object.fromEntries((metric?.Dimensions ?? []).map(({ Name, Value }) => [Name, Value]))).toEqual(dimensions);
  });
});

describe('the dashboard', () => {
  const Graph = z.object({
    type: z.literal('metric'),
    properties: z.object({ metrics: z.array(z.array(z.unknown())) }),
  });
  const Status = z.object({ type: z.literal('alarm'), properties: z.object({ alarms: z.array(z.string()) }) });
  const Words = z.object({ type: z.literal('text'), properties: z.object({ markdown: z.string() }) });
  const Body = z.object({ widgets: z.array(z.discriminatedUnion('type', [Graph, Status, Words])) });
  const dashboards = resources(
    'AWS::CloudWatch::Dashboard',
    z.object({ DashboardName: z.string(), DashboardBody: z.unknown() }),
  );
  const { widgets } = Body.parse(JSON.parse(textOf(dashboards[0]?.[1].DashboardBody)));
  /** Namespace, name and dimensions of each metric shown, as text. */
  const shown = new Set(
    widgets.flatMap((widget) =>
      widget.type === 'metric'
        ? widget.properties.metrics.map((metric) => metric.filter((part) => typeof part === 'string').join(' '))
        : [],
    ),
  );

  test('there is one for the environment', () => {
    expect(dashboards.map(([, { DashboardName }]) => DashboardName)).toEqual(['w2b-test']);
  });

  test.each(
    Object.keys(parameters.destinations).flatMap((destination) =>
      Object.values(METRICS).map(({ name }) => [destination, name] as const),
    ),
  )('shows of %s: %s', (destination, name) => {
    const { namespace, dimensions } = emitted(destination);
    const text = Object.entries(dimensions).flat();
    const permutations = [...shown].filter((metric) => metric.startsWith(`${namespace} ${name} `));
    const sorted = (words: readonly string[]) => [...words].sort().join(' ');
    expect(permutations.map((metric) => sorted(metric.split(' ').slice(2)))).toContain(sorted(text));
  });

  test.each(Object.entries(workQueueIds))('shows of the queue %s its age and its messages', (_, id) => {
    for (const name of [
      'ApproximateAgeOfOldestMessage',
      'ApproximateNumberOfMessagesVisible',
      'ApproximateNumberOfMessagesNotVisible',
    ]) {
      expect(shown).toContain(`AWS/SQS ${name} QueueName {${id}.QueueName}`);
    }
  });

  test.each(Object.entries(deadLetterQueueIds))('shows how many messages are in %s', (_, id) => {
    expect(shown).toContain(`AWS/SQS ApproximateNumberOfMessagesVisible QueueName {${id}.QueueName}`);
  });

  test.each(Object.entries(functionIds))('shows of %s errors, duration, throttles and concurrency', (_, id) => {
    for (const name of ['Errors', 'Duration', 'Throttles', 'ConcurrentExecutions']) {
      expect(shown).toContain(`AWS/Lambda ${name} FunctionName {${id}}`);
    }
  });

  test('shows every alarm', () => {
    const listed = widgets.flatMap((widget) => (widget.type === 'alarm' ? widget.properties.alarms : []));
    const ids = resources('AWS::CloudWatch::Alarm', Alarm).map(([id]) => `{${id}.Arn}`);
    expect(listed.sort()).toEqual(ids.sort());
  });

  test('says which destinations are disabled', () => {
    const headings = widgets.flatMap((widget) => (widget.type === 'text' ? [widget.properties.markdown] : []));
    expect(headings).toEqual(expect.arrayContaining(['## hourly', '## disabled (disabled)']));
  });
});
