/**
 * What a run would do, found the way a run finds it, but sending and writing nothing: the same statements, the same merge
 * join and decisions, the same batches, counted instead of queued.
 */
import { dataPointsOf } from '../braze/data-points.ts';
import { type Decision, decide, type Upsert } from '../diff/decide.ts';
import { mergeJoin } from '../diff/merge-join.ts';
import { dictionaryNames, type Row } from '../diff/row.ts';
import { FatalError } from '../errors.ts';
import { type Entry, type PossibleWrite, withPossibleWrite } from '../ledger/entry.ts';
import { dictionaryWith, type Ledger } from '../ledger/ledger.ts';
import type { Parameters } from '../parameters/schema.ts';
import type { Clock } from '../time.ts';
import type { Warehouse } from '../warehouse/data-api.ts';
import { describeSql, hashRanges } from '../warehouse/model-sql.ts';
import { collector } from './collector.ts';
import { contextOf, type DestinationContext } from './context.ts';
import { guard } from './guard.ts';
import type { Rejection, Run, RunStatus, Totals } from './model.ts';
import { checkColumns, isUnanswered, possibleWrites, shardStatements, statementFailure } from './prepare.ts';
import { decideContextOf, isKnown, rowPages } from './read-shard.ts';
import type { RunStore } from './store.ts';

export type PlanDeps = {
  readonly parameters: Parameters;
  readonly warehouse: Warehouse;
  readonly ledger: Pick<Ledger, 'entries' | 'dictionary'>;
  readonly runs: Pick<RunStore, 'intents' | 'batch'>;
  readonly clock: Clock;
};

export type PlanOptions = {
  readonly approveDeletions: boolean;
  readonly retryRejections: boolean;
  /** Put primary keys and values into the samples. */
  readonly showValues: boolean;
};

export type Sample = {
  readonly recordHash: string;
  readonly change: 'added' | 'changed' | 'removed';
  readonly fields: readonly string[];
  readonly primaryKey?: string;
  readonly values?: Readonly<Record<string, unknown>>;
};

export type Plan = {
  readonly destination: string;
  readonly status: RunStatus;
  readonly syncMode: Run['syncMode'];
  readonly totals: Totals;
  readonly heldBecause: string | undefined;
  /** Changed records by field. */
  readonly changedFields: Readonly<Record<string, number>>;
  /** Records that join or leave, by group (or by subscription group id, for one that is no longer listed). */
  readonly groups: Readonly<Record<string, { readonly joined: number; readonly left: number }>>;
  readonly samples: readonly Sample[];
  readonly rejections: readonly Rejection[];
};

const SAMPLES_OF_A_KIND = 5;
const MAX_REJECTIONS = 1000;
const POLL_MS = 500;
const FIRST_POLL_MS = 20;

/** Returns the plan of a destination. @throws FatalError when the run would fail before it sends anything. */
export async function plan(deps: PlanDeps, destination: string, options: PlanOptions): Promise<Plan> {
  const context = contextOf(deps.parameters, destination);
  const startedAt = deps.clock.now();
  const token = `plan-${startedAt}-${destination}`.slice(0, 50);
  const columns = await describedColumns(deps, context, token);
  const known = await deps.ledger.dictionary(destination);
  const dictionary = dictionaryWith(known, dictionaryNames(context.destination));
  const decideBy = decideContextOf(
    context,
    { columns, startedAt, retryRejections: options.retryRejections },
    dictionary,
  );
  const writes = await openWrites(deps, destination);
  const tally = tallyOf(context, options);
  const statements = shardStatements(context, columns, startedAt);
  for (const [shard, range] of hashRanges(context.destination.shards).entries()) {
    const id = await finished(deps, context, statements[shard] ?? '', `${token}-${shard}`);
    const rows = rowPages(deps.warehouse, decideBy.shape, id);
    const entries = overlaid(deps.ledger.entries(destination, range), writes, range);
    for await (const matches of mergeJoin<Row, Entry>(rows, entries)) {
      for (const match of matches) {
        const hash = match.kind === 'entry' ? match.entry.hash : match.row.hash;
        tally.add(decide(match, decideBy), { hash, known: isKnown(match.entry) });
      }
    }
    tally.endShard();
  }
  return tally.plan();
}

