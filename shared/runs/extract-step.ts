/** The steps of the extract queue, by the kind of their message. */
import type { ExtractDeps } from './extract-deps.ts';
import type { ExtractMessage } from './messages.ts';
import { prepare } from './prepare.ts';
import { readShard } from './read-shard.ts';
import { release } from './release.ts';

/** Does the step that a message asks for. @throws RetryLater when the message has to come again. */
export async function extractStep(deps: ExtractDeps, message: ExtractMessage): Promise<void> {
  switch (message.kind) {
    case 'prepare':
      return prepare(deps, message);
    case 'shard':
      return readShard(deps, message);
    case 'release':
      return release(deps, message);
  }
}
