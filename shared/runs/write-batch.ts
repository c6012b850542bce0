/**
 * Writes one batch to Braze and commits what Braze accepted.
 *
 * The order is: lease and intent, request, ledger, rejections, settlement, and only then the end of the intent. Whatever
 * stops in between leaves either nothing done, or an intent that says "Braze may have it", or a ledger that is right.
 * A batch of a run that is over, or of a reading that did not get to move its shard's cursor, is dropped.
 */
import { dataPointsOf } from '../braze/data-points.ts';
import { type DeliverDeps, deliver, NotDelivered, newTally, type Tally } from '../braze/deliver.ts';
import { lookUp } from '../braze/lookup.ts';
import { textsIn, withoutTexts } from '../braze/redact.ts';
import { deleteBody, trackBody, type UserObject } from '../braze/requests.ts';
import { nextRefusal, removalDigest } from '../diff/decide.ts';
import { FatalError, GivenUp, isLastTry, RetryLater, type Tries, tryAgain } from '../errors.ts';
import { type Entry, withPossibleWrite } from '../ledger/entry.ts';
import { digestOf } from '../ledger/fingerprint.ts';
import type { Ledger, LedgerWrite } from '../ledger/ledger.ts';
import type { SyncMode } from '../parameters/schema.ts';
import { type Clock, MINUTE_MS, SECOND_MS } from '../time.ts';
import { type CloseDeps, closeIfComplete, failRun, OPEN } from './close.ts';
import { type BatchMessage, fingerprintBytes, messageText, type NoteRecord, nextRound } from './messages.ts';
import { type BatchOutcome, isOver, NO_OUTCOME, type Rejection, type Run, type Shard } from './model.ts';
import { MAX_DELAY_SECONDS, type Queue } from './queue.ts';
import { type BatchView, intentId } from './store.ts';

export type WriteDeps = CloseDeps & {
  readonly ledger: Ledger;
  /** Returns the other destinations of a destination's workspace. */
  readonly neighbours: (destination: string) => readonly string[];
  /** The queue that the batch came from: what waits for a rate limit goes back there. */
  readonly batchQueue: Queue;
  readonly deliver: Omit<DeliverDeps, 'remainingMs'>;
  readonly lookup: Omit<DeliverDeps, 'remainingMs'>;
  /** Milliseconds until this invocation is stopped. */
  readonly remainingMs: () => number;
};

export type Received = Tries & { readonly message: BatchMessage };

type UpsertMessage = Extract<BatchMessage, { kind: 'upsert' }>;
type RemoveMessage = Extract<BatchMessage, { kind: 'remove' }>;

/** Enough to commit, settle and end an intent after the last answer of Braze. */
const RESERVE_MS = 10 * SECOND_MS;
/** A lease outlasts its invocation by more than clocks differ. */
const LEASE_MARGIN_MS = 30 * SECOND_MS;

/**
 * Writes a batch; when it returns, the message may be deleted.
 * @throws RetryLater when the message has to come again, GivenUp when it is to become a dead letter.
 */
export async function writeBatch(deps: WriteDeps, received: Received): Promise<void> {
  try {
    await writeDue(deps, received);
  } catch (error) {
    // Waiting is no failed try: before it would become a dead letter, the message is replaced by a fresh copy.
    if (error instanceof RetryLater && isLastTry(received)) return putBack(deps, received.message, error.afterMs);
    if (error instanceof RetryLater || error instanceof GivenUp) throw error;
    const { message } = received;
    // Unsettled, it would keep its run open: it gets a few more rounds before it becomes a dead letter.
    const next = isLastTry(received) ? nextRound(message) : undefined;
    if (next) return putBack(deps, next, MINUTE_MS);
    throw tryAgain(error, received);
  }
}

