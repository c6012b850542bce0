/** A queue together with its dead-letter queue and the event source mapping of the function that works on it. */
import { Duration } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { CfnQueue, Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { StackKey } from './stack-key.ts';

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
  /** How long dead letters are kept; two weeks unless given. */
  readonly deadLetterRetention?: Duration;
  /** The key of the parameter file, if it has one. */
  readonly key: StackKey | undefined;
};

/** Returns a queue, TLS only, encrypted with the key or else with one that SQS manages. */
function encryptedQueue(scope: Construct, id: string, key: StackKey | undefined, props: QueueProps): Queue {
  const queue = new Queue(scope, id, { ...props, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true });
  const resource = queue.node.defaultChild;
  if (key !== undefined && resource instanceof CfnQueue) {
    // Not by the queue's own property, which would grant each consumer the key without naming the service.
    resource.sqsManagedSseEnabled = undefined;
    resource.kmsMasterKeyId = key.key.keyArn;
  }
  return queue;
}

/** Returns an encrypted queue for dead letters. */
export const deadLetterQueue = (
  scope: Construct,
  id: string,
  key: StackKey | undefined,
  retentionPeriod: Duration = DEAD_LETTER_RETENTION,
): Queue => encryptedQueue(scope, id, key, { retentionPeriod });

export class WorkQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly maxReceiveCount: number;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    this.maxReceiveCount = props.maxReceiveCount;
    this.deadLetters = deadLetterQueue(this, 'DeadLetters', props.key, props.deadLetterRetention);
    this.queue = encryptedQueue(this, 'Queue', props.key, {
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
