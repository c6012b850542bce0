/**
 * The steps of the extract queue, by the kind of their message, and what becomes of a step that fails.
 *
 * What passes (a busy warehouse, another reading of the shard) is waited for without counting. What is unexpected is
 * tried again a few times; then the run fails, with the reason, and does not stay open behind a dead letter.
 */
import { describeError, FatalError, GivenUp, isLastTry, RetryLater, type Tries, tryAgain } from '../errors.ts';
import { SECOND_MS } from '../time.ts';
import { endShard, failRun } from './close.ts';
import type { ExtractDeps } from './extract-deps.ts';
import { type ExtractMessage, messageText } from './messages.ts';
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
    if (error instanceof RetryLater) {
      if (!isLastTry(tries)) throw error;
      const delaySeconds = Math.ceil(error.afterMs / SECOND_MS);
      // Who waits is alive.
      await deps.runs.change(message, { touchedAt: deps.clock.now() }, { status: ['running'] });
      return deps.extractQueue.send([{ text: messageText(message), delaySeconds }]);
    }
    if (!isLastTry(tries)) throw tryAgain(error, tries);
    await giveUp(deps, message, error);
    throw new GivenUp(error);
  }
}

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
