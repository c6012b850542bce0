/**
 * Counts what decisions would lead to: the same batches as a run makes, and what they would cost. In memory only.
 */
import type { Decision, Removal, Upsert } from '../diff/decide.ts';
import { type Collected, collector } from './collector.ts';
import type { DestinationContext } from './context.ts';
import { BatchMessage } from './messages.ts';
import { type Held, type Rejection, type Run, type RunStatus, ShardCounts, type Totals } from './model.ts';

export type PlanOptions = {
  readonly approve: readonly string[];
  readonly approveDeletions: boolean;
  readonly retryRejections: boolean;
  readonly resync: Run['resync'];
  readonly rekey: boolean;
  /** Put primary keys and values into the samples. */
  readonly showValues: boolean;
};

export type Sample = {
  readonly recordHash: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** Attributes and groups. */
  readonly fields: readonly string[];
  readonly primaryKey?: string;
  readonly values?: Readonly<Record<string, unknown>>;
};

export type Plan = {
  readonly destination: string;
  readonly status: RunStatus;
  readonly syncMode: Run['syncMode'];
  readonly totals: Totals;
  /** What the guards would hold. */
  readonly held: readonly Held[];
  /** Changed records by field. */
  readonly changedFields: Readonly<Record<string, number>>;
  /** Records that join or leave, by group (or by subscription group id, for one that is no longer listed). */
  readonly groups: Readonly<Record<string, { readonly joined: number; readonly left: number }>>;
  readonly samples: readonly Sample[];
  readonly rejections: readonly Rejection[];
};

export type PlanTally = {
  /** Takes in a decision about a record; `known` when the ledger says that Braze may have it. */
  readonly add: (decision: Decision, record: { readonly hash: string; readonly known: boolean }) => void;
  /** A run puts what is left of a shard on the queue when it has read it: batches do not reach over shards. */
  readonly endShard: () => void;
  readonly plan: () => Plan;
};

const SAMPLES_OF_A_KIND = 5;
const MAX_REJECTIONS = 1000;

/** What the plan is made of, while it grows. */
type Sums = {
  upsertRequests: number;
  lookups: number;
  removalRequests: number;
  readonly changedFields: Map<string, number>;
  readonly groups: Map<string, { joined: number; left: number }>;
  readonly samples: Sample[];
  readonly rejections: Rejection[];
};

/** Returns a tally that has counted nothing yet. */
export function planTally(context: DestinationContext, options: PlanOptions, held: readonly Held[]): PlanTally {
  const { destination, name, braze } = context;
  const collected = collector({
    run: 'plan',
    destination,
    name,
    maxUsersPerRequest: braze.maxUsersPerRequest,
    epoch: 'plan',
    makes: true,
    lists: true,
    shard: { shard: 0, batches: 0, held: 0, counts: ShardCounts.parse({}) },
  });
  const sums: Sums = {
    ...{ upsertRequests: 0, lookups: 0, removalRequests: 0 },
    changedFields: new Map(),
    groups: new Map(),
    samples: [],
    rejections: [],
  };
  const nameOf = groupNames(context);
  const take = (): void => countBatches(sums, collected.take());
  return {
    add: (decision, record) => {
      collected.add(decision, record);
      if (decision.kind === 'added' || decision.kind === 'changed') {
        countUpsert(sums, decision.kind, decision.upsert, nameOf);
        addSample(sums, upsertSample(decision.kind, decision.upsert, nameOf, options.showValues));
      } else if (decision.kind === 'removed') {
        for (const id of decision.removal.leaves) group(sums, nameOf(id)).left++;
        addSample(sums, removalSample(decision.removal, nameOf, options.showValues));
      }
      if (collected.isFull()) take();
    },
    endShard: take,
    plan: () => planOf(context, sums, collected.counts(), held),
  };
}

/** A group's own name where the destination lists it, else its id in Braze. */
function groupNames({ destination }: DestinationContext): (subscriptionGroupId: string) => string {
  const groups = Object.entries(destination.subscriptionGroups);
  const nameById = new Map(groups.map(([name, id]) => [id.toLowerCase(), name]));
  return (id) => nameById.get(id) ?? id;
}

