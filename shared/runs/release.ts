/** Releases the held removals of a run: each held batch becomes a message on the batch queue, with the same content however often. */
import { SECOND_MS } from '../time.ts';
import { closeIfComplete } from './close.ts';
import { contextOf } from './context.ts';
import { type ExtractDeps, RESERVE_MS } from './extract-deps.ts';
import { type ExtractMessage, messageText } from './messages.ts';
import { type HeldBatch, isOver, type Run } from './model.ts';

type ReleaseMessage = Extract<ExtractMessage, { kind: 'release' }>;

/** The epoch of released removals: what they hold is in the table, so there is only one version of each. */
export const RELEASED = 'released';

const BATCHES_PER_CALL = 10;

/**
 * Puts the held removals on the batch queue, or as many as time allows, and itself back for the rest. Goes on in a run
 * that has failed meanwhile: its batches are dropped by the writer, and only then can it close.
 */
export async function release(deps: ExtractDeps, message: ReleaseMessage): Promise<void> {
  const run = await deps.runs.get(message.destination, message.run);
  if (!run || isOver(run) || run.phase !== 'releasing') return;
  const queue = deps.batchQueue(contextOf(deps.parameters, run.destination).brazeName);
  const counts = new Map((await deps.runs.shards(run.run)).map((shard) => [shard.shard, shard.held]));
  let waiting: HeldBatch[] = [];
  const send = async (): Promise<void> => {
    const delaySeconds = Math.ceil(Math.max(0, run.notBefore - deps.clock.now()) / SECOND_MS);
    await queue.send(waiting.map((batch) => ({ text: removalText(run, batch), delaySeconds })));
    waiting = [];
  };
  for await (const { id, batch } of deps.runs.held(run.run, message.after)) {
    // Items beyond a shard's count were left by a reading that did not get to move the cursor.
    if (batch.seq < (counts.get(batch.shard) ?? 0)) waiting.push(batch);
    if (waiting.length >= BATCHES_PER_CALL) await send();
    if (waiting.length === 0 && deps.remainingMs() < RESERVE_MS) {
      return deps.extractQueue.send([{ text: messageText({ ...message, after: id }) }]);
    }
  }
  await send();
  await deps.runs.change(run, { phase: 'draining' }, { status: ['running', 'failing'], phase: 'releasing' });
  await closeIfComplete(deps, run);
}

const removalText = ({ run, destination }: Run, { shard, seq, records }: HeldBatch): string =>
  messageText({ kind: 'remove', run, destination, shard, seq, epoch: RELEASED, records });
