import { SQSClient } from '@aws-sdk/client-sqs';
import * as z from 'zod';
import { sqsQueue } from '../../../shared/runs/queue.ts';
import { fakeClock } from '../fake-clock.ts';

const Batch = z.object({
  QueueUrl: z.string(),
  Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string(), DelaySeconds: z.number().optional() })),
});
type Batch = z.infer<typeof Batch>;
type Failed = { readonly Id: string; readonly SenderFault: boolean; readonly Code?: string; readonly Message?: string };

/** A queue whose calls are answered here: with the entries that failed, by the number of the call. */
function queueOf(failedOf: (call: number, batch: Batch) => readonly Failed[] = () => []) {
  const clock = fakeClock();
  const batches: Batch[] = [];
  const client = new SQSClient({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  client.middlewareStack.add(
    () => async (args) => {
      const batch = Batch.parse(args.input);
      batches.push(batch);
      const Failed = failedOf(batches.length, batch);
      return { response: {}, output: { $metadata: {}, ...(Failed.length > 0 ? { Failed } : {}) } };
    },
    { step: 'initialize', priority: 'high' },
  );
  return { queue: sqsQueue(client, 'https://queue', clock), batches, clock };
}
const bodies = ({ Entries }: Batch): string[] => Entries.map(({ MessageBody }) => MessageBody);
const messages = (count: number) => Array.from({ length: count }, (_, n) => ({ text: `m${n}` }));

test('messages are sent ten a call, in their order', async () => {
  const { queue, batches } = queueOf();
  await queue.send(messages(23));
  expect(batches.map(({ Entries }) => Entries.length)).toEqual([10, 10, 3]);
  expect(batches.flatMap(bodies)).toEqual(messages(23).map(({ text }) => text));
  for (const { Entries, QueueUrl } of batches) {
    expect(QueueUrl).toBe('https://queue');
    expect(new Set(Entries.map(({ Id }) => Id)).size).toBe(Entries.length);
  }
});

test('no message is no call', async () => {
  const { queue, batches } = queueOf();
  await queue.send([]);
  expect(batches).toEqual([]);
});

test.each([
  [0, undefined],
  [0.2, 1],
  [30, 30],
  [900, 900],
  [5000, 900],
])('a delay of %p seconds is %p, as SQS takes it', async (delaySeconds, sent) => {
  const { queue, batches } = queueOf();
  await queue.send([{ text: 'm', delaySeconds }]);
  expect(batches[0]?.Entries[0]?.DelaySeconds).toBe(sent);
});

test('messages that SQS did not take are sent again, and only these, after a while', async () => {
  const { queue, batches, clock } = queueOf((call, { Entries }) =>
    call < 3 ? Entries.slice(call).map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })) : [],
  );
  await queue.send(messages(5));
  expect(batches.map(bodies)).toEqual([
    ['m0', 'm1', 'm2', 'm3', 'm4'],
    ['m1', 'm2', 'm3', 'm4'],
    ['m3', 'm4'],
  ]);
  expect(clock.slept).toEqual([75, 150]);
});

test('a message that SQS refuses is an error that names the reason and not the message', async () => {
  const { queue } = queueOf((_, { Entries }) =>
    Entries.map(({ Id }) => ({ Id, SenderFault: true, Code: 'InvalidMessageContents', Message: 'bad' })),
  );
  const error = await queue.send([{ text: 'secret' }]).catch((error: unknown) => error);
  expect(String(error)).toContain('InvalidMessageContents: bad');
  expect(String(error)).not.toContain('secret');
});
