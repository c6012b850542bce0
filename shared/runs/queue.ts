/** Sending to SQS: many messages in few calls, each call complete or retried. */
import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { backoffMs, type Clock, SECOND_MS } from '../time.ts';
import { textBytes } from './messages.ts';

export type Outgoing = {
  readonly text: string;
  readonly delaySeconds?: number;
  /** Whose message it is: SQS lets no group's backlog keep the others waiting. Source: Amazon SQS Developer Guide, 'Amazon SQS fair queues'. */
  readonly group?: string;
};

export type Queue = {
  /** Sends all messages; when it returns, SQS has each of them. */
  readonly send: (messages: readonly Outgoing[]) => Promise<void>;
};

/** Source: Amazon SQS API Reference, 'SendMessageBatch': 10 messages and 1 MiB in all. */
const MESSAGES_PER_CALL = 10;
export const MAX_CALL_BYTES = 1_048_576;
/** Source: Amazon SQS API Reference, 'SendMessage'. */
export const MAX_DELAY_SECONDS = 900;

/** Returns the queue of a URL. */
export function sqsQueue(client: SQSClient, url: string, clock: Clock): Queue {
  return {
    send: async (messages) => {
      for (const call of calls(messages)) await sendAll(client, url, clock, call);
    },
  };
}

/** Returns the messages grouped so that each group fits one call; order is kept. */
export function calls(messages: readonly Outgoing[]): Outgoing[][] {
  const groups: Outgoing[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = textBytes(message.text);
    const last = groups.at(-1);
    if (last && last.length < MESSAGES_PER_CALL && bytes + size <= MAX_CALL_BYTES) {
      last.push(message);
      bytes += size;
    } else {
      groups.push([message]);
      bytes = size;
    }
  }
  return groups;
}

async function sendAll(client: SQSClient, url: string, clock: Clock, messages: readonly Outgoing[]): Promise<void> {
  let left = messages.map((message, index) => ({
    Id: String(index),
    MessageBody: message.text,
    ...(message.group === undefined ? {} : { MessageGroupId: message.group }),
    ...(message.delaySeconds ? { DelaySeconds: Math.min(MAX_DELAY_SECONDS, Math.ceil(message.delaySeconds)) } : {}),
  }));
  for (let attempt = 1; left.length > 0; attempt++) {
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: left }));
    const failed = answer.Failed ?? [];
    const senderFault = failed.find((failure) => failure.SenderFault);
    if (senderFault) throw new Error(`SQS refused a message: ${senderFault.Code}: ${senderFault.Message}`);
    const failedIds = new Set(failed.map((failure) => failure.Id));
    left = left.filter((entry) => failedIds.has(entry.Id));
    if (left.length > 0) await clock.sleep(backoffMs(clock, attempt, 100, 5 * SECOND_MS));
  }
}