async function writeDue(deps: WriteDeps, received: Received): Promise<void> {
  const { message } = received;
  const id = intentId(message, message.epoch);
  const leaseUntil = deps.clock.now() + Math.max(0, deps.remainingMs()) + LEASE_MARGIN_MS;
  const { run, shard, kind, seq } = message;
  const intent = { id, run, shard, kind, seq, leaseUntil, uncertain: false, ...claims(message) };
  const claim = await deps.runs.claim(message.destination, intent);
  if (claim === 'leased') throw new RetryLater('another delivery of this batch is under way', 15 * SECOND_MS);
  const batch: Batch = { ...received, id, wasTried: claim === 'again' };
  const standing = await standingOf(deps, message);
  switch (standing.kind) {
    case 'void':
      return dropClaim(deps, batch);
    case 'settled':
      // An earlier delivery ended between settling the batch and what comes after it.
      if (standing.resolved || !batch.wasTried) await deps.runs.deleteIntent(message.destination, id);
      await closeIfComplete(deps, message);
      return;
    case 'early':
      // No sign of life: the cursor may never move, and then the sweeper is to close the run.
      return comeAgain(deps, batch, 10 * SECOND_MS, false);
    case 'failing':
      await settle(deps, batch, { ...NO_OUTCOME, undelivered: message.records.length }, batch.wasTried);
      return;
    case 'due':
      return write(deps, batch, standing.run);
  }
}

type Batch = Received & {
  readonly id: string;
  /** An earlier delivery ended without settling the batch: Braze may have it. */
  readonly wasTried: boolean;
};

/** What the intent says of a batch from the start. Users that are to be looked up join it once they are found. */
function claims(message: BatchMessage) {
  if (message.kind === 'note') return { primaryKeys: [], fields: [], deletes: false };
  const sent = message.kind === 'upsert' ? message.records.filter((record) => !record.l) : message.records;
  return { primaryKeys: sent.map(({ k }) => k), fields: sent.map(({ i }) => [...i]), deletes: isDeletion(message) };
}

const isDeletion = (message: BatchMessage): boolean =>
  message.kind === 'remove' && message.records.every((record) => record.f === undefined);

type Standing =
  | { readonly kind: 'void' | 'early' | 'failing' }
  | { readonly kind: 'settled'; readonly resolved: boolean }
  | { readonly kind: 'due'; readonly run: Run };

/** The cursor moves right after the batches are on the queue: a batch that comes sooner waits for it, briefly. */
const EARLY_LOOKS = 5;
const EARLY_LOOK_MS = 200;

async function standingOf(deps: WriteDeps, message: BatchMessage): Promise<Standing> {
  for (let look = 1; ; look++) {
    const standing = judge(await deps.runs.batch(message.destination, message), message);
    if (standing.kind !== 'early' || look === EARLY_LOOKS) return standing;
    await deps.clock.sleep(EARLY_LOOK_MS);
  }
}

/** Returns whether a batch is to be written now, not yet, or not at all. */
export function judge({ run, shard, settled }: BatchView, message: BatchMessage): Standing {
  if (!run || !shard) return { kind: 'void' };
  if (settled !== 'no') return { kind: 'settled', resolved: settled === 'resolved' };
  if (isOver(run)) return { kind: 'void' };
  const made = isMade(shard, message);
  if (made !== 'due') return { kind: made };
  return run.status === 'failing' ? { kind: 'failing' } : { kind: 'due', run };
}

function isMade(shard: Shard, { seq, epoch }: BatchMessage): 'due' | 'early' | 'void' {
  if (seq >= shard.batches) return shard.done ? 'void' : 'early';
  return shard.epochs.findLast(({ from }) => from <= seq)?.epoch === epoch ? 'due' : 'void';
}

/** Ends the claim of a batch that is not to be written. What an earlier delivery may have done stays remembered. */
async function dropClaim(deps: WriteDeps, batch: Batch): Promise<void> {
  if (!batch.wasTried) await deps.runs.deleteIntent(batch.message.destination, batch.id);
}

async function write(deps: WriteDeps, batch: Batch, run: Run): Promise<void> {
  const tally = newTally();
  const lookups = newTally();
  try {
    await expectNobodyElse(deps, batch, claims(batch.message).primaryKeys);
    const written = await send(deps, batch, run.syncMode, tally, lookups);
    const doubtful = batch.wasTried ? written.refused : written.doubtful;
    const possible = await possiblyApplied(deps, run.ledger, batch.message, { ...written, doubtful });
    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);
    await deps.runs.putRejections(run.run, written.rejections);
    const requests = tally.requests + lookups.requests;
    await settle(deps, batch, { ...NO_OUTCOME, ...written.counts, requests, lookups: lookups.requests }, false);
  } catch (error) {
    await undone(deps, batch, run, tally, lookups, error);
  } finally {
    const throttled = tally.throttled + lookups.throttled;
    if (throttled > 0) deps.metrics.add(batch.message.destination, { throttled });
  }
}

