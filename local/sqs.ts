/**
 * SQS for the local cloud: fauxqs, in memory, on the loopback interface only (its own start listens on all of them), with
 * the queues of the stack.
 */
import type { AddressInfo } from 'node:net';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import { LOCAL_CREDENTIALS } from './dynamodb.ts';
import { ACCOUNT, type QueueSpec, REGION } from './template.ts';

export type LocalSqs = {
  readonly url: string;
  readonly client: SQSClient;
  readonly queueUrl: (name: string) => string;
  /** Creates queues as the template says. */
  readonly create: (queues: readonly QueueSpec[]) => Promise<void>;
  /** Returns how many messages a queue holds, waiting, delayed or in flight. */
  readonly messages: (name: string) => Promise<number>;
  readonly close: () => Promise<void>;
};

/** Starts SQS without any queue. Delays that messages are sent or put back with are divided by `hurry`. */
export async function startSqs(hurry = 1): Promise<LocalSqs> {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  const port = (): number => (app.server.address() as AddressInfo).port;
  // fauxqs names its queues by a host that not every machine resolves, and the SDK sends to the host of a queue's URL.
  app.addHook('preHandler', async ({ body, headers }) => {
    if (isNamed(body)) {
      body.QueueUrl = body.QueueUrl.replace(`//${headers.host}/`, `//sqs.${REGION}.localhost:${port()}/`);
    }
    if (hurry > 1) shortenWaits(body, hurry);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${port()}`;
  const client = new SQSClient({ endpoint: url, region: REGION, credentials: LOCAL_CREDENTIALS });
  const queueUrl = (name: string): string => `${url}/${ACCOUNT}/${name}`;
  return {
    url,
    client,
    queueUrl,
    create: async (queues) => {
      const deadLettersFirst = [...queues].sort(
        (a, b) => Number(a.redrive !== undefined) - Number(b.redrive !== undefined),
      );
      for (const queue of deadLettersFirst) {
        await client.send(new CreateQueueCommand({ QueueName: queue.name, Attributes: attributes(queue) }));
      }
    },
    messages: async (name) => {
      const names = [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesDelayed',
        'ApproximateNumberOfMessagesNotVisible',
      ] as const;
      const { Attributes = {} } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl: queueUrl(name), AttributeNames: [...names] }),
      );
      return names.reduce((sum, each) => sum + Number(Attributes[each] ?? 0), 0);
    },
    close: async () => {
      client.destroy();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/** Waits are a matter of seconds to SQS, so that the shortest one is a second. */
function shortenWaits(body: unknown, hurry: number): void {
  if (typeof body !== 'object' || body === null) return;
  const waits = body as { VisibilityTimeout?: number; DelaySeconds?: number; Entries?: unknown[] };
  if (waits.VisibilityTimeout) waits.VisibilityTimeout = Math.ceil(waits.VisibilityTimeout / hurry);
  if (waits.DelaySeconds) waits.DelaySeconds = Math.ceil(waits.DelaySeconds / hurry);
  for (const entry of waits.Entries ?? []) shortenWaits(entry, hurry);
}

const isNamed = (body: unknown): body is { QueueUrl: string } =>
  typeof body === 'object' && body !== null && 'QueueUrl' in body && typeof body.QueueUrl === 'string';

const attributes = ({ visibilitySeconds, retentionSeconds, redrive }: QueueSpec): Record<string, string> => ({
  VisibilityTimeout: String(visibilitySeconds),
  MessageRetentionPeriod: String(retentionSeconds),
  ...(redrive
    ? {
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${redrive.to}`,
          maxReceiveCount: redrive.maxReceiveCount,
        }),
      }
    : {}),
});
