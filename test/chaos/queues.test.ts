/** The queues in memory: at least once, with visibility, receives and dead letters. */
import { faultsOf } from '../../chaos/faults.ts';
import { type ExecutionEnvironment, lambda } from '../../chaos/lambda.ts';
import { queues } from '../../chaos/queues.ts';
import { timeline } from '../../chaos/timeline.ts';

const URL = 'https://sqs.test/queue';
const SETTINGS = {
  url: URL,
  consumer: 'worker',
  visibilityMs: 60_000,
  maxReceiveCount: 3,
  maxConcurrency: 2,
  retentionMs: 3_600_000,
};

type Received = { readonly body: string; readonly receipt: string; readonly receives: number; readonly at: number };
type Work = (received: Received, environment: ExecutionEnvironment) => Promise<'done' | 'failed'>;

/** A queue without faults, and a function that works on it. */
function made(work: Work, settings: Partial<typeof SETTINGS> = {}) {
  const time = timeline(0);
  const faults = faultsOf({ seed: 1, only: new Set() });
  const received: Received[] = [];
  const service = lambda({
    seed: 1,
    timeline: time,
    faults,
    timeoutMs: { worker: 10_000, sender: 3_600_000 },
    maxSkewMs: 0,
    watcher: { trace: () => undefined, ended: () => undefined },
    make: {
      worker: (environment) => async (event) => {
        const { Records } = event as {
          Records: [{ messageId: string; receiptHandle: string; body: string; attributes: Record<string, string> }];
        };
        const [record] = Records;
        const message = {
          body: record.body,
          receipt: record.receiptHandle,
          receives: Number(record.attributes.ApproximateReceiveCount),
          at: time.now(),
        };
        received.push(message);
        const outcome = await work(message, environment);
        return { batchItemFailures: outcome === 'failed' ? [{ itemIdentifier: record.messageId }] : [] };
      },
      sender: () => () => new Promise(() => undefined),
    },
  });
  const queue = queues({
    seed: 1,
    timeline: time,
    faults,
    lambda: service,
    trace: () => undefined,
    queues: [{ ...SETTINGS, ...settings }],
  });
  const sender = service.invoke('sender', {}, () => undefined).environment;
  const send = (entries: readonly object[]) =>
    queue.send(sender, 'SendMessageBatchCommand', {
      QueueUrl: URL,
      Entries: entries.map((entry, index) => ({ Id: String(index), MessageBody: 'text', ...entry })),
    });
  return { time, queue, received, send };
}

test('a message that is done does not come again', async () => {
  const { time, received, send, queue } = made(async () => 'done');
  void send([{}]);
  await time.moveTo(600_000);
  expect(received.map(({ receives }) => receives)).toEqual([1]);
  expect(queue.waiting(URL)).toBe(0);
});

test('a message that failed comes again after its visibility timeout, and is a dead letter after its last try', async () => {
  const { time, received, send, queue } = made(async () => 'failed');
  void send([{}]);
  await time.moveTo(600_000);
  expect(received.map(({ receives }) => receives)).toEqual([1, 2, 3]);
  expect(received.every(({ at }, index) => at >= index * 60_000 && at < index * 60_000 + 1_000)).toBe(true);
  expect([queue.waiting(URL), queue.deadLetters(URL)]).toEqual([0, 1]);
});

test('a message whose function was killed comes again', async () => {
  const { time, received, send } = made(({ receives }) =>
    receives === 1 ? new Promise(() => undefined) : Promise.resolve('done'),
  );
  void send([{}]);
  await time.moveTo(600_000);
  expect(received.map(({ at }) => Math.round(at / 1000))).toEqual([0, 60]);
});

test('a changed visibility timeout is kept, and only for a message in flight', async () => {
  const refused: string[] = [];
  const made_ = made(async ({ receipt }, environment) => {
    const change = (handle: string) =>
      made_.queue.send(environment, 'ChangeMessageVisibilityCommand', {
        QueueUrl: URL,
        ReceiptHandle: handle,
        VisibilityTimeout: 5,
      });
    await change(receipt);
    await change('m99-1').catch((error: Error) => refused.push(error.name));
    return 'failed';
  });
  void made_.send([{}]);
  await made_.time.moveTo(30_000);
  expect(made_.received.map(({ at }) => Math.round(at / 1000))).toEqual([0, 5, 10]);
  expect(refused).toEqual(['MessageNotInflight', 'MessageNotInflight', 'MessageNotInflight']);
});

test('a delayed message waits, and no more than the concurrency are worked on at once', async () => {
  let [working, most] = [0, 0];
  const { time, received, send } = made(async (_, { clock }) => {
    most = Math.max(most, ++working);
    await clock.sleep(1_000);
    working--;
    return 'done';
  });
  void send([{ DelaySeconds: 20 }, {}, {}, {}, {}]);
  await time.moveTo(60_000);
  expect(most).toBe(2);
  expect(received).toHaveLength(5);
  expect(received.at(-1)?.at).toBeGreaterThanOrEqual(20_000);
});

test('a group with few messages in flight goes before one that has many', async () => {
  const order: string[] = [];
  const { time, send } = made(
    async ({ body }, { clock }) => {
      order.push(body);
      await clock.sleep(1_000);
      return 'done';
    },
    { maxConcurrency: 3 },
  );
  for (let call = 0; call < 3; call++)
    void send(Array.from({ length: 10 }, () => ({ MessageBody: 'hot', MessageGroupId: 'hot' })));
  void send(Array.from({ length: 3 }, () => ({ MessageBody: 'cold', MessageGroupId: 'cold' })));
  await time.moveTo(60_000);
  expect(order).toHaveLength(33);
  expect(order.lastIndexOf('cold')).toBeLessThan(12);
});

test('a message that is older than its retention is gone', async () => {
  const { time, received, send, queue } = made(async () => 'failed', { retentionMs: 30_000 });
  void send([{}]);
  await time.moveTo(600_000);
  expect(received).toHaveLength(1);
  expect([queue.waiting(URL), queue.deadLetters(URL)]).toEqual([0, 0]);
});

test.each([
  ['eleven messages', Array.from({ length: 11 }, () => ({})), 'TooManyEntriesInBatchRequest'],
  ['a call above a mebibyte', [{ MessageBody: 'x'.repeat(1_048_577) }], 'BatchRequestTooLong'],
  ['a delay above 15 minutes', [{ DelaySeconds: 901 }], 'InvalidParameterValue'],
  ['an id twice', [{ Id: 'a' }, { Id: 'a' }], 'BatchEntryIdsNotDistinct'],
  ['no message', [], 'EmptyBatchRequest'],
])('%s is refused', async (_, entries, name) => {
  const { time, send } = made(async () => 'done');
  const refused = expect(send(entries)).rejects.toMatchObject({ name });
  await time.moveTo(1_000);
  await refused;
});