/** Another destination of the workspace has a request with one of the batch's users under way. */
class Occupied extends Error {}

/**
 * Braze keeps no order between two requests for one user, so that there must not be two: also not of two destinations.
 * Each batch says whom it is about before it looks whom the others are about; of two that meet, one has to see the other.
 * Both may, and then both come again, each after a time of its own.
 * @throws Occupied when a user is among those of another destination's batch.
 */
async function expectNobodyElse(
  { runs, clock, neighbours }: WriteDeps,
  { message }: Batch,
  primaryKeys: readonly string[],
): Promise<void> {
  if (primaryKeys.length === 0) return;
  const own = new Set(primaryKeys);
  for (const neighbour of await runs.running(neighbours(message.destination))) {
    for await (const { leaseUntil, primaryKeys: others } of runs.intents(neighbour)) {
      if (leaseUntil > clock.now() && others.some((key) => own.has(key)))
        throw new Occupied(`destination '${neighbour}' has one of the batch's users under way`);
    }
  }
}

/** As long as a request takes, and not the same for both. */
const occupiedForMs = (clock: Clock): number => Math.ceil((1 + 4 * clock.random()) * SECOND_MS);

/**
 * What a refused record is to leave in the ledger when an earlier attempt may have been applied: that Braze may have it.
 * The refusal stays with it, so that the same state is not sent again all the same.
 */
async function possiblyApplied(
  { ledger }: WriteDeps,
  ledgerName: string,
  message: BatchMessage,
  { refused, doubtful, writes }: Written,
): Promise<{ kind: 'put'; entry: Entry }[]> {
  if (message.kind === 'note') return [];
  const deletes = isDeletion(message);
  const puts: { kind: 'put'; entry: Entry }[] = [];
  for (const { h, k, i } of message.records.filter(({ h: hash }) => refused.has(hash) && doubtful.has(hash))) {
    const known = await ledger.get(ledgerName, h);
    const entry = withPossibleWrite(known, { hash: h, primaryKey: k, fields: i, deletes });
    const noted = writes.find((write) => write.kind === 'refuse' && write.hash === h);
    if (entry)
      puts.push({ kind: 'put', entry: noted?.kind === 'refuse' ? { ...entry, refused: noted.refusal } : entry });
  }
  return puts;
}

function withoutRecords(writes: readonly LedgerWrite[], puts: readonly { readonly entry: Entry }[]): LedgerWrite[] {
  const hashes = new Set(puts.map(({ entry }) => entry.hash));
  return writes.filter((write) => !hashes.has(write.kind === 'put' ? write.entry.hash : write.hash));
}

type Written = {
  /** Record hashes of what Braze has refused. */
  readonly refused: ReadonlySet<string>;
  /** Record hashes of what an earlier request named without an answer that told what became of it. */
  readonly doubtful: ReadonlySet<string>;
  readonly writes: readonly LedgerWrite[];
  readonly rejections: readonly Rejection[];
  readonly counts: Partial<BatchOutcome>;
};

function send(deps: WriteDeps, batch: Batch, syncMode: SyncMode, tally: Tally, lookups: Tally): Promise<Written> {
  const { message } = batch;
  switch (message.kind) {
    case 'note':
      return Promise.resolve({
        writes: message.records.map(noteWrite),
        refused: new Set(),
        doubtful: new Set(),
        rejections: [],
        counts: {},
      });
    case 'upsert':
      return sendUpserts(deps, batch, message, syncMode, tally, lookups);
    case 'remove':
      return isDeletion(message) ? sendDeletions(deps, message, tally) : sendLeavers(deps, message, tally);
  }
}

function noteWrite(record: NoteRecord): LedgerWrite {
  if ('forget' in record) return { kind: 'delete', hash: record.h };
  if ('clear' in record) return { kind: 'clear', hash: record.h };
  return { kind: 'refuse', hash: record.h, primaryKey: record.k, refusal: record.r };
}

