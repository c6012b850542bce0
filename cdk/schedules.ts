/** A schedule for each enabled destination that has one, and the sweeper's, which closes runs whose messages are lost. */
import { type CfnElement, Duration, Stack, TimeZone } from 'aws-cdk-lib';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleTargetInput,
  TimeWindow,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type Destination, scheduleOf } from '../shared/parameters/schema.ts';
import { acknowledge } from './acknowledge.ts';
import type { StackKey } from './stack-key.ts';
import { deadLetterQueue } from './work-queue.ts';

/** A stuck run is closed this long after it is known to be stuck, at most. */
const SWEEP_MINUTES = 15;

export type SchedulesProps = {
  readonly destinations: Readonly<Record<string, Destination>>;
  readonly startRun: IFunction;
  /** The key of the parameter file, if it has one. */
  readonly key: StackKey | undefined;
};

export class Schedules extends Construct {
  /** Starts that EventBridge Scheduler could not deliver. */
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, { destinations, startRun, key }: SchedulesProps) {
    super(scope, id);
    this.undelivered = deadLetterQueue(this, 'Undelivered', key);
    acknowledge(this.undelivered, 'AwsSolutions-SQS3', "It is the dead-letter queue of the schedules' targets.");
    acknowledge(
      Stack.of(this),
      `AwsSolutions-IAM5[Resource::<${Stack.of(this).getLogicalId(startRun.node.defaultChild as CfnElement)}.Arn>:*]`,
      'The scheduler may invoke any version of the one function start-run.',
    );
    new Schedule(this, 'Sweep', {
      description: 'Closes runs whose messages are lost',
      schedule: ScheduleExpression.rate(Duration.minutes(SWEEP_MINUTES)),
      target: new LambdaInvoke(startRun, {
        input: ScheduleTargetInput.fromObject({ sweep: true }),
        deadLetterQueue: this.undelivered,
        retryAttempts: 0,
        maxEventAge: Duration.minutes(SWEEP_MINUTES),
      }),
    });
    for (const [name, destination] of Object.entries(destinations)) {
      const schedule = destination.enabled ? scheduleOf(destination) : undefined;
      if (!schedule) continue;
      new Schedule(this, `Schedule-${name}`, {
        description: `Starts a run of ${name}`,
        schedule: ScheduleExpression.expression(schedule.expression, TimeZone.of(schedule.timezone)),
        ...(schedule.flexibleMinutes
          ? { timeWindow: TimeWindow.flexible(Duration.minutes(schedule.flexibleMinutes)) }
          : {}),
        target: new LambdaInvoke(startRun, {
          // The execution names the start: Scheduler delivers at least once, and a repeated delivery is the same run.
          input: ScheduleTargetInput.fromObject({ destination: name, execution: ContextAttribute.executionId }),
          deadLetterQueue: this.undelivered,
          retryAttempts: 3,
          maxEventAge: Duration.hours(1),
        }),
      });
    }
    // The scheduler itself puts what it cannot deliver into the queue, as the role that CDK makes for its target.
    for (const role of Stack.of(this).node.children) {
      if (role instanceof Role && role.node.id.startsWith('SchedulerRole')) key?.grantUse(role, ['sqs']);
    }
  }
}
