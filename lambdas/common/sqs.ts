/** A handler of a queue: each message is parsed, worked on, and told back to SQS on its own. */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Context, SQSHandler, SQSRecord } from 'aws-lambda';
import { describeError, RetryLater } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';

export type Work = {
  /** The message's body, not yet parsed. */
  readonly body: unknown;
  /** How often SQS has delivered it, this time included. */
  readonly receiveCount: number;
  /** Milliseconds until the invocation is stopped. */
  readonly remainingMs: () => number;
};

const MAX_VISIBILITY_SECONDS = 12 * 60 * 60;

/** Returns the handler of a queue. A message whose work throws comes again, after as long as the error says. */
export function queueHandler(
  deps: { sqs: SQSClient; queueUrl: string; log: Log },
  work: (work: Work) => Promise<void>,
): SQSHandler {
  const processor = new BatchProcessor(EventType.SQS);
  return async (event, context) => {
    const handle = async (record: SQSRecord): Promise<void> => {
      try {
        await work({
          body: JSON.parse(record.body),
          receiveCount: Number(record.attributes.ApproximateReceiveCount),
          remainingMs: () => context.getRemainingTimeInMillis(),
        });
      } catch (error) {
        // The message says what went wrong, never what the body was.
        deps.log.error('message comes again', {
          because: error instanceof RetryLater ? error.message : describeError(error),
        });
        if (error instanceof RetryLater) await comeAgainAfter(deps, record, error.afterMs);
        // Given up, or no message of ours at all: no wait would change that.
        else await comeAgainAfter(deps, record, 0);
        throw error;
      }
    };
    return processPartialResponse(event, handle, processor, {
      context: context as Context,
      throwOnFullBatchFailure: false,
    });
  };
}

async function comeAgainAfter(
  { sqs, queueUrl }: { sqs: SQSClient; queueUrl: string },
  record: SQSRecord,
  afterMs: number,
): Promise<void> {
  const VisibilityTimeout = Math.min(MAX_VISIBILITY_SECONDS, Math.ceil(afterMs / 1000));
  await sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: queueUrl, ReceiptHandle: record.receiptHandle, VisibilityTimeout }),
  );
}
