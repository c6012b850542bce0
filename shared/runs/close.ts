/**
 * How a run goes from its last row to its end: the guard's verdict, the release of held removals, and the close, once
 * all batches are settled. Every step can be repeated: it looks at what is there and does what is left to do.
 */
import type { FatalError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Clock } from '../time.ts';
import type { DestinationContext } from './context.ts';
import { guard } from './guard.ts';
import { messageText } from './messages.ts';
import { isOver, type Run, type RunStatus, type Settlement, type Shard, Totals } from './model.ts';
import type { Queue } from './queue.ts';
import type { RunStore } from './store.ts';

export type CloseDeps = {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** A run that goes on to its end, whether or not it has failed on the way. */
export const OPEN: readonly RunStatus[] = ['running', 'failing'];

/**
 * Fails a run: nothing new is sent, what is on its way is settled, and then the run closes as failed. The first failure
 * is the one that is kept.
 */
export async function failRun(
  deps: CloseDeps,
  run: Pick<Run, 'run' | 'destination'>,
  error: FatalError,
): Promise<void> {
  const { found, next } = error;
  deps.log.error('run fails', { run: run.run, destination: run.destination, found, next });
  await deps.runs.change(run, { status: 'failing', error: { found, next } }, { status: ['running'] });
  await closeIfComplete(deps, run);
}

/** Goes on with a run whose shards are all read: releases its removals or holds them. Does nothing before that. */
export async function afterExtract(
  deps: CloseDeps & { readonly extractQueue: Queue },
  context: DestinationContext,
  run: Pick<Run, 'run' | 'destination'>,
): Promise<void> {
  const shards = await deps.runs.shards(run.run);
  if (shards.some((shard) => !shard.done)) return;
  const current = await deps.runs.get(run.destination, run.run);
  if (!current || isOver(current)) return;
  if (current.status === 'running' && current.phase === 'extracting')
    await decideRemovals(deps, context, current, shards);
  const decided = await deps.runs.get(run.destination, run.run);
  if (decided && !isOver(decided) && decided.phase === 'releasing') {
    await deps.extractQueue.send([
      { text: messageText({ kind: 'release', run: run.run, destination: run.destination }) },
    ]);
  }
  await closeIfComplete(deps, run);
}

async function decideRemovals(
  deps: CloseDeps,
  context: DestinationContext,
  run: Run,
  shards: readonly Shard[],
): Promise<void> {
  const sum = (count: 'extracted' | 'known' | 'removed') =>
    shards.reduce((total, shard) => total + shard.counts[count], 0);
  const removed = sum('removed');
  const verdict = guard({
    extracted: sum('extracted'),
    known: sum('known'),
    removed,
    approved: run.approveDeletions,
    limits: context.destination.deletionGuard,
  });
  if (!verdict.released)
    deps.log.warn('removals are held', { run: run.run, destination: run.destination, because: verdict.because });
  const phase = verdict.released && removed > 0 ? 'releasing' : 'draining';
  await deps.runs.change(run, { phase, released: verdict.released }, { status: ['running'], phase: 'extracting' });
}

/** Closes a run when nothing of it is left to do. @returns the run's end, or undefined while it goes on. */
export async function closeIfComplete(
  deps: CloseDeps,
  key: Pick<Run, 'run' | 'destination'>,
): Promise<Run | undefined> {
  const run = await deps.runs.get(key.destination, key.run);
  if (!run || isOver(run)) return undefined;
  if (run.status === 'running' && run.phase !== 'draining') return undefined;
  const [shards, settlements] = await Promise.all([deps.runs.shards(run.run), deps.runs.settlements(run.run)]);
  if (!isComplete(run, shards, settlements)) return undefined;
  return close(deps, run, shards, settlements);
}

/** True when every shard is read and every batch that was put on the batch queue is settled. */
export function isComplete(run: Run, shards: readonly Shard[], settlements: readonly Settlement[]): boolean {
  if (shards.some((shard) => !shard.done)) return false;
  const sent = shards.reduce((sum, shard) => sum + shard.batches + (run.released ? shard.held : 0), 0);
  const settled = settlements.reduce((sum, settlement) => sum + settlement.settled.size, 0);
  return settled >= sent;
}

/** Ends a run with what is known of it. Returns the run as closed, or undefined when somebody else has closed it. */
export async function close(
  deps: CloseDeps,
  run: Run,
  shards: readonly Shard[],
  settlements: readonly Settlement[],
): Promise<Run | undefined> {
  const totals = totalsOf(run, shards, settlements);
  const status = statusOf(run, totals);
  const endedAt = deps.clock.now();
  const error =
    run.error ??
    (totals.undelivered > 0
      ? {
          found: `${totals.undelivered} records got no answer from Braze`,
          next: 'The next run finds and sends them again.',
        }
      : undefined);
  const changes = { status, phase: 'closed' as const, endedAt, totals, ...(error ? { error } : {}) };
  const closed = await deps.runs.change(run, changes, { status: OPEN });
  await deps.runs.free(run.destination, run.run);
  if (!closed) return undefined;
  report(deps, run, status, totals, endedAt);
  return { ...run, ...changes };
}

/** Returns the totals of a run from its shards and settled batches. Every row and every sent record is in exactly one of them. */
export function totalsOf(run: Run, shards: readonly Shard[], settlements: readonly Settlement[]): Totals {
  const found = (count: keyof Shard['counts']) => shards.reduce((sum, shard) => sum + shard.counts[count], 0);
  const settled = (count: Exclude<keyof Settlement, 'settled' | 'unresolved'>) =>
    settlements.reduce((sum, item) => sum + item[count], 0);
  const removed = found('removed');
  return Totals.parse({
    extracted: found('extracted'),
    unchanged: found('unchanged'),
    added: found('added'),
    changed: found('changed'),
    removed,
    held: run.released || run.status === 'failing' ? 0 : removed,
    accepted: settled('accepted'),
    rejected: found('rejected') + settled('rejected'),
    deleted: settled('deleted'),
    omitted: found('omitted'),
    absent: settled('absent'),
    undelivered: settled('undelivered'),
    requests: settled('requests'),
    lookups: settled('lookups'),
    dataPoints: settled('dataPoints'),
  });
}

/** Returns how a run ended: what needs a person first comes first. */
export function statusOf(run: Pick<Run, 'status'>, totals: Totals): RunStatus {
  if (run.status === 'failing' || totals.undelivered > 0) return 'failed';
  if (totals.held > 0) return 'held';
  return totals.rejected > 0 ? 'partial' : 'succeeded';
}

function report(deps: CloseDeps, run: Run, status: RunStatus, totals: Totals, endedAt: number): void {
  const durationMs = endedAt - run.startedAt;
  deps.log.info('run ended', { run: run.run, destination: run.destination, status, durationMs, ...totals });
  const failed = status === 'failed';
  deps.metrics.add(run.destination, {
    ...totals,
    durationMs,
    runSucceeded: failed ? 0 : 1,
    runFailed: failed ? 1 : 0,
    runHeld: status === 'held' ? 1 : 0,
    rejectedPercent: totals.extracted > 0 ? (100 * totals.rejected) / totals.extracted : 0,
  });
}
