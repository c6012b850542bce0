/**
 * Reads one shard: the warehouse's rows and the ledger's entries of a hash range, through one merge join, into batches.
 *
 * A run reads its shards twice unless there is nothing that a guard could hold: first to count, then to send.
 *
 * The order of every move is: lists of held records and rejections into the table, batches on the queue, and only then the
 * cursor, under the condition that it still stands where this reading found it. A reading that stops anywhere leaves
 * either nothing (its batches are void, see model.ts) or a cursor from which the next one goes on exactly.
 */
import { type DecideContext, decide, type Holds } from '../diff/decide.ts';
import { mergeJoin } from '../diff/merge-join.ts';
import { type Row, readRow, type Shape, shapeOf } from '../diff/row.ts';
import { FatalError } from '../errors.ts';
import type { Entry } from '../ledger/entry.ts';
import type { Dictionary } from '../ledger/ledger.ts';
import { SECOND_MS, shift } from '../time.ts';
import type { Warehouse } from '../warehouse/data-api.ts';
import { endShard, endUnread, failRun, gotAhead } from './close.ts';
import { type Collector, collector } from './collector.ts';
import { columnFinder, type DestinationContext } from './context.ts';
import { decidedOf, type EffectTally, effectKey, effectTally, guardedIds, holdsOf } from './effects.ts';
import { type ExtractDeps, pollDelaySeconds, RESERVE_MS } from './extract-deps.ts';
import { type ExtractMessage, messageText } from './messages.ts';
import { isOver, type Run, type Shard } from './model.ts';
import { currentContext, statementFailure } from './prepare.ts';
import { afterReading } from './verdict.ts';

type ShardMessage = Extract<ExtractMessage, { kind: 'shard' }>;

/**
 * Reads a shard to its end, or to where time runs out, and puts it back on the queue in that case.
 * @throws RetryLater when another reading of the shard got ahead.
 */
export async function readShard(deps: ExtractDeps, message: ShardMessage): Promise<void> {
  const run = await deps.runs.get(message.destination, message.run);
  const shard = await deps.runs.shard(message.run, message.shard);
  if (!run || !shard || isOver(run)) return;
  if (run.status === 'failing') return endUnread(deps, run);
  try {
    const context = currentContext(deps, run);
    if (!shard.done) {
      const warehouse = deps.warehouse(context.warehouse);
      const status = await warehouse.status(shard.statementId);
      if (status.kind === 'failed') throw statementFailure(context, status.message);
      if (status.kind === 'running') {
        await deps.runs.change(run, { touchedAt: deps.clock.now() }, { status: ['running'] });
        return requeue(deps, message, pollDelaySeconds(message.polls));
      }
      const read = await readRows(deps, context, run, shard, warehouse);
      if (read === 'out_of_time') return requeue(deps, { ...message, polls: 0 }, 0);
      if (read === 'run_failed') return readShard(deps, message);
    }
    await afterReading(deps, context, run);
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    await failRun(deps, run, error);
    await endShard(deps, message);
  }
}

async function requeue(deps: ExtractDeps, message: ShardMessage, delaySeconds: number): Promise<void> {
  await deps.extractQueue.send([{ text: messageText({ ...message, polls: message.polls + 1 }), delaySeconds }]);
}

/** Returns what the decisions of a run, or of a plan, go by. */
export function decideContextOf(
  context: DestinationContext,
  run: Pick<Run, 'columns' | 'startedAt' | 'retryRejections' | 'resync'>,
  dictionary: Dictionary,
  holdsFor: (shape: Shape) => Holds,
): DecideContext {
  const { destination } = context;
  const shape = shapeOf(destination, columnFinder(run.columns), dictionary);
  return {
    shape,
    syncMode: destination.syncMode,
    dictionary,
    nowMs: run.startedAt,
    askAgainBeforeMs: shift(run.startedAt, destination.askAgainAfter, -1),
    retryRejections: run.retryRejections,
    resync: run.resync,
    holds: holdsFor(shape),
  };
}

/** Yields a statement's rows in pages, from a page on, those after a record hash only. */
export async function* rowPages(
  warehouse: Warehouse,
  shape: Shape,
  statementId: string,
  token?: string,
  after?: string,
): AsyncGenerator<readonly Row[]> {
  for await (const page of warehouse.pages(statementId, token)) {
    const rows = page.rows.map((record) => readRow(shape, record, page.token));
    yield after === undefined ? rows : rows.filter((row) => row.hash > after);
  }
}

