/** What is watched: the runs of each destination, the queues between the functions, and the functions. */
import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, type Dashboard, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Destination, Parameters } from '../shared/parameters/schema.ts';
import { Alarms } from './alarms.ts';
import { dashboard, type Named } from './dashboard.ts';
import { destinationMetric, filledWithZero } from './destination-metrics.ts';
import type { Pipeline } from './pipeline.ts';
import type { Schedules } from './schedules.ts';
import type { StackKey } from './stack-key.ts';
import { successWindow } from './success-window.ts';

export type MonitoringProps = {
  readonly parameters: Parameters;
  readonly pipeline: Pipeline;
  readonly schedules: Schedules;
  /** The key of the parameter file, if it has one. */
  readonly key: StackKey | undefined;
  /** Percent of the rows of a run that may be rejected; 5 unless given. */
  readonly maxRejectedPercent?: number;
};

/** Steps of a run put themselves back as new messages: one that gets old is being tried again and again, or nobody takes it. */
const MAX_EXTRACT_AGE = Duration.hours(1);
/** The largest first run has to go through; a batch that nobody has taken after a day is lost to its run. */
const MAX_BATCH_AGE = Duration.hours(4);
/** When a limit is reached, each writer is refused once and then waits: no more than that is the system at work. */
const REFUSALS_A_WRITER_AND_HOUR = 2;
/** One or two lost invocations are made up for by the queue. */
const FUNCTION_ERRORS = 3;

export class Monitoring extends Construct {
  readonly alarms: Alarms;
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    const { parameters, pipeline, schedules } = props;
    const { environment, alarmEmail } = parameters;
    this.alarms = new Alarms(this, 'Alarms', { environment, email: alarmEmail, key: props.key });

    const destinations = Object.entries(parameters.destinations);
    for (const [name, destination] of destinations) {
      // start-run refuses a disabled destination: there is nothing to watch.
      if (!destination.enabled) continue;
      this.watchRuns(environment, name, props.maxRejectedPercent ?? 5);
      this.watchSuccess(environment, name, destination);
      this.watchThrottling(environment, name, concurrencyOf(parameters, destination));
    }

    const batches = pipeline.writers.map(({ app, work }) => [`batch-${app}`, work] as const);
    const work = [['extract', pipeline.extract] as const, ...batches];
    const oldest = (name: string) => (name === 'extract' ? MAX_EXTRACT_AGE : MAX_BATCH_AGE);
    for (const [name, { queue, deadLetters }] of work) {
      this.watchAge(name, queue, oldest(name));
      this.watchDeadLetters(name, deadLetters);
    }
    this.watchStarts(pipeline.failedStarts, schedules.undelivered);

    const functions: Named<IFunction> = [
      ['start-run', pipeline.startRun],
      ['extract-shard', pipeline.extractShard],
      ...pipeline.writers.map(({ app, worker }) => [`write-batch-${app}`, worker] as const),
    ];
    for (const [name, worker] of functions) this.watchErrors(name, worker);

