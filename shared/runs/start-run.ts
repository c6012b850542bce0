/**
 * Opens a run and sets it going. One run of a destination is open at a time, by a conditional write: a second start is
 * skipped and counted. A start that is delivered twice is one run.
 *
 * The same function takes what a person decides about held effects, and sweeps up runs whose messages are lost.
 */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { FatalError } from '../errors.ts';
import type { Destination, Parameters } from '../parameters/schema.ts';
import { HOUR_MS, SECOND_MS } from '../time.ts';
import { type CloseDeps, close, OPEN } from './close.ts';
import { contextOf, type DestinationContext } from './context.ts';
import { messageText } from './messages.ts';
import { type Approval, type Effect, type Hold, isOver, type Run } from './model.ts';
import type { Queue } from './queue.ts';
import { type RunStore, runTime } from './store.ts';

const Effects = z.array(z.string().min(1)).default([]);

/** What starts a run: the schedule's input, or a person's. */
export const StartEvent = z
  .object({
    destination: z.string().min(1),
    /** Names this start; a repeated delivery has the same. */
    execution: z.string().min(1).optional(),
    /** Held effects to send now: deletions, budget, group:NAME, attribute:NAME; or all. */
    approve: Effects,
    /** Held effects to leave out from now on, without asking again for 30 days; no run is started. */
    discard: Effects,
    /** Who says so. */
    by: z.string().min(1).max(200).optional(),
    /** Approves held deletions; where none have been shown yet, those that the run finds. */
    approveDeletions: z.boolean().default(false),
    /** Sends again what Braze refused before. */
    retryRejections: z.boolean().default(false),
    /** Sends every attribute again, whatever the ledger says. */
    resync: z.boolean().default(false),
    /** With resync: sends subscription states again too, which overwrites what users have chosen since. */
    withGroups: z.boolean().default(false),
    /** Goes on although the model's primary key is another one. */
    rekey: z.boolean().default(false),
  })
  .refine(
    ({ approve, discard, approveDeletions, by }) =>
      by !== undefined || !(approveDeletions || approve.length + discard.length),
    {
      path: ['by'],
      error: 'held effects are approved or discarded by a named person: say who',
    },
  );
export type StartEvent = z.input<typeof StartEvent>;
type Start = z.output<typeof StartEvent>;

/** Closes runs whose messages are lost. */
export const SweepEvent = z.object({ sweep: z.literal(true) });
export type SweepEvent = z.infer<typeof SweepEvent>;

export type StartDeps = CloseDeps & {
  readonly parameters: Parameters;
  readonly extractQueue: Queue;
  /** A run without any progress for this long has lost its messages, ms. */
  readonly stuckAfterMs: number;
};

export type StartOutcome =
  | { readonly started: true; readonly run: string }
  | { readonly started: false; readonly because: string; readonly run: string | undefined };

export type SweepOutcome = { readonly closed: readonly { readonly destination: string; readonly run: string }[] };

/** Longer than any message waits without a sign of life: its tries, each with the visibility timeout of its queue. */
export const STUCK_AFTER_MS = 2 * HOUR_MS;

/**
 * Opens a run of a destination, or says why not.
 * @throws FatalError when the destination does not exist or is disabled, or what is approved or discarded is not held.
 */
export async function startRun(deps: StartDeps, input: StartEvent): Promise<StartOutcome> {
  const event = StartEvent.parse(input);
  const context = contextOf(deps.parameters, event.destination);
  if (event.discard.length > 0) return discard(deps, context, event);
  if (!context.destination.enabled) {
    throw new FatalError(`destination '${event.destination}' is disabled`, 'Set enabled: true and deploy.');
  }
  const { ledger, carryFrom } = await ledgerOf(deps, context);
  if (carryFrom !== undefined) await deps.runs.carryLedger(carryFrom, context.name, ledger);
  const holds = await deps.runs.holds(context.name);
  const approvals = approvalsOf(context.destination, holds, event);
  const execution = event.execution ?? randomBytes(8).toString('hex');
  const opened = await openRun(deps, context, execution);
  if (!opened.started) {
    deps.log.warn('start skipped', { destination: context.name, run: opened.run, because: opened.because });
    deps.metrics.add(context.name, { runSkipped: 1 });
    return opened;
  }
  const discards = discardsOf(holds, approvals);
  await deps.runs.create(newRun(deps, context, opened, event, { ledger, approvals, discards }));
  const text = messageText({ kind: 'prepare', run: opened.run, destination: context.name, polls: 0 });
  await deps.extractQueue.send([{ text }]);
  deps.log.info('run started', { run: opened.run, destination: context.name, syncMode: context.destination.syncMode });
  return { started: true, run: opened.run };
}