async function describedColumns(deps: PlanDeps, context: DestinationContext, token: string): Promise<Run['columns']> {
  const id = await finished(deps, context, describeSql(context.model), `${token}-describe`);
  for await (const page of deps.warehouse.pages(id)) {
    const columns = page.columns.map(({ name, typeName }): [string, string] => [name, typeName]);
    checkColumns(context, columns);
    return columns;
  }
  throw new FatalError('Redshift gave no description of the model', "Check the model's query.");
}

/** Submits a statement and waits for its end. Returns its id. */
async function finished(
  { warehouse, clock }: PlanDeps,
  context: DestinationContext,
  sql: string,
  token: string,
): Promise<string> {
  const id = await warehouse.submit(sql, token, `w2b plan ${context.name}`);
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(POLL_MS, pollMs * 2)) {
    const status = await warehouse.status(id);
    if (status.kind === 'failed') throw statementFailure(context, status.message);
    if (status.kind === 'finished') return id;
    await clock.sleep(pollMs);
  }
}

/** What unanswered requests may have done, by record hash: a run folds it into the ledger first, a plan only looks through it. */
async function openWrites(deps: PlanDeps, destination: string): Promise<Map<string, PossibleWrite[]>> {
  const writesByHash = new Map<string, PossibleWrite[]>();
  for await (const intent of deps.runs.intents(destination)) {
    if (!(await isUnanswered(deps.runs, destination, intent))) continue;
    for (const write of possibleWrites(intent))
      writesByHash.set(write.hash, [...(writesByHash.get(write.hash) ?? []), write]);
  }
  return writesByHash;
}

/** Yields the ledger's entries as they will be once the open writes are folded in. */
async function* overlaid(
  pages: AsyncIterable<readonly Entry[]>,
  writesByHash: ReadonlyMap<string, readonly PossibleWrite[]>,
  range: { readonly from: number; readonly to: number },
): AsyncGenerator<readonly Entry[]> {
  const inRange = [...writesByHash.keys()]
    .filter((hash) => {
      const byte = Number.parseInt(hash.slice(0, 2), 16);
      return byte >= range.from && byte < range.to;
    })
    .sort();
  let next = 0;
  const fold = (hash: string, entry: Entry | undefined): Entry | undefined =>
    (writesByHash.get(hash) ?? []).reduce(
      (folded: Entry | undefined, write) => withPossibleWrite(folded, write) ?? folded,
      entry,
    );
  const made = (until: string | undefined): Entry[] => {
    const entries: Entry[] = [];
    for (
      let hash = inRange[next];
      hash !== undefined && (until === undefined || hash < until);
      hash = inRange[++next]
    ) {
      const entry = fold(hash, undefined);
      if (entry) entries.push(entry);
    }
    return entries;
  };
  for await (const page of pages) {
    const out: Entry[] = [];
    for (const entry of page) {
      out.push(...made(entry.hash), fold(entry.hash, entry) ?? entry);
      if (inRange[next] === entry.hash) next++;
    }
    yield out;
  }
  const rest = made(undefined);
  if (rest.length > 0) yield rest;
}

