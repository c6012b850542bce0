/**
 * Gathers what a shard's reading decides, until it is worth a move of the cursor. In memory only: nothing is on its way
 * before the move.
 */

import { MAX_DELETES, MAX_LOOKUPS } from '../braze/requests.ts';
import type { Decision } from '../diff/decide.ts';
import type { Destination } from '../parameters/schema.ts';
import {
  type BatchKind,
  type BatchMessage,
  escaped,
  messageText,
  type RemovalRecord,
  removalRecord,
  textBytes,
  upsertRecord,
} from './messages.ts';
import type { HeldBatch, Rejection, Shard, ShardCounts } from './model.ts';

/**
 * A batch stays far below the 1 MiB that SQS takes, so that ten of them fit one call, and below the 400 KB of an item in
 * DynamoDB, where removals wait.
 */
const BATCH_BYTES = 100_000;
/** A record larger than this fits no message. */
export const MAX_RECORD_BYTES = 900_000;
/** Escaping makes a text three times as long at most (see messageText): a shorter record need not be measured again. */
const SURELY_FITS_BYTES = MAX_RECORD_BYTES / 3;
/** Batches that one move of the cursor puts on the queue, about. */
const BATCHES_PER_MOVE = 10;
/** Rejections of one shard that are kept with their reasons; the rest is counted. */
const MAX_LISTED = 1000;
/** Writes before a move of the cursor, so that a shard of bad rows stays within memory. */
const MAX_WAITING_REJECTIONS = 200;

export type Collected = {
  readonly texts: readonly string[];
  readonly held: readonly HeldBatch[];
  readonly rejections: readonly Rejection[];
};

export type Collector = {
  /** Takes in a decision about a record; `known` when the ledger says that Braze may have it. */
  readonly add: (decision: Decision, record: { readonly hash: string; readonly known: boolean }) => void;
  /** True when enough has come together for a move of the cursor. */
  readonly isFull: () => boolean;
  /** Returns what has come together, and starts anew. */
  readonly take: () => Collected;
  /** What has been found since the start of the shard, taken in so far. */
  readonly counts: () => ShardCounts;
  /** Batches and held batches made since the start of the shard, taken out so far. */
  readonly made: () => { readonly batches: number; readonly held: number };
};

type Waiting = { records: { readonly json: unknown; readonly bytes: number }[]; bytes: number };

export type CollectorOptions = {
  readonly run: string;
  readonly destination: Pick<Destination, 'syncMode'>;
  readonly name: string;
  readonly maxUsersPerRequest: number;
  readonly epoch: string;
  /** Where the shard stands. */
  readonly shard: Pick<Shard, 'shard' | 'batches' | 'held' | 'counts'>;
};

/** Returns a collector that goes on where the shard stands. */
export function collector(options: CollectorOptions): Collector {
  const { shard } = options.shard;
  const counts: ShardCounts = { ...options.shard.counts };
  let { batches, held } = options.shard;
  let texts: string[] = [];
  let heldBatches: HeldBatch[] = [];
  let rejections: Rejection[] = [];
  const waiting = { upsert: none(), lookup: none(), forget: none() };
  let removals: RemovalRecord[] = [];
  let removalBytes = 0;

  const flush = (kind: Exclude<BatchKind, 'remove'>, from: Waiting): void => {
    if (from.records.length === 0) return;
    const records = from.records.map((record) => record.json);
    const message = {
      kind,
      run: options.run,
      destination: options.name,
      shard,
      seq: batches,
      epoch: options.epoch,
      records,
    };
    texts.push(messageText(message as BatchMessage));
    batches++;
    from.records = [];
    from.bytes = 0;
  };
  const wait = (
    kind: Exclude<BatchKind, 'remove'>,
    into: Waiting,
    json: unknown,
    bytes: number,
    most: number,
  ): void => {
    if (into.bytes + bytes > BATCH_BYTES) flush(kind, into);
    into.records.push({ json, bytes });
    into.bytes += bytes;
    if (into.records.length >= most) flush(kind, into);
  };
  const flushRemovals = (): void => {
    if (removals.length === 0) return;
    heldBatches.push({ shard, seq: held, records: removals });
    held++;
    removals = [];
    removalBytes = 0;
  };
  const list = (rejection: Rejection): void => {
    if (counts.listed >= MAX_LISTED) return;
    counts.listed++;
    rejections.push(rejection);
  };
  const upsert = (decision: Extract<Decision, { kind: 'added' | 'changed' }>): void => {
    const record = upsertRecord(decision.upsert);
    const text = JSON.stringify(record);
    const bytes = textBytes(text);
    if (bytes > SURELY_FITS_BYTES && textBytes(escaped(text)) > MAX_RECORD_BYTES) {
      counts.rejected++;
      list({
        hash: record.h,
        field: '',
        reason: `the record is larger than ${MAX_RECORD_BYTES} bytes`,
        rows: 1,
        omitted: false,
      });
      return;
    }
    counts[decision.kind]++;
    if (decision.upsert.lookup)
      wait('upsert', waiting.lookup, record, bytes, Math.min(MAX_LOOKUPS, options.maxUsersPerRequest));
    else wait('upsert', waiting.upsert, record, bytes, options.maxUsersPerRequest);
  };

  return {
    add: (decision, { hash, known }) => {
      if (known) counts.known++;
      switch (decision.kind) {
        case 'unchanged':
        case 'added':
        case 'changed': {
          counts.extracted++;
          counts.omitted += decision.omitted.length;
          for (const problem of decision.omitted) list({ hash, ...problem, rows: 1, omitted: true });
          if (decision.kind === 'unchanged') counts.unchanged++;
          else upsert(decision);
          break;
        }
        case 'rejected': {
          counts.extracted += decision.rows;
          counts.rejected += decision.rows;
          list({ hash: decision.hash, ...decision.problem, rows: decision.rows, omitted: false });
          break;
        }
        case 'removed': {
          counts.removed++;
          const record = removalRecord(decision.removal);
          const bytes = textBytes(JSON.stringify(record));
          if (removalBytes + bytes > BATCH_BYTES) flushRemovals();
          removals.push(record);
          removalBytes += bytes;
          if (removals.length >= MAX_DELETES) flushRemovals();
          break;
        }
        case 'forgotten': {
          const record = { h: decision.hash, k: decision.primaryKey };
          wait('forget', waiting.forget, record, textBytes(JSON.stringify(record)), MAX_DELETES);
          break;
        }
        case 'kept':
      }
    },
    isFull: () =>
      texts.length >= BATCHES_PER_MOVE ||
      heldBatches.length >= BATCHES_PER_MOVE ||
      rejections.length >= MAX_WAITING_REJECTIONS,
    take: () => {
      flush('upsert', waiting.upsert);
      flush('upsert', waiting.lookup);
      flush('forget', waiting.forget);
      flushRemovals();
      const collected = { texts, held: heldBatches, rejections };
      texts = [];
      heldBatches = [];
      rejections = [];
      return collected;
    },
    counts: () => ({ ...counts }),
    made: () => ({ batches, held }),
  };
}

const none = (): Waiting => ({ records: [], bytes: 0 });