    this.dashboard = dashboard(this, 'Dashboard', {
      environment,
      destinations: destinations.map(([name, { enabled }]) => [name, enabled ? {} : { note: 'disabled' }]),
      queues: work.map(([name, { queue }]) => [name, queue]),
      deadLetters: [
        ...work.map(([name, { deadLetters }]) => [name, deadLetters] as const),
        ['failed starts', pipeline.failedStarts],
        ['undelivered starts', schedules.undelivered],
      ],
      functions,
      alarms: this.alarms.all,
    });
  }

  private watchRuns(environment: string, name: string, maxRejectedPercent: number): void {
    this.alarms.add({
      article: 'run-failed',
      subject: name,
      severity: 'high',
      says: `A run of ${name} failed.`,
      metric: destinationMetric(environment, name, 'runFailed'),
      threshold: 1,
      // A run tells how it ended, once. In between there is nothing to tell.
      missing: TreatMissingData.NOT_BREACHING,
    });
    this.alarms.add({
      article: 'run-held',
      subject: name,
      severity: 'medium',
      says: `A run of ${name} found an effect beyond its guards' limits or its budget, and holds it.`,
      metric: destinationMetric(environment, name, 'runHeld'),
      threshold: 1,
      // As above.
      missing: TreatMissingData.NOT_BREACHING,
    });
    this.alarms.add({
      article: 'rejections',
      subject: name,
      severity: 'medium',
      says: `More than ${maxRejectedPercent} percent of the rows of a run of ${name} were rejected.`,
      metric: destinationMetric(environment, name, 'rejectedPercent'),
      threshold: maxRejectedPercent,
      comparison: ComparisonOperator.GREATER_THAN_THRESHOLD,
      // As above.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  private watchThrottling(environment: string, name: string, concurrency: number): void {
    const hour = Duration.hours(1);
    this.alarms.add({
      article: 'braze-throttling',
      subject: name,
      severity: 'low',
      says: `Braze refused requests of ${name} for their rate, two hours in a row.`,
      metric: filledWithZero(destinationMetric(environment, name, 'throttled', hour), hour),
      threshold: REFUSALS_A_WRITER_AND_HOUR * concurrency,
      periods: 2,
      // Sent only when it happens.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  private watchSuccess(environment: string, name: string, destination: Destination): void {
    const window = successWindow(destination);
    if (!window) return;
    const period = Duration.minutes(window.periodMinutes);
    this.alarms.add({
      article: 'no-successful-run',
      subject: name,
      severity: 'high',
      says: `No run of ${name} has succeeded for twice its schedule.`,
      metric: filledWithZero(destinationMetric(environment, name, 'runSucceeded', period), period),
      threshold: 1,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      periods: window.periods,
      // No run at all, in all of the window, is what this alarm is for.
      missing: TreatMissingData.BREACHING,
    });
  }

  private watchAge(name: string, queue: IQueue, oldest: Duration): void {
    this.alarms.add({
      article: 'oldest-message',
      subject: name,
      severity: 'medium',
      says: `The oldest message of the queue ${name} is older than ${oldest.toHumanString()}.`,
      metric: queue.metricApproximateAgeOfOldestMessage({ statistic: Stats.MAXIMUM, period: Duration.minutes(5) }),
      threshold: oldest.toSeconds(),
      // SQS falls silent when a queue has been idle for hours.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  private watchDeadLetters(name: string, queue: IQueue): void {
    this.alarms.add({
      article: 'dead-letters',
      subject: name,
      severity: 'high',
      says: `A message of the queue ${name} was given up.`,
      metric: visible(queue),
      threshold: 1,
      // SQS falls silent when a queue has been idle for hours, and an idle one is empty.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  private watchStarts(failed: IQueue, undelivered: IQueue): void {
    this.alarms.add({
      article: 'failed-starts',
      severity: 'high',
      says: 'The function start-run failed for good: a run was not started.',
      metric: visible(failed),
      threshold: 1,
      // As of the dead-letter queues.
      missing: TreatMissingData.NOT_BREACHING,
    });
    this.alarms.add({
      article: 'undelivered-starts',
      severity: 'high',
      says: 'EventBridge Scheduler could not invoke start-run: a run was not started.',
      metric: visible(undelivered),
      threshold: 1,
      // As of the dead-letter queues.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }

  private watchErrors(name: string, worker: IFunction): void {
    this.alarms.add({
      article: 'function-errors',
      subject: name,
      severity: 'medium',
      says: `The function ${name} crashed or ran out of time again and again.`,
      metric: worker.metricErrors({ statistic: Stats.SUM, period: Duration.minutes(15) }),
      threshold: FUNCTION_ERRORS,
      // A function that is not invoked reports nothing.
      missing: TreatMissingData.NOT_BREACHING,
    });
  }
}

const visible = (queue: IQueue) =>
  queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, period: Duration.minutes(5) });

function concurrencyOf({ apps }: Parameters, destination: Destination): number {
  const app = apps[destination.app];
  return app?.type === 'braze' ? app.concurrency : 1;
}
