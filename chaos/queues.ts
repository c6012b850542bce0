/**
 * Standard queues and the event source mappings behind them: at least once, in no order, with visibility timeouts, a
 * count of receives and dead letters. Messages of a group that has few in flight go before those of one that has many.
 * Source: Amazon SQS Developer Guide, 'Standard queues', 'Visibility timeout', 'Dead-letter queues', 'Fair queues'; AWS Lambda
 * Developer Guide, 'Using Lambda with Amazon SQS'.
 */
import type { FaultKind, Faults } from './faults.ts';
import { awsError, type ExecutionEnvironment, type Lambda, type Outcome } from './lambda.ts';
import { randomOf } from './random.ts';
import { DELIVERY } from './streams.ts';
import type { Timeline } from './timeline.ts';

export type QueueSettings = {
  readonly url: string;
  /** The function that works on it. */
  readonly consumer: string;
  readonly visibilityMs: number;
  readonly maxReceiveCount: number;
  readonly maxConcurrency: number;
  readonly retentionMs: number;
};

type Message = {
  readonly id: string;
  readonly body: string;
  readonly group: string | undefined;
  readonly sentAt: number;
  visibleAt: number;
  receives: number;
  receipt: string;
  inFlight: boolean;
  /** Its last delivery died, or could not put a copy of it back. */
  hit: boolean;
};

type Queue = QueueSettings & {
  readonly messages: Map<string, Message>;
  readonly deadLetters: Message[];
  /** Invocations at work, all and by group. */
  working: number;
  readonly workingByGroup: Map<string, number>;
  wakeAt: number;
};

export type Queues = {
  /** Does what a command of the SQS client does, as a call of an environment. */
  readonly send: (environment: ExecutionEnvironment, command: string, input: unknown) => Promise<unknown>;
  readonly purge: (url: string) => void;
  readonly waiting: (url: string) => number;
  readonly deadLetters: (url: string) => number;
  /** Texts of the dead letters that could not be put back: their last delivery died, SQS did not take them, or it was often enough. */
  readonly lost: () => readonly string[];
};

export type QueuesOptions = {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly lambda: Lambda;
  readonly queues: readonly QueueSettings[];
  readonly trace: (text: () => string) => void;
  /** Whether groups are told apart; without, all messages are one group. */
  readonly fair?: boolean;
};

type Entry = {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds?: number;
  readonly MessageGroupId?: string;
};

const MAX_CALL_BYTES = 1_048_576;
const MINUTE_MS = 60_000;