const timed = (deps: WriteDeps, from: Omit<DeliverDeps, 'remainingMs'>): DeliverDeps => ({
  ...from,
  remainingMs: () => deps.remainingMs() - RESERVE_MS,
});

async function sendUpserts(
  deps: WriteDeps,
  batch: Batch,
  message: UpsertMessage,
  syncMode: SyncMode,
  tally: Tally,
  lookups: Tally,
): Promise<Written> {
  const unconfirmed = message.records.filter((record) => record.l).map(({ k }) => k);
  const found =
    unconfirmed.length > 0 ? await lookUp(timed(deps, deps.lookup), unconfirmed, lookups) : new Set<string>();
  const known = message.records.filter((record) => !record.l || found.has(record.k));
  const absent = message.records.filter((record) => record.l && !found.has(record.k));
  if (found.size > 0) {
    await widenIntent(deps, batch, known);
    await expectNobodyElse(deps, batch, [...found]);
  }
  const objects = known.map(userObject);
  const { refused, doubtful } = await deliver(
    timed(deps, deps.deliver),
    { path: '/users/track', input: 'attributes', objects, body: (users) => trackBody(users, syncMode === 'enrich') },
    tally,
  );
  const accepted = known.filter((_, index) => !refused.has(index));
  return {
    refused: hashesOf(known, refused),
    doubtful: hashesOf(known, doubtful),
    writes: [
      ...accepted.map(
        ({ h, k, f, t }): LedgerWrite => ({
          kind: 'put',
          entry: { hash: h, primaryKey: k, fingerprint: fingerprintBytes(f), ...(t ? { sentAt: new Map(t) } : {}) },
        }),
      ),
      ...absent.map(
        ({ h, k }): LedgerWrite => ({ kind: 'put', entry: { hash: h, primaryKey: k, absentAt: deps.clock.now() } }),
      ),
      ...refusals(known, refused, upsertDigest, deps.clock.now()),
    ],
    rejections: rejectionsOf(known, refused, deps.clock.now()),
    counts: {
      accepted: accepted.length,
      rejected: refused.size,
      absent: absent.length,
      dataPoints: accepted.reduce((points, { a }) => points + dataPointsOf(a), 0),
    },
  };
}

const hashesOf = (
  records: readonly { readonly h: string }[],
  positions: { readonly has: (position: number) => boolean },
): Set<string> => new Set(records.flatMap(({ h }, index) => (positions.has(index) ? [h] : [])));

type UpsertRecord = UpsertMessage['records'][number];

const userObject = ({ k, a, s }: UpsertRecord): UserObject => ({
  primaryKey: k,
  attributes: new Map(a),
  subscriptions: new Map(s),
});

/** Users that were found are sent: from now on Braze may have what is said of them. */
async function widenIntent(deps: WriteDeps, batch: Batch, sent: readonly UpsertRecord[]): Promise<void> {
  const { message, id, wasTried } = batch;
  const { run, shard, kind, seq } = message;
  await deps.runs.putIntent(message.destination, {
    ...{ id, run, shard, kind, seq },
    leaseUntil: deps.clock.now() + Math.max(0, deps.remainingMs()) + LEASE_MARGIN_MS,
    uncertain: wasTried,
    primaryKeys: sent.map(({ k }) => k),
    fields: sent.map(({ i }) => [...i]),
    deletes: false,
  });
}

/** A refused state, or a refused removal, is remembered, so that it is not sent again until it changes. */
const refusals = <R extends RefusedRecord>(
  records: readonly R[],
  refused: ReadonlyMap<number, string>,
  digestOfState: (record: R) => string,
  nowMs: number,
): LedgerWrite[] =>
  records.flatMap((record, index): LedgerWrite[] => {
    const reason = refused.get(index);
    if (reason === undefined) return [];
    const digest = digestOfState(record);
    const refusal = nextRefusal(before(record), { digest, reason: withoutValues(reason, record), field: '' }, nowMs);
    return [{ kind: 'refuse', hash: record.h, primaryKey: record.k, refusal }];
  });

type RefusedRecord = Pick<UpsertRecord, 'h' | 'k'> & Partial<Pick<UpsertRecord, 'a' | 'p'>>;