/** Counts what decisions would lead to. */
function tallyOf(context: DestinationContext, options: PlanOptions) {
  const { destination, name, braze } = context;
  const groupById = new Map(
    Object.entries(destination.subscriptionGroups).map(([group, id]) => [id.toLowerCase(), group]),
  );
  const zero = {
    extracted: 0,
    unchanged: 0,
    added: 0,
    changed: 0,
    removed: 0,
    rejected: 0,
    omitted: 0,
    known: 0,
    listed: 0,
  };
  const collected = collector({
    run: '',
    destination,
    name,
    maxUsersPerRequest: braze.maxUsersPerRequest,
    epoch: 'plan',
    shard: { shard: 0, batches: 0, held: 0, counts: zero },
  });
  const changedFields = new Map<string, number>();
  const groups = new Map<string, { joined: number; left: number }>();
  const samples: Sample[] = [];
  const rejections: Rejection[] = [];
  let dataPoints = 0;
  let upsertBatches = 0;
  let lookups = 0;
  let leavers = 0;
  let removalRequests = 0;

  const group = (id: string) => {
    const key = groupById.get(id) ?? id;
    const counts = groups.get(key) ?? { joined: 0, left: 0 };
    groups.set(key, counts);
    return counts;
  };
  const countUpsert = (kind: 'added' | 'changed', upsert: Upsert): void => {
    dataPoints += dataPointsOf(upsert.attributes);
    for (const [id, state] of upsert.subscriptions) group(id)[state === 'subscribed' ? 'joined' : 'left']++;
    if (kind === 'changed') {
      const fields = [
        ...upsert.attributes.keys(),
        ...[...upsert.subscriptions.keys()].map((id) => groupById.get(id) ?? id),
      ];
      for (const field of fields) changedFields.set(field, (changedFields.get(field) ?? 0) + 1);
    }
  };
  const sample = (change: Sample['change'], from: Omit<Sample, 'change'>): void => {
    if (samples.filter((other) => other.change === change).length < SAMPLES_OF_A_KIND)
      samples.push({ ...from, change });
  };
  const take = (): void => {
    const { texts, held, rejections: found } = collected.take();
    for (const text of texts) {
      const { kind, records } = JSON.parse(text) as { kind: string; records: { l?: boolean }[] };
      if (kind !== 'forget') upsertBatches++;
      if (records.some((record) => record.l)) lookups++;
    }
    for (const batch of held) {
      const leaving = batch.records.filter((record) => record.f === undefined || record.s.length > 0).length;
      if (leaving > 0) removalRequests++;
      leavers += batch.records.filter((record) => record.f !== undefined && record.s.length > 0).length;
    }
    rejections.push(...found.slice(0, MAX_REJECTIONS - rejections.length));
  };

  return {
    add: (decision: Decision, record: { readonly hash: string; readonly known: boolean }): void => {
      collected.add(decision, record);
      if (decision.kind === 'added' || decision.kind === 'changed') {
        countUpsert(decision.kind, decision.upsert);
        sample(decision.kind, upsertSample(decision.upsert, groupById, options.showValues));
      } else if (decision.kind === 'removed') {
        for (const id of decision.removal.leaves) group(id).left++;
        const { hash, primaryKey, leaves } = decision.removal;
        const fields = leaves.map((id) => groupById.get(id) ?? id);
        sample('removed', { recordHash: hash, fields, ...(options.showValues ? { primaryKey } : {}) });
      }
      if (collected.isFull()) take();
    },
    /** A run puts what is left of a shard on the queue when it has read it: batches do not reach over shards. */
    endShard: take,
    plan: (): Plan => {
      const counts = collected.counts();
      const { maxPercent, maxRecords } = destination.deletionGuard;
      const verdict = guard({ ...counts, approved: options.approveDeletions, limits: { maxPercent, maxRecords } });
      const held = verdict.released ? 0 : counts.removed;
      const isDeletion = destination.syncMode === 'sync';
      const totals: Totals = {
        extracted: counts.extracted,
        unchanged: counts.unchanged,
        added: counts.added,
        changed: counts.changed,
        removed: counts.removed,
        held,
        accepted: counts.added + counts.changed + (verdict.released ? leavers : 0),
        rejected: counts.rejected,
        deleted: verdict.released && isDeletion ? counts.removed : 0,
        omitted: counts.omitted,
        absent: 0,
        undelivered: 0,
        requests: upsertBatches + lookups + (verdict.released ? removalRequests : 0),
        lookups,
        dataPoints,
      };
      return {
        destination: name,
        status: held > 0 ? 'held' : totals.rejected > 0 ? 'partial' : 'succeeded',
        syncMode: destination.syncMode,
        totals,
        heldBecause: verdict.released ? undefined : verdict.because,
        changedFields: Object.fromEntries(changedFields),
        groups: Object.fromEntries(groups),
        samples,
        rejections,
      };
    },
  };
}

function upsertSample(
  upsert: Upsert,
  groupById: ReadonlyMap<string, string>,
  showValues: boolean,
): Omit<Sample, 'change'> {
  const subscriptions = [...upsert.subscriptions].map(([id, state]): [string, string] => [
    groupById.get(id) ?? id,
    state,
  ]);
  const fields = [...upsert.attributes.keys(), ...subscriptions.map(([group]) => group)];
  const values = Object.fromEntries([...upsert.attributes, ...subscriptions]);
  return { recordHash: upsert.hash, fields, ...(showValues ? { primaryKey: upsert.primaryKey, values } : {}) };
}
