/**
 * The steps of the extract queue, by the kind of their message, and what becomes of a step that fails.
 *
 * What passes (a busy warehouse, another reading of the shard) is waited for without counting. What is unexpected is
 * tried again a few times; then the run fails, with the reason, and does not stay open behind a dead letter.
 */
import { describeError, FatalError, GivenUp, isLastTry, RetryLater, type Tries, tryAgain } from '../errors.ts';
import { MINUTE_MS, SECOND_MS } from '../time.ts';
import { endShard, failRun } from './close.ts';
import type { ExtractDeps } from './extract-deps.ts';
import { type ExtractMessage, messageText, nextRound } from './messages.ts';
import { prepare } from './prepare.ts';
import { readShard } from './read-shard.ts';

/**
 * Does the step that a message asks for; when it returns, the message may be deleted.
 * @throws RetryLater when the message has to come again, GivenUp when it is to become a dead letter.
 */
export async function extractStep(deps: ExtractDeps, message: ExtractMessage, tries: Tries): Promise<void> {
  try {
    await step(deps, message);
  } catch (error) {
    if (!isLastTry(tries)) throw error instanceof RetryLater ? error : tryAgain(error, tries);
    if (error instanceof RetryLater) return waitOn(deps, message, error.afterMs);
    try {
      await giveUp(deps, message, error);
    } catch (another) {
      // Its run would stay open without anybody to go on with it: where nothing can be written, that is waited for.
      const next = nextRound(message);
      if (!next) throw another;
      return putBack(deps, next, MINUTE_MS);
    }
    throw new GivenUp(error);
  }
}

async function waitOn(deps: ExtractDeps, message: ExtractMessage, afterMs: number): Promise<void> {
  await putBack(deps, message, afterMs);
  // Who waits is alive.
  await deps.runs.change(message, { touchedAt: deps.clock.now() }, { status: ['running'] });
}

/** Replaces a message, before it would become a dead letter, by a copy that has all its tries. */
const putBack = (deps: ExtractDeps, message: ExtractMessage, afterMs: number): Promise<void> =>
  deps.extractQueue.send([{ text: messageText(message), delaySeconds: Math.ceil(afterMs / SECOND_MS) }]);

function step(deps: ExtractDeps, message: ExtractMessage): Promise<void> {
  switch (message.kind) {
    case 'prepare':
      return prepare(deps, message);
    case 'shard':
      return readShard(deps, message);
  }
}

async function giveUp(deps: ExtractDeps, message: ExtractMessage, error: unknown): Promise<void> {
  const fatal = new FatalError(
    `the ${message.kind} step failed again and again: ${describeError(error)}`,
    'Look at the logs of extract-shard. Nothing is lost: the next run starts from what Braze has accepted.',
  );
  await failRun(deps, message, fatal);
  if (message.kind === 'shard') await endShard(deps, message);
}
