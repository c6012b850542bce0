/**
 * Opens a run and sets it going. One run of a destination is open at a time, by a conditional write: a second start is
 * skipped and counted. A start that is delivered twice is one run.
 */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { FatalError } from '../errors.ts';
import type { Parameters } from '../parameters/schema.ts';
import { HOUR_MS, SECOND_MS } from '../time.ts';
import { type CloseDeps, close, OPEN } from './close.ts';
import { contextOf, type DestinationContext } from './context.ts';
import { messageText } from './messages.ts';
import { isOver, type Run } from './model.ts';
import type { Queue } from './queue.ts';

/** What starts a run: the schedule's input, or a person's. */
export const StartEvent = z.object({
  destination: z.string().min(1),
  /** Names this start; a repeated delivery has the same. */
  execution: z.string().min(1).optional(),
  /** Releases held removals, whatever the limits say. */
  approveDeletions: z.boolean().default(false),
  /** Sends again what Braze refused before. */
  retryRejections: z.boolean().default(false),
});
export type StartEvent = z.input<typeof StartEvent>;

export type StartDeps = CloseDeps & {
  readonly parameters: Parameters;
  readonly extractQueue: Queue;
  /** A run without any progress for this long has lost its messages, ms. */
  readonly stuckAfterMs: number;
};

export type StartOutcome =
  | { readonly started: true; readonly run: string }
  | { readonly started: false; readonly because: string; readonly run: string | undefined };

/** Longer than the queues' visibility timeouts times their tries: no message of such a run can still come. */
export const STUCK_AFTER_MS = 6 * HOUR_MS;

/**
 * Opens a run of a destination, or says why not.
 * @throws FatalError when the destination does not exist or is disabled.
 */
export async function startRun(deps: StartDeps, input: StartEvent): Promise<StartOutcome> {
  const event = StartEvent.parse(input);
  const context = contextOf(deps.parameters, event.destination);
  if (!context.destination.enabled) {
    throw new FatalError(`destination '${event.destination}' is disabled`, 'Set enabled: true and deploy.');
  }
  const execution = event.execution ?? randomBytes(8).toString('hex');
  const opened = await openRun(deps, context, execution);
  if (!opened.started) {
    deps.log.warn('start skipped', { destination: context.name, run: opened.run, because: opened.because });
    deps.metrics.add(context.name, { runSkipped: 1 });
    return opened;
  }
  await deps.runs.create(newRun(deps, context, opened.run, opened.lastClosedAt, StartEvent.parse(input)));
  const text = messageText({ kind: 'prepare', run: opened.run, destination: context.name, polls: 0 });
  await deps.extractQueue.send([{ text }]);
  deps.log.info('run started', { run: opened.run, destination: context.name, syncMode: context.destination.syncMode });
  return { started: true, run: opened.run };
}

type Opened =
  | { readonly started: true; readonly run: string; readonly lastClosedAt: number }
  | (StartOutcome & { started: false });

/** A run may be opened or freed by others between reading the state and writing it: then it is read again. */
const LOOKS = 3;

async function openRun(deps: StartDeps, context: DestinationContext, execution: string): Promise<Opened> {
  const run = runId(deps.clock.now());
  let open: string | undefined;
  for (let look = 1; look <= LOOKS; look++) {
    const state = await deps.runs.state(context.name);
    const { lastClosedAt } = state;
    open = state.open;
    if (open === undefined) {
      if (await deps.runs.open(context.name, run, execution)) return { started: true, run, lastClosedAt };
      continue;
    }
    if (state.execution === execution) return { started: true, run: open, lastClosedAt };
    const endedAt = await closeStuckRun(deps, context.name, open, state.openedAt ?? 0);
    if (endedAt === undefined) break;
    if (await deps.runs.open(context.name, run, execution, open)) {
      return { started: true, run, lastClosedAt: Math.max(lastClosedAt, endedAt) };
    }
  }
  return { started: false, because: 'a run of this destination is open', run: open };
}

/**
 * Ends a run that has made no progress for `stuckAfterMs`. Returns when it ended, epoch ms, or undefined while it is
 * still under way; the destination may be taken over from a run that has ended.
 */
export async function closeStuckRun(
  deps: CloseDeps & Pick<StartDeps, 'stuckAfterMs'>,
  destination: string,
  runId: string,
  openedAt: number,
): Promise<number | undefined> {
  const run = await deps.runs.get(destination, runId);
  const silentSince = deps.clock.now() - deps.stuckAfterMs;
  if (!run) return openedAt <= silentSince ? openedAt : undefined;
  if (isOver(run)) return run.endedAt ?? run.startedAt;
  const [shards, settlements] = await Promise.all([deps.runs.shards(runId), deps.runs.settlements(runId)]);
  const moves = [...shards.map((shard) => shard.movedAt), ...settlements.map((item) => item.settledAt)];
  const lastMove = Math.max(run.startedAt, ...moves);
  if (lastMove > silentSince) return undefined;
  const error = run.error ?? {
    found: `the run made no progress since ${new Date(lastMove).toISOString()}: its messages are lost`,
    next: 'Look at the dead-letter queues. The next run finds and sends what this one did not.',
  };
  await deps.runs.change(run, { status: 'failing', error }, { status: OPEN });
  await close(deps, { ...run, status: 'failing', error }, shards, settlements);
  return deps.clock.now();
}

/** Sorts by time; unique among starts of one millisecond. */
const runId = (nowMs: number): string =>
  `${new Date(nowMs).toISOString().replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`;

const newRun = (
  deps: StartDeps,
  context: DestinationContext,
  run: string,
  lastClosedAt: number,
  event: z.output<typeof StartEvent>,
): Run => ({
  run,
  destination: context.name,
  status: 'running',
  phase: 'preparing',
  syncMode: context.destination.syncMode,
  startedAt: deps.clock.now(),
  // Braze promises no order between two requests for one user, even when the first has been answered.
  notBefore: lastClosedAt === 0 ? 0 : lastClosedAt + context.braze.settleSeconds * SECOND_MS,
  parametersHash: context.parametersHash,
  columns: [],
  approveDeletions: event.approveDeletions,
  retryRejections: event.retryRejections,
  released: false,
});
