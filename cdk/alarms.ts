/**
 * The alarms' topic, and the one way to make an alarm: each has a severity, says what a missing data point means, and
 * points to an article of the runbook that tells what to do. All of them go to the topic.
 */
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, type TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { StackKey } from './stack-key.ts';

/** The kinds of alarm, each with an article of this name in docs/runbook.md. */
export const ARTICLES = [
  'run-failed',
  'run-held',
  'no-successful-run',
  'rejections',
  'braze-throttling',
  'dead-letters',
  'oldest-message',
  'function-errors',
  'undelivered-starts',
  'failed-starts',
] as const;
export type Article = (typeof ARTICLES)[number];

/** high: Braze is, or will soon be, out of date · medium: a person is to decide or to mend · low: it gets slow. */
export const SEVERITIES = ['high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type AlarmProps = {
  readonly article: Article;
  /** What the alarm is about (a destination, a queue, a function), where there are several of its kind. */
  readonly subject?: string;
  readonly severity: Severity;
  /** What has happened, as one sentence. */
  readonly says: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** At the threshold or above, unless given. */
  readonly comparison?: ComparisonOperator;
  /** Periods of the metric that are looked at, all of which have to breach; 1 unless given. */
  readonly periods?: number;
  /** What a period without data means. There is no default, because every metric has its own reason to be silent. */
  readonly missing: TreatMissingData;
};

export type AlarmsProps = {
  readonly environment: string;
  /** Who is told by mail; nobody unless given. */
  readonly email?: string | undefined;
  /** The key of the parameter file; a key of the topic's own unless given. */
  readonly key?: StackKey | undefined;
};

export class Alarms extends Construct {
  readonly topic: Topic;
  readonly all: Alarm[] = [];
  private readonly prefix: string;

  constructor(scope: Construct, id: string, { environment, email, key: given }: AlarmsProps) {
    super(scope, id);
    this.prefix = `w2b-${environment}`;
    const publisher = new ServicePrincipal('cloudwatch.amazonaws.com');
    const { account } = Stack.of(this);
    this.topic = new Topic(this, 'Topic', { masterKey: given?.key ?? this.ownKey(publisher), enforceSSL: true });
    // The policy that enforces TLS takes the place of the one by which the account may publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [publisher],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: {
          StringEquals: { 'aws:SourceAccount': account },
          ArnLike: { 'aws:SourceArn': this.alarmArns() },
        },
      }),
    );
    if (email !== undefined) this.topic.addSubscription(new EmailSubscription(email));
  }

  /** Returns the alarm `w2b-<environment>-<article>[-<subject>]`. */
  add({ article, subject, severity, says, metric, threshold, comparison, periods, missing }: AlarmProps): Alarm {
    const name = [article, ...(subject === undefined ? [] : [subject])].join('-');
    const alarm = new Alarm(this, name, {
      alarmName: `${this.prefix}-${name}`,
      alarmDescription: `[${severity}] ${says} What to do: docs/runbook.md#${article}`,
      metric,
      threshold,
      comparisonOperator: comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods ?? 1,
      treatMissingData: missing,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    this.all.push(alarm);
    return alarm;
  }

  private ownKey(publisher: ServicePrincipal): Key {
    // CloudWatch may not use the key that AWS manages for SNS (alias/aws/sns), and nobody can allow it to: the alarms
    // would stay silent. Source: AWS re:Post, 'How do I configure a CloudWatch alarm that uses an encrypted SNS topic?'.
    const key = new Key(this, 'Key', {
      description: `Alarms of ${this.prefix}`,
      enableKeyRotation: true,
      // Nothing is kept under this key: a message that is delivered is gone.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [publisher],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    return key;
  }

  private alarmArns(): string {
    return Stack.of(this).formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: `${this.prefix}-*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}