type Read = 'to_the_end' | 'out_of_time' | 'run_failed';

/** Reads the shard from its cursor on. Returns where it stopped. */
async function readRows(
  deps: ExtractDeps,
  context: DestinationContext,
  run: Run,
  start: Shard,
  warehouse: Warehouse,
): Promise<Read> {
  const dictionary = await deps.ledger.dictionary(run.ledger);
  if (!dictionary) throw new Error(`destination '${context.name}' has no field dictionary`);
  const isCount = start.pass === 'count';
  const decided = await decidedOf(deps.runs, run, dictionary);
  const heldKeys = new Set(isCount ? [] : run.held.flatMap(({ effect }) => effectKey(effect, dictionary) ?? []));
  const decideBy = decideContextOf(context, run, dictionary, (shape) => holdsOf(guardedIds(shape), decided, heldKeys));
  const effects = effectTally(start.effects, guardedIds(decideBy.shape), decided);
  const epoch = deps.newEpoch();
  const collected = collector({
    run: run.run,
    destination: context.destination,
    name: context.name,
    maxUsersPerRequest: context.braze.maxUsersPerRequest,
    epoch,
    shard: start,
    makes: !isCount,
    lists: isCount || !run.counts,
  });
  const move = mover(deps, context, run, start, { collected, effects: isCount ? effects : undefined }, epoch);
  const rows = rowPages(warehouse, decideBy.shape, start.statementId, start.token, start.after);
  const entries = deps.ledger.entries(run.ledger, start, start.after);
  for await (const matches of mergeJoin<Row, Entry>(rows, entries)) {
    for (const match of matches) {
      const { hash } = match.kind === 'entry' ? match.entry : match.row;
      const decision = decide(match, decideBy);
      collected.add(decision, { hash, known: isKnown(match.entry) });
      if (isCount) effects.add(decision, match.entry, hash);
      move.reached(hash, match.kind === 'entry' ? undefined : match.row.pageToken);
      if (collected.isFull() && !(await move.on(false))) return 'run_failed';
    }
    if (deps.remainingMs() < RESERVE_MS) {
      return (await move.on(false)) ? 'out_of_time' : 'run_failed';
    }
  }
  await move.on(true);
  return 'to_the_end';
}

/** True for an entry of a record that is in Braze as far as the ledger knows. */
export const isKnown = (entry: Entry | undefined): boolean => entry?.fingerprint !== undefined && !entry.gone;

type Mover = {
  /** Notes that everything up to a record hash is taken in. */
  readonly reached: (hash: string, pageToken: string | undefined) => void;
  /** Moves the cursor there. Returns whether the run is still to go on. */
  readonly on: (done: boolean) => Promise<boolean>;
};

function mover(
  deps: ExtractDeps,
  context: DestinationContext,
  run: Run,
  start: Shard,
  { collected, effects }: { readonly collected: Collector; readonly effects: EffectTally | undefined },
  epoch: string,
): Mover {
  let shard = start;
  let { after, token } = start;
  const queue = deps.batchQueue(context.brazeName);
  return {
    reached: (hash, pageToken) => {
      after = hash;
      token = pageToken ?? token;
    },
    on: async (done) => {
      const from = shard.batches;
      const { texts, held, rejections } = collected.take();
      for (const list of held) await deps.runs.putHeldList(run.run, list);
      await deps.runs.putRejections(run.run, rejections);
      const delaySeconds = Math.ceil(Math.max(0, run.notBefore - deps.clock.now()) / SECOND_MS);
      await queue.send(texts.map((text) => ({ text, delaySeconds, group: run.destination })));
      const known = shard.epochs.at(-1)?.epoch === epoch;
      const next: Shard = {
        ...shard,
        ...collected.made(),
        progress: shard.progress + 1,
        after,
        token,
        epochs: known || texts.length === 0 ? shard.epochs : [...shard.epochs, { epoch, from }],
        done,
        counts: collected.counts(),
        ...(effects ? { effects: effects.counts() } : {}),
        movedAt: deps.clock.now(),
      };
      if (!(await deps.runs.moveShard(run.run, next, shard.progress))) throw gotAhead();
      shard = next;
      return done || (await deps.runs.get(run.destination, run.run))?.status === 'running';
    },
  };
}
