/**
 * How a run goes from its last row to its end: the close, once all batches are settled. Every step can be repeated: it
 * looks at what is there and does what is left to do.
 */
import { type FatalError, RetryLater } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Clock, SECOND_MS } from '../time.ts';
import { isOver, type Run, type RunStatus, type Settlement, type Shard, Totals } from './model.ts';
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
  for (const shard of await deps.runs.shards(run.run)) {
    // A reading that is at work meanwhile sees for itself that the run has failed.
    if (!shard.done) await deps.runs.moveShard(run.run, endedShard(deps, shard), shard.progress);
  }
  await closeIfComplete(deps, run);
}

/** Ends the shard of a run that has failed, so that the run can close. @throws RetryLater when a reading got ahead. */
export async function endShard(
  deps: CloseDeps,
  key: Pick<Run, 'run' | 'destination'> & Pick<Shard, 'shard'>,
): Promise<void> {
  const shard = await deps.runs.shard(key.run, key.shard);
  if (shard && !shard.done) {
    if (!(await deps.runs.moveShard(key.run, endedShard(deps, shard), shard.progress))) throw gotAhead();
  }
  await closeIfComplete(deps, key);
}

const endedShard = ({ clock }: Pick<CloseDeps, 'clock'>, shard: Shard): Shard => ({
  ...shard,
  done: true,
  progress: shard.progress + 1,
  movedAt: clock.now(),
});

/** Ends the shards of a run that has failed, whether or not anybody reads them. @throws RetryLater as endShard does. */
export async function endUnread(deps: CloseDeps, { run, destination }: Run): Promise<void> {
  for (const { shard } of await deps.runs.shards(run)) await endShard(deps, { run, destination, shard });
  await closeIfComplete(deps, { run, destination });
}

export const gotAhead = (): RetryLater => new RetryLater('another reading of the shard got ahead', 5 * SECOND_MS);

/** Closes a run when nothing of it is left to do. @returns the run's end, or undefined while it goes on. */
export async function closeIfComplete(
  deps: CloseDeps,
  key: Pick<Run, 'run' | 'destination'>,
): Promise<Run | undefined> {
  const run = await deps.runs.get(key.destination, key.run);
  if (!run || isOver(run)) return undefined;
  if (run.status === 'running' && run.phase !== 'draining') return undefined;
  const [shards, settlements] = await Promise.all([deps.runs.shards(run.run), deps.runs.settlements(run.run)]);
  if (!isComplete(shards, settlements)) return undefined;
  return close(deps, run, shards, settlements);
}

/** True when every shard is read and every batch that was put on the batch queue is settled. */
export function isComplete(shards: readonly Shard[], settlements: readonly Settlement[]): boolean {
  if (shards.some((shard) => !shard.done)) return false;
  const sent = shards.reduce((sum, shard) => sum + shard.batches, 0);
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
  const status = statusOf(run, totals, settlements);
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
  const closed = await deps.runs.change(run, changes, { status: [run.status] });
  if (!closed) {
    // A run that has failed since it was read ends as what it has become, with its own reason.
    const current = await deps.runs.get(run.destination, run.run);
    if (current && !isOver(current)) return close(deps, current, shards, settlements);
  }
  await deps.runs.free(run.destination, run.run);
  if (!closed) return undefined;
  report(deps, run, status, totals, endedAt);
  return { ...run, ...changes };
}

/**
 * Returns the totals of a run from its shards and settled batches. Every row and every sent record is in exactly one of
 * them: extracted = unchanged + added + changed + rejected without being sent, and sent = accepted + deleted + refused +
 * absent + undelivered. What was never settled counts as undelivered once the run has ended.
 */
export function totalsOf(run: Run, shards: readonly Shard[], settlements: readonly Settlement[]): Totals {
  const found = (count: keyof Shard['counts']) => shards.reduce((sum, shard) => sum + shard.counts[count], 0);
  const settled = (count: Exclude<keyof Settlement, 'settled' | 'unresolved'>) =>
    settlements.reduce((sum, item) => sum + item[count], 0);
  const [sent, accepted, deleted] = [sentIn(shards), settled('accepted'), settled('deleted')];
  const [refused, absent] = [settled('rejected'), settled('absent')];
  return Totals.parse({
    extracted: found('extracted'),
    unchanged: found('unchanged'),
    added: found('added'),
    changed: found('changed'),
    removed: found('removed'),
    unremoved: found('unremoved'),
    held: run.status === 'failing' ? 0 : run.held.reduce((sum, { records }) => sum + records, 0),
    ...{ accepted, deleted, refused, absent, sent },
    rejected: found('rejected') + refused,
    omitted: found('omitted'),
    undelivered: Math.max(0, sent - accepted - deleted - refused - absent),
    requests: settled('requests'),
    lookups: settled('lookups'),
    dataPoints: settled('dataPoints'),
  });
}

/** Records on the batch queue; a reading that only counts puts none there. */
const sentIn = (shards: readonly Shard[]): number =>
  shards.reduce((sum, { pass, counts }) => sum + (pass === 'send' ? counts.sent : 0), 0);

/** Returns how a run ended: what needs a person first comes first. */
export function statusOf(
  run: Pick<Run, 'status' | 'held'>,
  totals: Totals,
  settlements: readonly Pick<Settlement, 'undelivered'>[],
): RunStatus {
  // Notes for the ledger are no records that are sent, but they too may not have got there.
  const isUndelivered = totals.undelivered > 0 || settlements.some(({ undelivered }) => undelivered > 0);
  if (run.status === 'failing' || isUndelivered) return 'failed';
  if (run.held.length > 0) return 'held';
  return totals.rejected + totals.unremoved > 0 ? 'partial' : 'succeeded';
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