function group(sums: Sums, name: string): { joined: number; left: number } {
  const counts = sums.groups.get(name) ?? { joined: 0, left: 0 };
  sums.groups.set(name, counts);
  return counts;
}

function countUpsert(sums: Sums, kind: 'added' | 'changed', upsert: Upsert, nameOf: (id: string) => string): void {
  for (const [id, state] of upsert.subscriptions) group(sums, nameOf(id))[state === 'subscribed' ? 'joined' : 'left']++;
  if (kind === 'added') return;
  for (const field of fieldsOfUpsert(upsert, nameOf)) {
    sums.changedFields.set(field, (sums.changedFields.get(field) ?? 0) + 1);
  }
}

const fieldsOfUpsert = (upsert: Upsert, nameOf: (id: string) => string): string[] => [
  ...upsert.attributes.keys(),
  ...[...upsert.subscriptions.keys()].map(nameOf),
];

/** Each batch becomes one request, one that is to be looked up two; removals without anything to say and notes none. */
function countBatches(sums: Sums, { texts, rejections }: Collected): void {
  for (const text of texts) {
    const message = BatchMessage.parse(JSON.parse(text));
    if (message.kind === 'upsert') sums.upsertRequests++;
    if (message.kind === 'upsert' && message.records.some((record) => record.l)) sums.lookups++;
    if (message.kind !== 'remove') continue;
    const { records } = message;
    if (records.some((record) => record.f === undefined || record.s.length > 0)) sums.removalRequests++;
  }
  sums.rejections.push(...rejections.slice(0, MAX_REJECTIONS - sums.rejections.length));
}

function addSample(sums: Sums, sample: Sample): void {
  const ofItsKind = sums.samples.filter(({ change }) => change === sample.change).length;
  if (ofItsKind < SAMPLES_OF_A_KIND) sums.samples.push(sample);
}

function upsertSample(
  change: Sample['change'],
  upsert: Upsert,
  nameOf: (id: string) => string,
  showValues: boolean,
): Sample {
  const { hash, primaryKey, attributes, subscriptions } = upsert;
  const sample = { recordHash: hash, change, fields: fieldsOfUpsert(upsert, nameOf) };
  if (!showValues) return sample;
  const states = [...subscriptions].map(([id, state]): [string, string] => [nameOf(id), state]);
  return { ...sample, primaryKey, values: Object.fromEntries([...attributes, ...states]) };
}

const removalSample = (removal: Removal, nameOf: (id: string) => string, showValues: boolean): Sample => ({
  recordHash: removal.hash,
  change: 'removed',
  fields: removal.leaves.map(nameOf),
  ...(showValues ? { primaryKey: removal.primaryKey } : {}),
});

function planOf(
  { destination, name }: DestinationContext,
  sums: Sums,
  counts: ShardCounts,
  held: readonly Held[],
): Plan {
  const { extracted, unchanged, added, changed, removed, unremoved, rejected, omitted, sent, dataPoints } = counts;
  const isRunHeld = held.some(({ effect }) => effect === 'budget');
  const going = isRunHeld ? 0 : 1;
  const deleted = destination.syncMode === 'sync' ? sent - added - changed : 0;
  const totals: Totals = {
    ...{ extracted, unchanged, added, changed, removed, unremoved, rejected, omitted },
    held: held.reduce((sum, { records }) => sum + records, 0),
    accepted: going * (sent - deleted),
    deleted: going * deleted,
    ...{ absent: 0, undelivered: 0, refused: 0, sent: going * sent },
    requests: going * (sums.upsertRequests + sums.lookups + sums.removalRequests),
    lookups: going * sums.lookups,
    dataPoints,
  };
  return {
    destination: name,
    status: held.length > 0 ? 'held' : rejected + unremoved > 0 ? 'partial' : 'succeeded',
    syncMode: destination.syncMode,
    totals,
    held,
    changedFields: Object.fromEntries(sums.changedFields),
    groups: Object.fromEntries(sums.groups),
    samples: sums.samples,
    rejections: sums.rejections,
  };
}
