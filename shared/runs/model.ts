/**
 * What the runs table holds. Every item is parsed when it is read; field values of the warehouse are in none of them.
 *
 * Keys, by what is looked up together:
 * - `destination#D` / `state`: which run is open, when the last one closed. Never expires.
 * - `destination#D` / `run#R`: a run.
 * - `destination#D` / `hold#E`: an effect that waits for a person. Expires after 30 days.
 * - `run#R` / `shard#NN`: a shard's progress; `settled#NN#…`: its settled batches; `held#E#NN#…`: record hashes of an
 *   effect that waits; `rejection#…`: records that are not sent, with their reasons.
 * - `intents#D` / `R#…`: requests that Braze may have applied without our knowing. Never expire: they are folded into the
 *   ledger by the next run.
 */
import * as z from 'zod';

const count = z.int().min(0).default(0);

export const RUN_STATUSES = ['running', 'failing', 'succeeded', 'held', 'partial', 'failed'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/**
 * Where a run stands: failing runs keep the phase they were in. `counting` reads everything once and sends nothing, so
 * that mass effects and costs are known before the first request; `extracting` reads again and sends.
 */
export const PHASES = ['preparing', 'counting', 'extracting', 'draining', 'closed'] as const;
export type Phase = (typeof PHASES)[number];

export const Totals = z.object({
  extracted: count,
  unchanged: count,
  added: count,
  changed: count,
  removed: count,
  held: count,
  accepted: count,
  rejected: count,
  deleted: count,
  omitted: count,
  absent: count,
  undelivered: count,
  /** Records put on the batch queue to be sent: accepted, deleted, refused, absent and undelivered ones together. */
  sent: count,
  /** Of the rejected ones, those that Braze refused. */
  refused: count,
  /** Removals that Braze refused in an earlier run, and that are not tried again by themselves. */
  unremoved: count,
  requests: count,
  lookups: count,
  dataPoints: count,
});
export type Totals = z.infer<typeof Totals>;

export const RunError = z.object({ found: z.string(), next: z.string() });

/**
 * What a guard watches: `deletions` (records that left), `group:…` (records that leave a subscription group, by its id in
 * Braze), `attribute:…` (records of which an attribute becomes NULL), `budget` (the cost of a run).
 */
export type Effect = 'deletions' | 'budget' | `group:${string}` | `attribute:${string}`;
export const Effect = z
  .string()
  .refine((text): text is Effect => /^(deletions|budget|(group|attribute):.+)$/s.test(text));

/** A mass effect that a run found and did not send. */
export const Held = z.object({
  effect: Effect,
  /** Records concerned. */
  records: z.int(),
  /** Records that could have been concerned; data points of the budget. */
  of: z.int(),
  because: z.string(),
  /** Record hashes of some of them. */
  samples: z.array(z.string()).default([]),
  /** What the run would have cost (budget only). */
  dataPoints: z.int().optional(),
});
export type Held = z.infer<typeof Held>;

/** A held effect that waits for a person, or that a person has discarded: then it is left out without asking again. */
export const Hold = Held.extend({
  run: z.string(),
  /** Epoch ms. */
  heldAt: z.number(),
  discardedBy: z.string().optional(),
});
export type Hold = z.infer<typeof Hold>;

/** A person's leave for an effect: of what an earlier run has shown, or, without that, of what the run finds. */
export const Approval = z.object({
  effect: Effect,
  by: z.string(),
  shownIn: z.string().optional(),
  /** What was shown to cost (budget only). */
  dataPoints: z.int().optional(),
});
export type Approval = z.infer<typeof Approval>;

export const Run = z.object({
  run: z.string(),
  destination: z.string(),
  status: z.enum(RUN_STATUSES),
  phase: z.enum(PHASES),
  syncMode: z.enum(['sync', 'additive', 'enrich']),
  /** Epoch ms. */
  startedAt: z.number(),
  endedAt: z.number().optional(),
  /** No request of this run leaves before this time, epoch ms (see settleSeconds). */
  notBefore: z.number().default(0),
  /** Names the part of the parameters that the run was started with. */
  parametersHash: z.string(),
  /** The destination's name in the ledger: its own, or the one it had before. */
  ledger: z.string(),
  approvals: z.array(Approval).default([]),
  /** Effects whose discarded records are left out, with the run that has shown them. */
  discards: z.array(z.object({ effect: Effect, shownIn: z.string() })).default([]),
  retryRejections: z.boolean().default(false),
  resync: z.union([z.literal(false), z.enum(['attributes', 'groups'])]).default(false),
  rekey: z.boolean().default(false),
  /** The run counts before it sends; undefined before that is known. */
  counts: z.boolean().optional(),
  /** Last sign of life beside its shards and settled batches, epoch ms. */
  touchedAt: z.number().default(0),
  /** The statement that describes the model's columns. */
  describeId: z.string().optional(),
  /** The model's columns: name and Redshift type. */
  columns: z.array(z.tuple([z.string(), z.string()])).default([]),
  /** What the guards hold back. */
  held: z.array(Held).default([]),
  totals: Totals.optional(),
  error: RunError.optional(),
});
export type Run = z.infer<typeof Run>;

export const isOver = (run: Pick<Run, 'status'>): boolean => run.status !== 'running' && run.status !== 'failing';

/** What a shard's reading has found up to its cursor. */
export const ShardCounts = z.object({
  extracted: count,
  unchanged: count,
  added: count,
  changed: count,
  removed: count,
  /** Rejected before sending, in rows. */
  rejected: count,
  omitted: count,
  /** Records of the ledger that Braze may have. */
  known: count,
  /** Rejections that were stored. */
  listed: count,
  /** Records that are held back, each effect on its own. */
  held: count,
  /** Removals that Braze refused before. */
  unremoved: count,
  /** Records that go to Braze. */
  sent: count,
  /** Decisions that ask for anything to be done, be it in the ledger alone. */
  due: count,
  /** What the sent ones cost. */
  dataPoints: count,
});
export type ShardCounts = z.infer<typeof ShardCounts>;

const byEffect = <T extends z.ZodType>(value: T) => z.record(z.string(), value).default({});

/** What a counting reading has found for the guards, by `deletions` or field id. */
export const EffectCounts = z.object({
  /** Records that could be concerned. */
  of: byEffect(z.int()),
  /** Records that are, without those that a person has decided about. */
  found: byEffect(z.int()),
  /** Records that are left out because a person has discarded them. */
  leftOut: byEffect(z.int()),
  samples: byEffect(z.array(z.string())),
});
export type EffectCounts = z.infer<typeof EffectCounts>;

/**
 * A shard's progress. A reading puts its batches on the queue first and then moves the cursor, under the condition that
 * nobody else has: batches whose epoch did not get that far are void. So each batch exists once, with one content, and
 * counts add up, whatever crashes and however often the shard's message is delivered.
 */
export const Shard = z.object({
  shard: z.int(),
  from: z.int(),
  to: z.int(),
  statementId: z.string(),
  /** What the reading is for: to count only, or to send. */
  pass: z.enum(['count', 'send']).default('send'),
  /** Grows with every move of the cursor. */
  progress: z.int().default(0),
  /** Record hash up to which (inclusive) all is settled or on its way; absent at the start. */
  after: z.string().optional(),
  /** Token of the result page where the next row is looked for. */
  token: z.string().optional(),
  /** Which reading made which batches: `from` is the first one's number. */
  epochs: z.array(z.object({ epoch: z.string(), from: z.int() })).default([]),
  /** Batches put on the batch queue, numbered from 0. */
  batches: count,
  /** Lists of held records, numbered from 0. */
  held: count,
  done: z.boolean().default(false),
  effects: EffectCounts.prefault({}),
  counts: ShardCounts.prefault({}),
  /** When the cursor last moved, epoch ms. */
  movedAt: z.number().default(0),
});
export type Shard = z.infer<typeof Shard>;

/** Outcome of batches; of up to SETTLED_PER_ITEM of them in one item, each counted once. */
export const Settlement = z.object({
  settled: z.set(z.number()).default(new Set()),
  /** Those of them whose intent has to stay: Braze may have applied what was not answered. */
  unresolved: z.set(z.number()).default(new Set()),
  accepted: count,
  rejected: count,
  deleted: count,
  absent: count,
  undelivered: count,
  requests: count,
  lookups: count,
  dataPoints: count,
  /** When Braze last accepted something, epoch ms. */
  acceptedAt: z.number().default(0),
  settledAt: z.number().default(0),
});
export type Settlement = z.infer<typeof Settlement>;

export const SETTLED_PER_ITEM = 100;

/** What one batch adds to the settlement. */
export type BatchOutcome = Omit<Settlement, 'settled' | 'unresolved' | 'acceptedAt' | 'settledAt'>;

export const NO_OUTCOME: BatchOutcome = {
  accepted: 0,
  rejected: 0,
  deleted: 0,
  absent: 0,
  undelivered: 0,
  requests: 0,
  lookups: 0,
  dataPoints: 0,
};

/** A record that is not sent, or (omitted) a field that stays behind. */
export const Rejection = z.object({
  hash: z.string(),
  field: z.string(),
  reason: z.string(),
  rows: z.int().min(1).default(1),
  omitted: z.boolean().default(false),
  /** States of the record that have been refused in a row. */
  tries: z.int().default(1),
  /** When the first of them was, epoch ms. */
  since: z.number().optional(),
});
export type Rejection = z.infer<typeof Rejection>;

/** Record hashes of a held effect, as 16 bytes each. */
export const HeldList = z.object({
  effect: z.string(),
  shard: z.int(),
  seq: z.int(),
  hashes: z.instanceof(Uint8Array),
});
export type HeldList = z.infer<typeof HeldList>;

/** A batch on its way to Braze: the lease keeps others off it, the records tell what Braze may have. */
export const Intent = z.object({
  /** Sort key of the item. */
  id: z.string(),
  run: z.string(),
  shard: z.int(),
  kind: z.enum(['upsert', 'remove', 'note']),
  seq: z.int(),
  leaseUntil: z.number(),
  /** An earlier attempt ended without our knowing what Braze did. */
  uncertain: z.boolean().default(false),
  primaryKeys: z.array(z.string()).default([]),
  fields: z.array(z.array(z.int())).default([]),
  deletes: z.boolean().default(false),
});
export type Intent = z.infer<typeof Intent>;

/** A destination's standing record. */
export const DestinationState = z.object({
  open: z.string().optional(),
  /** What started the open run: a repeated delivery of the same start is the same run. */
  execution: z.string().optional(),
  openedAt: z.number().optional(),
  lastClosedAt: z.number().default(0),
  /** Its name in the ledger, where it is not its own. */
  ledger: z.string().optional(),
  /** The names that the ledger's destination has had before: what their runs left open is of this ledger too. */
  formerly: z.array(z.string()).optional(),
  /** The destination that was renamed from this one, and has its ledger now. */
  carriedTo: z.string().optional(),
});
export type DestinationState = z.infer<typeof DestinationState>;