const upsertDigest = ({ f }: UpsertRecord): string => digestOf(fingerprintBytes(f));
const recordRemovalDigest = ({ f, i }: RemoveMessage['records'][number]): string => removalDigest(f === undefined, i);

/** The refusal that this state of the record follows. */
const before = ({ p }: Pick<UpsertRecord, 'p'>): { readonly tries: number; readonly since: number } | undefined =>
  p && { tries: p[0], since: p[1] };

const rejectionsOf = (
  records: readonly RefusedRecord[],
  refused: ReadonlyMap<number, string>,
  nowMs: number,
): Rejection[] =>
  [...refused].flatMap(([index, reason]) => {
    const record = records[index];
    if (!record) return [];
    const { tries, since } = before({ p: record.p }) ?? { tries: 0, since: nowMs };
    const said = withoutValues(reason, record);
    return [{ hash: record.h, field: '', reason: said, rows: 1, omitted: false, tries: tries + 1, since }];
  });

/** Returns Braze's sentence, which may quote what it refuses, without the primary key and every value of the record. */
export const withoutValues = (
  reason: string,
  { k, a = [] }: { readonly k: string; readonly a?: UpsertRecord['a'] },
): string => withoutTexts(reason, [k, ...a.flatMap(([, value]) => textsIn(value))]);

async function sendDeletions(deps: WriteDeps, message: RemoveMessage, tally: Tally): Promise<Written> {
  const objects = message.records.map(({ k }) => k);
  const shipment = { path: '/users/delete', input: 'external_ids', objects, body: deleteBody } as const;
  const { refused, doubtful } = await deliver(timed(deps, deps.deliver), shipment, tally);
  const deleted = message.records.filter((_, index) => !refused.has(index));
  return {
    refused: hashesOf(message.records, refused),
    doubtful: hashesOf(message.records, doubtful),
    writes: [
      ...deleted.map(({ h }): LedgerWrite => ({ kind: 'delete', hash: h })),
      ...refusals(message.records, refused, recordRemovalDigest, deps.clock.now()),
    ],
    rejections: rejectionsOf(message.records, refused, deps.clock.now()),
    counts: { deleted: deleted.length, rejected: refused.size },
  };
}

/** Records that left but whose profile stays leave their groups; a user that is no longer there is not made anew. */
async function sendLeavers(deps: WriteDeps, message: RemoveMessage, tally: Tally): Promise<Written> {
  const leaving = message.records.filter(({ s }) => s.length > 0);
  const objects = leaving.map(
    ({ k, s }): UserObject => ({
      primaryKey: k,
      attributes: new Map(),
      subscriptions: new Map(s.map((group) => [group, 'unsubscribed'])),
    }),
  );
  const shipment = {
    path: '/users/track',
    input: 'attributes',
    objects,
    body: (users: readonly UserObject[]) => trackBody(users, true),
  } as const;
  const { refused, doubtful } = await deliver(timed(deps, deps.deliver), shipment, tally);
  const refusedHashes = hashesOf(leaving, refused);
  return {
    refused: refusedHashes,
    doubtful: hashesOf(leaving, doubtful),
    writes: [
      ...message.records
        .filter(({ h }) => !refusedHashes.has(h))
        .map(
          ({ h, k, f, t }): LedgerWrite => ({
            kind: 'put',
            entry: {
              ...{ hash: h, primaryKey: k, fingerprint: fingerprintBytes(f ?? ''), gone: true },
              ...(t ? { sentAt: new Map(t) } : {}),
            },
          }),
        ),
      ...refusals(leaving, refused, recordRemovalDigest, deps.clock.now()),
    ],
    rejections: rejectionsOf(leaving, refused, deps.clock.now()),
    counts: { accepted: leaving.length - refused.size, rejected: refused.size },
  };
}

/** Counts the batch's outcome, ends its intent unless Braze may have more than the ledger knows, and closes the run if it was the last. */
async function settle(
  deps: WriteDeps,
  { message, id }: Batch,
  outcome: BatchOutcome,
  keepIntent: boolean,
): Promise<void> {
  await deps.runs.settle(message, outcome, keepIntent);
  if (!keepIntent) await deps.runs.deleteIntent(message.destination, id);
  await closeIfComplete(deps, message);
}