/** Returns an effect by the name that a person gives it; a group may be named by its own name or its id in Braze. */
function effectNamed(text: string, { subscriptionGroups }: Destination): Effect {
  if (text === 'deletions' || text === 'budget') return text;
  if (text.startsWith('attribute:')) return `attribute:${text.slice(10)}`;
  const name = text.startsWith('group:') ? text.slice(6) : text;
  const id = Object.hasOwn(subscriptionGroups, name) ? subscriptionGroups[name] : name;
  return `group:${(id ?? name).toLowerCase()}`;
}

/** @throws FatalError when one of the effects is not held. */
function heldNamed(names: readonly string[], destination: Destination, holds: readonly Hold[]): Hold[] {
  if (names.includes('all')) return [...holds];
  return names.map((name) => {
    const effect = effectNamed(name, destination);
    const hold = holds.find((each) => each.effect === effect);
    if (hold) return hold;
    const known = holds.map((each) => each.effect).join(', ');
    throw new FatalError(`'${name}' is not held`, known === '' ? 'Nothing is held.' : `Held are: ${known}.`);
  });
}

/** Returns what a start approves. @throws FatalError when something of it is not held. */
export function approvalsOf(
  destination: Destination,
  holds: readonly Hold[],
  event: Pick<Start, 'approveDeletions' | 'by'> & { readonly approve: readonly string[] },
): Approval[] {
  const by = event.by ?? '';
  const shown = heldNamed(event.approve, destination, holds).map(
    ({ effect, run, dataPoints }): Approval => ({
      ...{ effect, by, shownIn: run },
      ...(dataPoints === undefined ? {} : { dataPoints }),
    }),
  );
  if (!event.approveDeletions || shown.some(({ effect }) => effect === 'deletions')) return shown;
  const hold = holds.find(({ effect }) => effect === 'deletions');
  return [...shown, { effect: 'deletions', by, ...(hold ? { shownIn: hold.run } : {}) }];
}

/** Returns what persons have discarded and nobody approves now. */
export function discardsOf(holds: readonly Hold[], approvals: readonly Approval[]): Run['discards'] {
  const approved = new Set(approvals.map(({ effect }) => effect));
  return holds.flatMap(({ effect, discardedBy, run }) =>
    discardedBy === undefined || approved.has(effect) ? [] : [{ effect, shownIn: run }],
  );
}

async function discard(deps: StartDeps, context: DestinationContext, event: Start): Promise<StartOutcome> {
  const holds = heldNamed(event.discard, context.destination, await deps.runs.holds(context.name));
  const discarded = holds.filter(({ effect }) => effect !== 'budget');
  for (const hold of holds) {
    // A run that was not sent has nothing to leave out: the next one asks again.
    if (hold.effect === 'budget') await deps.runs.deleteHold(context.name, hold.effect);
  }
  for (const hold of discarded) await deps.runs.putHold(context.name, { ...hold, discardedBy: event.by });
  const effects = holds.map(({ effect }) => effect).join(', ');
  deps.log.info('held effects discarded', { destination: context.name, effects });
  return { started: false, because: `discarded: ${effects}`, run: undefined };
}

/**
 * Returns the destination's name in the ledger: its own, or that of the destination that it was before (`carryFrom`,
 * while it has not been carried over yet).
 * @throws FatalError when it would take a ledger over that is in use, or has one of its own already.
 */
