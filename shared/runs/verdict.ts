/**
 * The end of a run's readings. After the counting one: what the guards hold, whether the run may send at all, and whether
 * there is anything to send; after the sending one: the run drains. Every step can be repeated: it looks at what is there
 * and does what is left to do.
 */
import type { Dictionary, Ledger } from '../ledger/ledger.ts';
import { type CloseDeps, closeIfComplete } from './close.ts';
import type { DestinationContext } from './context.ts';
import { heldBudget, heldEffects, heldPoints, SENT, sumEffects } from './effects.ts';
import { messageText } from './messages.ts';
import { type Held, isOver, type Run, type Shard, ShardCounts } from './model.ts';
import { spentToday } from './names.ts';
import type { Queue } from './queue.ts';

export type VerdictDeps = CloseDeps & { readonly extractQueue: Queue; readonly ledger: Ledger };

/** Goes on with a run once all its shards are read. Does nothing before that. */
export async function afterReading(
  deps: VerdictDeps,
  context: DestinationContext,
  key: Pick<Run, 'run' | 'destination'>,
): Promise<void> {
  const run = await deps.runs.get(key.destination, key.run);
  if (!run || isOver(run)) return;
  const shards = await deps.runs.shards(run.run);
  if (run.status === 'running' && areDone(run.phase === 'counting' ? 'count' : 'send', shards)) {
    if (run.phase === 'counting') await judge(deps, context, run, shards);
    if (run.phase === 'extracting') await deps.runs.change(run, { phase: 'draining' }, ONCE(run.phase));
  }
  const now = await deps.runs.get(run.destination, run.run);
  if (now?.status === 'running' && now.phase === 'extracting') await readAgain(deps, now);
  await closeIfComplete(deps, run);
}

const ONCE = (phase: Run['phase']) => ({ status: ['running'], phase }) as const;

const areDone = (pass: Shard['pass'], shards: readonly Shard[]): boolean =>
  shards.length > 0 && shards.every((shard) => shard.done && shard.pass === pass);

async function judge(
  deps: VerdictDeps,
  context: DestinationContext,
  run: Run,
  shards: readonly Shard[],
): Promise<void> {
  const dictionary = await deps.ledger.dictionary(run.ledger);
  if (!dictionary) throw new Error(`destination '${run.destination}' has no field dictionary`);
  const spent = await spentToday(deps.runs, context, run.startedAt);
  const held = verdictOn(context, run, dictionary, shards, spent);
  for (const { because } of held) {
    deps.log.warn('held', { run: run.run, destination: run.destination, because });
  }
  await settleHolds(deps, run, held);
  const isOverBudget = held.some(({ effect }) => effect === 'budget');
  const isAnythingDue = shards.some(({ counts }) => counts.due > 0);
  const phase = isOverBudget || !isAnythingDue ? 'draining' : 'extracting';
  await deps.runs.change(run, { phase, held }, ONCE('counting'));
}

/** Returns what is held of all that the shards' counting has found: the whole run where it would cost too much. */
export function verdictOn(
  { destination }: DestinationContext,
  run: Pick<Run, 'approvals'>,
  dictionary: Dictionary,
  shards: readonly Pick<Shard, 'counts' | 'effects'>[],
  spentToday: number,
): Held[] {
  const sum = (count: keyof ShardCounts): number => shards.reduce((total, { counts }) => total + counts[count], 0);
  const effects = sumEffects(shards.map((shard) => shard.effects));
  const held = heldEffects(destination, dictionary, sum('extracted'), effects);
  const cost = {
    records: sum('sent'),
    dataPoints: sum('dataPoints') - heldPoints(held),
    spentToday,
    samples: effects.samples[SENT] ?? [],
  };
  const budget = heldBudget(destination, run, cost);
  return budget ? [budget] : held;
}

/** What is held waits for a person; what was held before and is no longer found waits no more. */
async function settleHolds(deps: VerdictDeps, run: Run, held: readonly Held[]): Promise<void> {
  const isWholeRunHeld = held.some(({ effect }) => effect === 'budget');
  for (const hold of await deps.runs.holds(run.destination)) {
    const isStill = held.some(({ effect }) => effect === hold.effect);
    // A run that was held as a whole has applied no approval and left nothing out.
    if (!isStill && !isWholeRunHeld && hold.discardedBy === undefined)
      await deps.runs.deleteHold(run.destination, hold.effect);
  }
  for (const each of held) {
    await deps.runs.putHold(run.destination, { ...each, run: run.run, heldAt: deps.clock.now() });
  }
}

/** Sets every shard that has been counted to its start, and reads it again, to send. */
async function readAgain(deps: VerdictDeps, { run, destination }: Run): Promise<void> {
  const shards = await deps.runs.shards(run);
  for (const shard of shards) {
    if (shard.pass === 'send' || !shard.done) continue;
    const { after: _after, token: _token, ...kept } = shard;
    const counts = ShardCounts.parse({ listed: shard.counts.listed });
    const progress = shard.progress + 1;
    const again: Shard = { ...kept, pass: 'send', done: false, counts, progress, movedAt: deps.clock.now() };
    await deps.runs.moveShard(run, again, shard.progress);
  }
  const open = (await deps.runs.shards(run)).filter((shard) => !shard.done);
  await deps.extractQueue.send(
    open.map(({ shard }) => ({ text: messageText({ kind: 'shard', run, destination, shard, polls: 0 }) })),
  );
}
