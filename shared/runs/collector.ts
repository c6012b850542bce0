/**
 * Gathers what a shard's reading decides, until it is worth a move of the cursor. In memory only: nothing is on its way
 * before the move.
 */

import { dataPointsOf } from '../braze/data-points.ts';
import { MAX_DELETES, MAX_LOOKUPS } from '../braze/requests.ts';
import type { Decision, Note } from '../diff/decide.ts';
import type { Destination } from '../parameters/schema.ts';
import { DELETIONS } from './effects.ts';
import {
  type BatchKind,
  type BatchMessage,
  escaped,
  messageText,
  noteRecord,
  removalRecord,
  textBytes,
  upsertRecord,
} from './messages.ts';
import type { HeldList, Rejection, Shard, ShardCounts } from './model.ts';

/** A batch stays far below the 1 MiB that SQS takes, so that ten of them fit one call. */
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
/** Record hashes in one list of a held effect: far below the 400 KB of an item in DynamoDB. */
const HASHES_PER_LIST = 5000;

export type Collected = {
  readonly texts: readonly string[];
  readonly held: readonly HeldList[];
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
  /** Batches and lists of held records made since the start of the shard, taken out so far. */
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
  /** Make batches and lists of held records, or only count what would be in them. */
  readonly makes: boolean;
  /** List rejections, or only count them. */
  readonly lists: boolean;
};

/** Returns a collector that goes on where the shard stands. */
export function collector(options: CollectorOptions): Collector {
  const { shard } = options.shard;
  const counts: ShardCounts = { ...options.shard.counts };
  let { batches, held } = options.shard;
  let texts: string[] = [];
  let heldLists: HeldList[] = [];
  let rejections: Rejection[] = [];
  const waiting = { upsert: none(), lookup: none(), remove: none(), note: none() };
  const waitingHeld = new Map<string, string[]>();

  const flush = (kind: BatchKind, from: Waiting): void => {
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
  const wait = (kind: BatchKind, into: Waiting, json: unknown, bytes: number, most: number): void => {
    if (!options.makes) return;
    if (into.bytes + bytes > BATCH_BYTES) flush(kind, into);
    into.records.push({ json, bytes });
    into.bytes += bytes;
    if (into.records.length >= most) flush(kind, into);
  };
  const flushHeld = (effect: string): void => {
    const hashes = waitingHeld.get(effect) ?? [];
    if (hashes.length === 0) return;
    heldLists.push({ effect, shard, seq: held, hashes: new Uint8Array(Buffer.from(hashes.join(''), 'hex')) });
    held++;
    waitingHeld.delete(effect);
  };
  const hold = (effect: string, hash: string): void => {
    counts.held++;
    if (!options.makes) return;
    const hashes = waitingHeld.get(effect) ?? [];
    hashes.push(hash);
    waitingHeld.set(effect, hashes);
    if (hashes.length >= HASHES_PER_LIST) flushHeld(effect);
  };
  const note = (made: Note | undefined): void => {
    if (made === undefined) return;
    counts.due++;
    const record = noteRecord(made);
    wait('note', waiting.note, record, textBytes(JSON.stringify(record)), MAX_NOTES);
  };
  const list = (rejection: Rejection): void => {
    if (!options.lists || counts.listed >= MAX_LISTED) return;
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
        tries: 1,
      });
      return;
    }
    counts[decision.kind]++;
    counts.sent++;
    counts.due++;
    counts.dataPoints += dataPointsOf(decision.upsert.attributes);
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
          for (const problem of decision.omitted) list({ hash, ...problem, rows: 1, omitted: true, tries: 1 });
          for (const id of decision.heldBack) hold(String(id), hash);
          if (decision.heldBack.length > 0) counts.due++;
          if (decision.kind === 'unchanged') {
            counts.unchanged++;
            note(decision.note);
          } else upsert(decision);
          break;
        }
        case 'rejected': {
          counts.extracted += decision.rows;
          counts.rejected += decision.rows;
          const { tries = 1, since } = decision.refusal ?? {};
          const history = { tries, ...(since === undefined ? {} : { since }) };
          list({ hash: decision.hash, ...decision.problem, rows: decision.rows, omitted: false, ...history });
          note(decision.note);
          break;
        }
        case 'removed': {
          counts.removed++;
          counts.due++;
          const record = removalRecord(decision.removal);
          // Who has no group to leave is marked in the ledger alone.
          if (record.f === undefined || record.s.length > 0) counts.sent++;
          wait('remove', waiting.remove, record, textBytes(JSON.stringify(record)), MAX_DELETES);
          break;
        }
        case 'unremoved': {
          counts.unremoved++;
          const { field, reason, tries, since } = decision.refusal;
          list({ hash: decision.hash, field, reason, rows: 1, omitted: false, tries, since });
          break;
        }
        case 'held': {
          counts.removed++;
          counts.due++;
          hold(DELETIONS, decision.hash);
          break;
        }
        case 'forgotten': {
          counts.due++;
          const record = { h: decision.hash, forget: true };
          wait('note', waiting.note, record, textBytes(JSON.stringify(record)), MAX_NOTES);
          break;
        }
        case 'kept':
      }
    },
    isFull: () =>
      texts.length >= BATCHES_PER_MOVE ||
      heldLists.length >= BATCHES_PER_MOVE ||
      rejections.length >= MAX_WAITING_REJECTIONS,
    take: () => {
      flush('upsert', waiting.upsert);
      flush('upsert', waiting.lookup);
      flush('remove', waiting.remove);
      flush('note', waiting.note);
      for (const effect of [...waitingHeld.keys()]) flushHeld(effect);
      const collected = { texts, held: heldLists, rejections };
      texts = [];
      heldLists = [];
      rejections = [];
      return collected;
    },
    counts: () => ({ ...counts }),
    made: () => ({ batches, held }),
  };
}

/** Records in one batch for the ledger alone: as many as the ledger's writes of one batch usually are. */
const MAX_NOTES = 75;

const none = (): Waiting => ({ records: [], bytes: 0 });