export async function ledgerOf(
  { runs }: { readonly runs: Pick<RunStore, 'state'> },
  { name, destination }: DestinationContext,
): Promise<{ readonly ledger: string; readonly carryFrom?: string }> {
  const from = destination.renamedFrom;
  // Read first: where another delivery of this start has carried the ledger over, the state that is read next knows it.
  const former = from === undefined ? undefined : await runs.state(from);
  const state = await runs.state(name);
  if (state.carriedTo !== undefined && state.carriedTo !== from) {
    throw new FatalError(
      `the ledger of destination '${name}' has gone to '${state.carriedTo}', which was renamed from it`,
      `Give this destination another name, or write renamedFrom: ${state.carriedTo}.`,
    );
  }
  const own = { ledger: state.ledger ?? name };
  if (from === undefined || former === undefined) return own;
  // Renamed before.
  if (former.carriedTo === name) return own;
  if (former.open !== undefined) {
    throw new FatalError(`a run of '${from}' is open`, `Start '${name}' once it has ended.`);
  }
  // An environment that never knew the former name.
  if (former.lastClosedAt === 0) return own;
  const ledger = former.ledger ?? from;
  if (state.lastClosedAt > 0 && state.carriedTo === undefined && state.ledger !== ledger) {
    throw new FatalError(
      `destination '${name}' has a ledger of its own already, so it can't take over that of '${from}'`,
      'Leave renamedFrom out, or use a name that has had no run.',
    );
  }
  return { ledger, carryFrom: from };
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
 * Closes the open runs that have lost their messages, and frees destinations whose run has ended without doing so.
 * Returns the runs that were closed.
 */
export async function sweep(deps: StartDeps): Promise<SweepOutcome> {
  const closed: { destination: string; run: string }[] = [];
  // Also those that are no longer among the parameters: a run of theirs may be open still.
  for (const destination of await deps.runs.destinations()) {
    const { open, openedAt = 0 } = await deps.runs.state(destination);
    if (open === undefined) continue;
    const wasOver = await isRunOver(deps, destination, open);
    const endedAt = await closeStuckRun(deps, destination, open, openedAt);
    if (endedAt === undefined) continue;
    if (!wasOver) closed.push({ destination, run: open });
    await deps.runs.free(destination, open);
  }
  if (closed.length > 0) deps.log.warn('stuck runs closed', { runs: closed.map(({ run }) => run).join(', ') });
  return { closed };
}

async function isRunOver({ runs }: CloseDeps, destination: string, run: string): Promise<boolean> {
  const found = await runs.get(destination, run);
  return found !== undefined && isOver(found);
}

/**
 * Ends a run that has shown no sign of life for `stuckAfterMs`. Returns when it ended, epoch ms, or undefined while it is
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
  const lastMove = Math.max(run.startedAt, run.touchedAt, ...moves);
  if (lastMove > silentSince) return undefined;
  if (deps.stuckAfterMs > 0 && (await isAnyWriterAlive(deps, destination, runId))) return undefined;
  const error = run.error ?? {
    found: `the run made no progress since ${new Date(lastMove).toISOString()}: its messages are lost`,
    next: 'Look at the dead-letter queues. The next run finds and sends what this one did not.',
  };
  await deps.runs.change(run, { status: 'failing', error }, { status: OPEN });
  await close(deps, { ...run, status: 'failing', error }, shards, settlements);
  return deps.clock.now();
}

/** A writer holds the lease of its batch while it may still send. */
async function isAnyWriterAlive({ runs, clock }: CloseDeps, destination: string, run: string): Promise<boolean> {
  for await (const intent of runs.intents(destination)) {
    if (intent.run === run && intent.leaseUntil > clock.now()) return true;
  }
  return false;
}

/** Sorts by time; unique among starts of one millisecond. */
const runId = (nowMs: number): string => `${runTime(nowMs)}-${randomBytes(3).toString('hex')}`;

const newRun = (
  deps: StartDeps,
  context: DestinationContext,
  { run, lastClosedAt }: { readonly run: string; readonly lastClosedAt: number },
  event: Start,
  goesBy: Pick<Run, 'ledger' | 'approvals' | 'discards'>,
): Run => ({
  run,
  destination: context.name,
  status: 'running',
  phase: 'preparing',
  syncMode: context.destination.syncMode,
  startedAt: deps.clock.now(),
  touchedAt: deps.clock.now(),
  // Braze promises no order between two requests for one user, even when the first has been answered.
  notBefore: lastClosedAt === 0 ? 0 : lastClosedAt + context.braze.settleSeconds * SECOND_MS,
  parametersHash: context.parametersHash,
  columns: [],
  ...goesBy,
  held: [],
  retryRejections: event.retryRejections,
  resync: event.resync && (event.withGroups ? 'groups' : 'attributes'),
  rekey: event.rekey,
});