/** Returns the service with its queues, all empty. */
export function queues({
  seed,
  timeline,
  faults,
  lambda,
  queues: settings,
  trace,
  fair = true,
}: QueuesOptions): Queues {
  const random = randomOf(seed, DELIVERY);
  const byUrl = new Map<string, Queue>(
    settings.map((setting) => [
      setting.url,
      {
        ...setting,
        messages: new Map(),
        deadLetters: [],
        working: 0,
        workingByGroup: new Map(),
        wakeAt: Number.POSITIVE_INFINITY,
      },
    ]),
  );
  let ids = 0;

  const queueOf = (url: unknown): Queue => {
    const queue = byUrl.get(String(url));
    if (!queue) throw awsError('QueueDoesNotExist', 400);
    return queue;
  };

  const wake = (queue: Queue, at: number): void => {
    if (queue.wakeAt <= at) return;
    queue.wakeAt = at;
    timeline.after(at - timeline.now(), () => {
      if (queue.wakeAt > timeline.now()) return;
      queue.wakeAt = Number.POSITIVE_INFINITY;
      poll(queue);
    });
  };

  const poll = (queue: Queue): void => {
    const nowMs = timeline.now();
    while (queue.working < queue.maxConcurrency) {
      const message = choose(queue, nowMs);
      if (!message) break;
      receive(queue, message);
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { visibleAt } of queue.messages.values()) if (visibleAt > nowMs && visibleAt < next) next = visibleAt;
    if (next < Number.POSITIVE_INFINITY) wake(queue, next);
  };

  /** Any visible message may come first, but for the groups that have many in flight. */
  const choose = (queue: Queue, nowMs: number): Message | undefined => {
    let fewest = Number.POSITIVE_INFINITY;
    let candidates: Message[] = [];
    for (const message of queue.messages.values()) {
      if (message.visibleAt > nowMs) continue;
      if (nowMs - message.sentAt > queue.retentionMs) {
        queue.messages.delete(message.id);
        continue;
      }
      const working = fair ? (queue.workingByGroup.get(message.group ?? '') ?? 0) : 0;
      if (working > fewest) continue;
      if (working < fewest) candidates = [];
      fewest = working;
      candidates.push(message);
      // The oldest few are as good as any.
      if (candidates.length >= 50 && fewest === 0) break;
    }
    return candidates.length > 0 ? random.pick(candidates) : undefined;
  };

  const receive = (queue: Queue, message: Message): void => {
    message.receives++;
    if (message.receives > queue.maxReceiveCount) {
      trace(() => `${queue.consumer}: message ${message.id} is a dead letter`);
      queue.messages.delete(message.id);
      queue.deadLetters.push(message);
      return;
    }
    const receipt = `${message.id}-${message.receives}`;
    message.receipt = receipt;
    message.inFlight = true;
    message.hit = false;
    message.visibleAt = timeline.now() + queue.visibilityMs;
    const fault = faults.draw('receive');
    if (fault) trace(() => `  message ${message.id} !! ${fault}`);
    if (fault === 'visibility runs out') message.visibleAt = timeline.now() + random.int(0, 120_000);
    const group = message.group ?? '';
    queue.working++;
    queue.workingByGroup.set(group, (queue.workingByGroup.get(group) ?? 0) + 1);
    const event = {
      Records: [
        {
          messageId: message.id,
          receiptHandle: receipt,
          body: message.body,
          attributes: {
            ApproximateReceiveCount: String(message.receives),
            SentTimestamp: String(message.sentAt),
            SenderId: 'chaos',
            ApproximateFirstReceiveTimestamp: String(message.sentAt),
          },
          messageAttributes: {},
          md5OfBody: '',
          eventSource: 'aws:sqs',
          eventSourceARN: queue.url,
          awsRegion: 'xx-chaos-1',
        },
      ],
    };
    const invocation = lambda.invoke(
      queue.consumer,
      event,
      (outcome) => {
        queue.working--;
        if (outcome.kind === 'killed' || invocation.hit) message.hit = true;
        queue.workingByGroup.set(group, (queue.workingByGroup.get(group) ?? 1) - 1);
        if (isDone(outcome, message.id)) drop(queue, message, receipt, fault);
        else if (outcome.kind === 'killed' && faults.draw('death')) {
          trace(() => `  message ${message.id} !! is lost with its function`);
          queue.messages.delete(message.id);
        }
        wake(queue, timeline.now() + random.int(1, 30));
      },
      message.body,
    );
    wake(queue, message.visibleAt);
  };

  const drop = (queue: Queue, message: Message, receipt: string, fault: FaultKind | undefined): void => {
    // A handle that is not the latest one may no longer delete anything.
    if (message.receipt !== receipt && random.chance(0.5)) return;
    if (fault === 'message comes after its deletion') {
      message.visibleAt = timeline.now() + random.int(0, 10 * MINUTE_MS);
      wake(queue, message.visibleAt);
      return;
    }
    queue.messages.delete(message.id);
  };

  const put = (queue: Queue, entry: Entry): void => {
    const id = `m${++ids}`;
    const fault = faults.draw('message');
    if (fault) trace(() => `  message ${id} !! ${fault}`);
    if (fault === 'message vanishes') return;
    let delayMs = (entry.DelaySeconds ?? 0) * 1000 + random.int(1, 50);
    if (fault === 'message is late') delayMs += random.int(1_000, 10 * MINUTE_MS);
    if (fault === 'message is very late') delayMs += random.int(1, 9) * 60 * MINUTE_MS;
    const message = (name: string, visibleAt: number): Message => ({
      id: name,
      body: entry.MessageBody,
      group: entry.MessageGroupId,
      sentAt: timeline.now(),
      visibleAt,
      receives: 0,
      receipt: '',
      inFlight: false,
      hit: false,
    });
    const visibleAt = timeline.now() + delayMs;
    queue.messages.set(id, message(id, visibleAt));
    if (fault === 'message is doubled') {
      queue.messages.set(
        `${id}b`,
        message(`${id}b`, visibleAt + random.int(0, random.chance(0.5) ? 5_000 : 2 * MINUTE_MS)),
      );
    }
    wake(queue, visibleAt);
    if (fault === 'message is doubled') wake(queue, visibleAt + 1);
  };

  const sendBatch = (input: Readonly<Record<string, unknown>>, fault: FaultKind | undefined): unknown => {
    const queue = queueOf(input.QueueUrl);
    const entries = entriesOf(input.Entries);
    if (fault === 'sqs fails') throw awsError('InternalError', 500);
    const taken = fault === 'sqs takes a part' ? random.int(0, entries.length - 1) : entries.length;
    for (const entry of entries.slice(0, taken)) put(queue, entry);
    if (fault === 'sqs loses an answer') throw awsError('TimeoutError', 500);
    return {
      Successful: entries.slice(0, taken).map(({ Id }) => ({ Id })),
      Failed: entries.slice(taken).map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })),
    };
  };

  const changeVisibility = (input: Readonly<Record<string, unknown>>, fault: FaultKind | undefined): unknown => {
    const queue = queueOf(input.QueueUrl);
    if (fault === 'sqs fails') throw awsError('InternalError', 500);
    const handle = String(input.ReceiptHandle);
    const message = queue.messages.get(handle.slice(0, handle.lastIndexOf('-')));
    if (!message || message.receipt !== handle || message.visibleAt <= timeline.now())
      throw awsError('MessageNotInflight', 400);
    message.visibleAt = timeline.now() + Number(input.VisibilityTimeout) * 1000;
    wake(queue, message.visibleAt);
    if (fault === 'sqs loses an answer') throw awsError('TimeoutError', 500);
    return {};
  };

  return {
    send: (environment, command, input) => {
      const given = input as Readonly<Record<string, unknown>>;
      if (command === 'SendMessageBatchCommand')
        return lambda.call(
          environment,
          'send',
          () => `sends ${JSON.stringify(given.Entries)}`,
          (fault) => sendBatch(given, fault),
        );
      if (command === 'ChangeMessageVisibilityCommand')
        return lambda.call(
          environment,
          'visibility',
          () => `visible in ${given.VisibilityTimeout} s`,
          (fault) => changeVisibility(given, fault),
        );
      throw new Error(`SQS: ${command} is not imitated`);
    },
    purge: (url) => {
      trace(() => `${url} is purged`);
      for (const { id, inFlight, visibleAt } of queueOf(url).messages.values())
        if (!inFlight || visibleAt <= timeline.now()) queueOf(url).messages.delete(id);
    },
    waiting: (url) => queueOf(url).messages.size,
    deadLetters: (url) => queueOf(url).deadLetters.length,
    lost: () => [...byUrl.values()].flatMap(({ deadLetters }) => deadLetters.filter(isLost).map(({ body }) => body)),
  };
}

