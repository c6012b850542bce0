/**
 * Lambda's side of SQS: receives messages, invokes the function, and deletes what it reports as done.
 *
 * As in Lambda, a message whose invocation died stays invisible until its visibility timeout ends. Nothing of the cloud
 * could happen meanwhile but waiting, so the clock of the functions is moved ahead instead, and the message comes at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import * as z from 'zod';
import type { Functions, Outcome } from './lambda/functions.ts';
import { type EventSource, REGION } from './template.ts';

export type Target = { readonly functions: Functions; readonly source: EventSource };

export type Poller = {
  /** Invokes other functions from the next message on. Returns when the invocations of the former ones have ended. */
  readonly retarget: (target: Target) => Promise<void>;
  /** Stops receiving, and returns when the running invocations have ended. */
  readonly stop: () => Promise<void>;
};

export type PollerOptions = {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly visibilitySeconds: number;
  readonly onOutcome: (functionId: string, outcome: Outcome, event: unknown) => void;
};

const BatchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** Starts to poll a queue for a function, at most `maxConcurrency` invocations at once. */
export function startPoller(options: PollerOptions, first: Target): Poller {
  let target = first;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (running.size >= target.source.maxConcurrency) {
        await Promise.race(running);
        continue;
      }
      const messages = await receive(options, target.source, stopping.signal);
      if (messages.length === 0) continue;
      const invocation = work(options, target, messages).finally(() => running.delete(invocation));
      running.add(invocation);
    }
    await Promise.allSettled(running);
  };
  const done = loop();
  return {
    retarget: async (next) => {
      target = next;
      await Promise.allSettled(running);
    },
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

async function receive({ sqs, queueUrl }: PollerOptions, source: EventSource, signal: AbortSignal): Promise<Message[]> {
  try {
    const command = new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: Math.min(10, source.batchSize),
      WaitTimeSeconds: 20,
      MessageSystemAttributeNames: ['All'],
    });
    return (await sqs.send(command, { abortSignal: signal })).Messages ?? [];
  } catch {
    if (!signal.aborted) await sleep(100);
    return [];
  }
}

async function work(
  options: PollerOptions,
  { functions, source }: Target,
  messages: readonly Message[],
): Promise<void> {
  const { sqs, queueUrl } = options;
  const event = eventOf(source, messages);
  const outcome = await functions.invoke(source.functionId, event);
  options.onOutcome(source.functionId, outcome, event);
  const failed = failures(outcome, source, messages);
  const done = messages.filter(({ MessageId }) => !failed.has(MessageId ?? ''));
  if (done.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries(done) }));
  if (outcome.kind !== 'returned') {
    functions.advance(options.visibilitySeconds * 1000);
    await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: queueUrl,
        Entries: entries(messages).map((entry) => ({ ...entry, VisibilityTimeout: 0 })),
      }),
    );
  }
}

const entries = (messages: readonly Message[]) =>
  messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle: ReceiptHandle ?? '' }));

/** Without a report, or when the invocation failed, all messages count as failed. Source: AWS Lambda Developer Guide, 'Implementing partial batch responses'. */
function failures(outcome: Outcome, source: EventSource, messages: readonly Message[]): ReadonlySet<string> {
  if (outcome.kind !== 'returned') return new Set(messages.map(({ MessageId }) => MessageId ?? ''));
  const report = source.reportsItemFailures ? BatchResponse.safeParse(outcome.result) : undefined;
  return new Set(report?.data?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) ?? []);
}

const eventOf = (source: EventSource, messages: readonly Message[]) => ({
  Records: messages.map((message) => ({
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: {},
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${REGION}:000000000000:${source.queueName}`,
    awsRegion: REGION,
  })),
});