/** What becomes of a batch whose delivery did not end in an answer for every record. */
async function undone(
  deps: WriteDeps,
  batch: Batch,
  run: Run,
  tally: Tally,
  lookups: Tally,
  error: unknown,
): Promise<void> {
  const mayBeApplied = batch.wasTried || tally.applied;
  const outcome = {
    ...NO_OUTCOME,
    undelivered: batch.message.records.length,
    requests: tally.requests + lookups.requests,
    lookups: lookups.requests,
  };
  if (error instanceof FatalError) {
    await failRun(deps, run, error);
    await settle(deps, batch, outcome, mayBeApplied);
    return;
  }
  const { message, receiveCount } = batch;
  if (error instanceof Occupied) {
    // Who waits for another destination is alive.
    await deps.runs.change(run, { touchedAt: deps.clock.now() }, { status: OPEN });
    return comeAgain(deps, batch, occupiedForMs(deps.clock), false);
  }
  if (!(error instanceof NotDelivered)) {
    // What happened is not known, so what the intent says stays until it is resolved.
    if (error instanceof RetryLater || !isLastTry(batch)) {
      await endLease(deps, batch, true);
      throw error;
    }
    await settle(deps, batch, outcome, true);
    throw new GivenUp(error);
  }
  deps.log.warn('batch not delivered', {
    run: run.run,
    destination: run.destination,
    shard: message.shard,
    batch: message.seq,
    because: error.message,
    receiveCount,
  });
  if (error.rateLimited) {
    // Who waits for Braze is alive.
    await deps.runs.change(run, { touchedAt: deps.clock.now() }, { status: OPEN });
    return comeAgain(deps, batch, error.afterMs ?? 30 * SECOND_MS, tally.applied);
  }
  if (isLastTry(batch)) {
    if (await isBrazeDown(deps, run)) await failRun(deps, run, downError(error));
    await settle(deps, batch, outcome, mayBeApplied);
    throw new GivenUp(error);
  }
  await endLease(deps, batch, tally.applied);
  throw new RetryLater(error.message, error.afterMs ?? 3 ** (receiveCount - 1) * SECOND_MS, { cause: error });
}

const downError = (error: NotDelivered): FatalError =>
  new FatalError(
    `Braze gave no usable answer: ${error.message}`,
    'Nothing is lost: the next run sends what this one could not.',
  );

/** A batch that fails while others succeed is its own trouble; when none has succeeded for a while, Braze is down. */
const DOWN_AFTER_MS = 20 * SECOND_MS;

async function isBrazeDown(deps: WriteDeps, run: Run): Promise<boolean> {
  const settlements = await deps.runs.settlements(run.run);
  return settlements.every(({ acceptedAt }) => acceptedAt < deps.clock.now() - DOWN_AFTER_MS);
}

/** Puts a copy of the message back, with a fresh count of deliveries: waiting is no failure. */
async function comeAgain(deps: WriteDeps, batch: Batch, afterMs: number, applied: boolean): Promise<void> {
  await putBack(deps, batch.message, afterMs);
  await endLease(deps, batch, applied);
}

async function putBack(deps: WriteDeps, message: BatchMessage, afterMs: number): Promise<void> {
  const delaySeconds = Math.min(MAX_DELAY_SECONDS, Math.max(1, Math.ceil(afterMs / SECOND_MS)));
  await deps.batchQueue.send([{ text: messageText(message), delaySeconds, group: message.destination }]);
}

/** Frees the batch for its next delivery. What may have been applied stays remembered. */
async function endLease(deps: WriteDeps, batch: Batch, applied: boolean): Promise<void> {
  const { message, id } = batch;
  if (!batch.wasTried && !applied) return deps.runs.deleteIntent(message.destination, id);
  await deps.runs.endLease(message.destination, id);
}

/** Waits until the writer's interval is over, after the work: a slot of concurrency thus never makes more than its share of requests. */
export async function restAfter(deps: WriteDeps, work: Promise<void>): Promise<void> {
  try {
    await work;
  } finally {
    const restMs = Math.max(deps.deliver.pace.restMs(), deps.lookup.pace.restMs());
    await deps.clock.sleep(Math.min(restMs, Math.max(0, deps.remainingMs() - SECOND_MS)));
  }
}