/** A message that failed at all its tries is put back up to five times, and never where that fails too. */
const isLost = ({ hit, body }: Message): boolean => hit || /"again":5/.test(body);

/** True when the mapping deletes the message: the function returned, and does not name it among the failed ones. */
function isDone(outcome: Outcome, id: string): boolean {
  if (outcome.kind !== 'returned') return false;
  const value = outcome.value;
  if (value === null || typeof value !== 'object' || !('batchItemFailures' in value)) return true;
  const failures = value.batchItemFailures;
  if (!Array.isArray(failures)) return false;
  return !failures.some((failure) => failure.itemIdentifier === id);
}

/** Source: Amazon SQS API Reference, 'SendMessageBatch'. */
function entriesOf(given: unknown): readonly Entry[] {
  if (!Array.isArray(given) || given.length === 0) throw awsError('EmptyBatchRequest', 400);
  if (given.length > 10) throw awsError('TooManyEntriesInBatchRequest', 400);
  const entries = given as readonly Entry[];
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length) throw awsError('BatchEntryIdsNotDistinct', 400);
  const known = new Set(['Id', 'MessageBody', 'DelaySeconds', 'MessageGroupId']);
  for (const entry of entries) {
    const other = Object.keys(entry).find((name) => !known.has(name));
    if (other) throw new Error(`SQS: ${other} is not imitated`);
    if ((entry.DelaySeconds ?? 0) > 900 || (entry.DelaySeconds ?? 0) < 0) throw awsError('InvalidParameterValue', 400);
    if (entry.MessageBody === '') throw awsError('InvalidMessageContents', 400);
  }
  const bytes = entries.reduce((sum, { MessageBody }) => sum + Buffer.byteLength(MessageBody), 0);
  if (bytes > MAX_CALL_BYTES) throw awsError('BatchRequestTooLong', 400);
  return entries;
}
