/**
 * What a run would do, found the way a run finds it, but sending and writing nothing: the same statements, the same merge
 * join and decisions, the same batches, counted instead of queued.
 */
import { type DecideContext, type Decision, decide } from '../diff/decide.ts';
import { mergeJoin } from '../diff/merge-join.ts';
import { dictionaryNames, type Row } from '../diff/row.ts';
import { FatalError } from '../errors.ts';
import { type Entry, type PossibleWrite, withPossibleWrite } from '../ledger/entry.ts';
import { type Dictionary, dictionaryWith, type Ledger } from '../ledger/ledger.ts';
import type { Parameters } from '../parameters/schema.ts';
import type { Clock } from '../time.ts';
import type { Warehouse } from '../warehouse/data-api.ts';
import { describeSql, type HashRange, hashRanges } from '../warehouse/model-sql.ts';
import { collector } from './collector.ts';
import { contextOf, type DestinationContext, identityProblem } from './context.ts';
import { type Decided, decidedOf, effectKey, effectTally, guardedIds, holdsOf } from './effects.ts';
import { EffectCounts, type Held, type Run, ShardCounts } from './model.ts';
import { namesOf, spentToday } from './names.ts';
import { type Plan, type PlanOptions, planTally } from './plan-tally.ts';
import { checkColumns, isUnanswered, possibleWrites, shardStatements, statementFailure } from './prepare.ts';
import { decideContextOf, isKnown, rowPages } from './read-shard.ts';
import { approvalsOf, discardsOf, ledgerOf } from './start-run.ts';
import type { RunStore } from './store.ts';
import { verdictOn } from './verdict.ts';

export type PlanDeps = {
  readonly parameters: Parameters;
  readonly warehouse: Warehouse;
  readonly ledger: Pick<Ledger, 'entries' | 'dictionary'>;
  readonly runs: Pick<RunStore, 'intents' | 'batch' | 'state' | 'holds' | 'heldHashes' | 'spentSince'>;
  readonly clock: Clock;
};

const POLL_MS = 500;
const FIRST_POLL_MS = 20;

/** Returns the plan of a destination. @throws FatalError when the run would fail before it sends anything. */
export async function plan(deps: PlanDeps, destination: string, options: PlanOptions): Promise<Plan> {
  const context = contextOf(deps.parameters, destination);
  const startedAt = deps.clock.now();
  const token = `plan-${startedAt}-${destination}`.slice(0, 50);
  const columns = await describedColumns(deps, context, token);
  const { ledger, carryFrom } = await ledgerOf(deps, context);
  const known = await deps.ledger.dictionary(ledger);
  const problem = identityProblem(context, known?.identity, options.rekey);
  if (problem) throw new FatalError(problem.found, problem.next);
  const dictionary = dictionaryWith(known, dictionaryNames(context.destination));
  const holds = await deps.runs.holds(carryFrom ?? destination);
  const approvals = approvalsOf(context.destination, holds, { ...options, by: 'plan' });
  const decided = await decidedOf(deps.runs, { approvals, discards: discardsOf(holds, approvals) }, dictionary);
  const run = { columns, startedAt, retryRejections: options.retryRejections, resync: options.resync };
  const decideWith = (heldKeys: ReadonlySet<string>): DecideContext =>
    decideContextOf(context, run, dictionary, (shape) => holdsOf(guardedIds(shape), decided, heldKeys));

  const shards: PlannedShard[] = [];
  const statements = shardStatements(context, columns, startedAt);
  const writes = await openWrites(deps, await namesOf(deps.runs, context));
  for (const [shard, range] of hashRanges(context.destination.shards).entries()) {
    const id = await finished(deps, context, statements[shard] ?? '', `${token}-${shard}`);
    shards.push({ id, range, entries: () => overlaid(deps.ledger.entries(ledger, range), writes, range) });
  }
  const spent = await spentToday(deps.runs, context, startedAt);
  const counted = known !== undefined || context.destination.budget !== undefined;
  const held = counted
    ? await heldIn(deps, context, decideWith(new Set()), shards, { decided, approvals, dictionary, spentToday: spent })
    : [];
  const heldKeys = new Set(held.flatMap(({ effect }) => effectKey(effect, dictionary) ?? []));
  const tally = planTally(context, options, held);
  const decideBy = decideWith(heldKeys);
  for (const shard of shards) {
    await eachDecision(deps, decideBy, shard, (decision, entry, hash) =>
      tally.add(decision, { hash, known: isKnown(entry) }),
    );
    tally.endShard();
  }
  return tally.plan();
}

type PlannedShard = {
  readonly id: string;
  readonly range: HashRange;
  readonly entries: () => AsyncGenerator<readonly Entry[]>;
};

async function eachDecision(
  deps: PlanDeps,
  decideBy: DecideContext,
  { id, entries }: PlannedShard,
  take: (decision: Decision, entry: Entry | undefined, hash: string) => void,
): Promise<void> {
  for await (const matches of mergeJoin<Row, Entry>(rowPages(deps.warehouse, decideBy.shape, id), entries())) {
    for (const match of matches) {
      const hash = match.kind === 'entry' ? match.entry.hash : match.row.hash;
      take(decide(match, decideBy), match.entry, hash);
    }
  }
}

/** Counts as a run does before it sends anything. Returns what its guards would hold. */
async function heldIn(
  deps: PlanDeps,
  context: DestinationContext,
  decideBy: DecideContext,
  shards: readonly PlannedShard[],
  given: {
    readonly decided: Decided;
    readonly approvals: Run['approvals'];
    readonly dictionary: Dictionary;
    readonly spentToday: number;
  },
): Promise<Held[]> {
  const { destination, name, braze } = context;
  const counts = collector({
    ...{ run: 'plan', name, destination, epoch: 'plan', makes: false, lists: false },
    maxUsersPerRequest: braze.maxUsersPerRequest,
    shard: { shard: 0, batches: 0, held: 0, counts: ShardCounts.parse({}) },
  });
  const effects = effectTally(EffectCounts.parse({}), guardedIds(decideBy.shape), given.decided);
  for (const shard of shards) {
    await eachDecision(deps, decideBy, shard, (decision, entry, hash) => {
      counts.add(decision, { hash, known: isKnown(entry) });
      effects.add(decision, entry, hash);
    });
  }
  const counted = [{ counts: counts.counts(), effects: effects.counts() }];
  return verdictOn(context, given, given.dictionary, counted, given.spentToday);
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
async function openWrites(deps: PlanDeps, names: readonly string[]): Promise<Map<string, PossibleWrite[]>> {
  const writesByHash = new Map<string, PossibleWrite[]>();
  for (const name of names) {
    for await (const intent of deps.runs.intents(name)) {
      if (!(await isUnanswered(deps.runs, name, intent))) continue;
      for (const write of possibleWrites(intent))
        writesByHash.set(write.hash, [...(writesByHash.get(write.hash) ?? []), write]);
    }
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
