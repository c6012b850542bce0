/** A queue together with its dead-letter queue and the event source mapping of the function that works on it. */
import { Duration } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** Source: AWS Lambda Developer Guide, 'Using Lambda with Amazon SQS' (six times the function's timeout). */
const VISIBILITY_TIMEOUTS = 6;
/** Dead letters are a view of what went wrong; two weeks are the most that SQS keeps them. */
const DEAD_LETTER_RETENTION = Duration.days(14);

export type WorkQueueProps = {
  /** Timeout of the function that works on the queue. */
  readonly functionTimeout: Duration;
  /** Deliveries of a message before it becomes a dead letter. */
  readonly maxReceiveCount: number;
  /** How long messages are kept. Batches carry field values: no longer than a run can need them. Four days unless given. */
  readonly retention?: Duration;
};

/** Returns an encrypted queue, TLS only, for dead letters. */
export const deadLetterQueue = (scope: Construct, id: string): Queue =>
  new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: DEAD_LETTER_RETENTION,
  });

export class WorkQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly maxReceiveCount: number;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    this.maxReceiveCount = props.maxReceiveCount;
    this.deadLetters = deadLetterQueue(this, 'DeadLetters');
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(props.functionTimeout.toSeconds() * VISIBILITY_TIMEOUTS),
      retentionPeriod: props.retention ?? Duration.days(4),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: props.maxReceiveCount },
    });
  }

  /** Lets a function work on the queue: one message an invocation, so that a try of one is no try of another. */
  consumedBy(worker: LambdaFunction, maxConcurrency: number): void {
    worker.addEventSource(
      new SqsEventSource(this.queue, { batchSize: 1, maxConcurrency, reportBatchItemFailures: true }),
    );
  }
}
