/**
 * What stops the work. Expected outcomes (a rejection, a held deletion, a skipped start) are values, not errors; only
 * what ends a run or hands a message back to its queue is thrown. An unknown error is never treated as retryable.
 */
import * as z from 'zod';

/** Ends the run: the operator has to act. `found` and `next` are shown as they are, so they hold no personal data. */
export class FatalError extends Error {
  readonly found: string;
  readonly next: string;

  constructor(found: string, next: string, options?: { cause?: unknown }) {
    super(`${found}. ${next}`, options);
    this.name = 'FatalError';
    this.found = found;
    this.next = next;
  }
}

/** Hands the message back to its queue, to be tried again after `afterMs` milliseconds. */
export class RetryLater extends Error {
  readonly afterMs: number;

  constructor(because: string, afterMs: number, options?: { cause?: unknown }) {
    super(because, options);
    this.name = 'RetryLater';
    this.afterMs = afterMs;
  }
}

/**
 * Returns an error's message, or the value as text when something else was thrown. What a parser says of a text that it
 * cannot read is left out: it quotes the text, and that may be a message's body or a service's answer.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'SyntaxError' ? 'a text that cannot be read' : error.message;
}

/** Returns the code of an error of Node or of a library, such as ECONNRESET, or an empty text. */
export const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

/**
 * True for an error of an AWS call that may pass without anybody's doing: the network failed, or the service answered 429
 * or 5xx, in words that the SDK knows or not.
 */
export function mayPass(error: unknown): boolean {
  if (/^(ECONN|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOTFOUND)/.test(codeOf(error))) return true;
  const { httpStatusCode = 0 } = AwsError.safeParse(error).data?.$metadata ?? {};
  return httpStatusCode === 429 || httpStatusCode >= 500;
}

const AwsError = z.object({ $metadata: z.object({ httpStatusCode: z.number().optional() }) });

/** The message has had its tries: it becomes a dead letter now. What it stood for has been settled. */
export class GivenUp extends Error {
  constructor(error: unknown) {
    super(`given up: ${describeError(error)}`, { cause: error });
    this.name = 'GivenUp';
  }
}

/** How often a message has been delivered, and after how many deliveries it becomes a dead letter. */
export type Tries = { readonly receiveCount: number; readonly maxReceiveCount: number };

/** True when a message that fails now becomes a dead letter. */
export const isLastTry = ({ receiveCount, maxReceiveCount }: Tries): boolean => receiveCount >= maxReceiveCount;

/**
 * Returns the error with which a message is put back after an unexpected failure: sooner than its visibility timeout,
 * which is long, and later with each try.
 */
export const tryAgain = (error: unknown, { receiveCount }: Tries): RetryLater =>
  new RetryLater(describeError(error), 5_000 * 3 ** (receiveCount - 1), { cause: error });

/** Returns an error's name and message. */
export const describeError = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${messageOf(error)}` : String(error);
