/**
 * Delivers the objects of a batch to Braze: keeps the pace, waits out rate limits and passing faults as long as there is
 * time, splits what is refused as a whole until the culprit stands alone, and says of each object what became of it.
 *
 * Objects set values, so a repeated request does no harm. What was applied without our knowing is told (`applied`).
 */
import { FatalError } from '../errors.ts';
import { backoffMs, type Clock, SECOND_MS } from '../time.ts';
import { pauseMs, type Verdict, verdictOf } from './answers.ts';
import type { BrazeClient, BrazePath } from './client.ts';
import type { Pace } from './pace.ts';
import { textsSent, withoutTexts } from './redact.ts';

export type Delivery = {
  /** Reason by position, for the objects that Braze refuses; it accepted all others. */
  readonly refused: ReadonlyMap<number, string>;
  /** Positions of objects that an earlier request of this delivery named without an answer that told what became of them. */
  readonly doubtful: ReadonlySet<number>;
};

/** Counts what was done, also when the delivery ends in an error. `applied`: Braze may have done something. */
export type Tally = { requests: number; throttled: number; applied: boolean };

/** Returns a tally of nothing. */
export const newTally = (): Tally => ({ requests: 0, throttled: 0, applied: false });

export type DeliverDeps = {
  readonly client: BrazeClient;
  readonly clock: Clock;
  readonly pace: Pace;
  /** Milliseconds that the delivery may still take. */
  readonly remainingMs: () => number;
  /** Reads the API key anew; returns whether it is another one. */
  readonly renewKey: () => Promise<boolean>;
};

/** The delivery has to be tried again later, as a whole. */
export class NotDelivered extends Error {
  readonly afterMs: number | undefined;
  /** Braze is up and asks for patience: not a failed try. */
  readonly rateLimited: boolean;

  constructor(because: string, afterMs: number | undefined, rateLimited: boolean) {
    super(because);
    this.name = 'NotDelivered';
    this.afterMs = afterMs;
    this.rateLimited = rateLimited;
  }
}

/** Tries within one delivery; the queue adds its own. */
const TRIES = 4;
const FIRST_BACKOFF_MS = 0.5 * SECOND_MS;
const MAX_BACKOFF_MS = 8 * SECOND_MS;
const FIRST_LIMIT_BACKOFF_MS = SECOND_MS;
const MAX_LIMIT_BACKOFF_MS = 60 * SECOND_MS;

export type Shipment<T> = {
  readonly path: BrazePath;
  /** The array of the body that holds the objects, by whose index Braze names them. */
  readonly input: string;
  readonly objects: readonly T[];
  readonly body: (objects: readonly T[]) => string;
};

type Part = { readonly positions: readonly number[]; readonly halvedForLength: boolean };

/**
 * Delivers the objects. Returns once it is known of each whether Braze took it.
 * @throws NotDelivered when that takes longer than there is time, FatalError when a person has to act.
 */
export async function deliver<T>(deps: DeliverDeps, shipment: Shipment<T>, tally: Tally): Promise<Delivery> {
  const refused = new Map<number, string>();
  const doubtful = new Set<number>();
  const doubt = (positions: readonly number[]): void => {
    tally.applied = true;
    for (const position of positions) doubtful.add(position);
  };
  const parts: Part[] = [{ positions: shipment.objects.map((_, position) => position), halvedForLength: false }];
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part.positions.length === 0) continue;
    const verdict = await ask(deps, shipment, part.positions, tally, () => doubt(part.positions));
    if (verdict.kind === 'split') {
      if (verdict.applied === 'maybe') doubt(part.positions);
      parts.unshift(...split(part, verdict, refused));
      continue;
    }
    for (const [index, reason] of verdict.refused) refused.set(part.positions[index] ?? -1, reason);
    if (verdict.kind === 'resend') {
      // Nothing is known of the others: Braze may have taken them already.
      const others = part.positions.filter((_, index) => !verdict.refused.has(index));
      doubt(others);
      parts.unshift({ ...part, positions: others });
    } else if (verdict.refused.size < part.positions.length) tally.applied = true;
  }
  return { refused, doubtful };
}

function split(part: Part, verdict: Extract<Verdict, { kind: 'split' }>, refused: Map<number, string>): Part[] {
  const { positions, halvedForLength } = part;
  if (verdict.tooMany && halvedForLength) {
    throw new FatalError(verdict.reason, "Lower the app's maxUsersPerRequest to what the contract allows.");
  }
  if (positions.length === 1) {
    refused.set(positions[0] ?? -1, verdict.reason);
    return [];
  }
  const middle = Math.ceil(positions.length / 2);
  return [positions.slice(0, middle), positions.slice(middle)].map((half) => ({
    positions: half,
    halvedForLength: verdict.tooMany,
  }));
}

type Answered = Exclude<Verdict, { kind: 'retryable' | 'fatal' }>;

/** Sends one request until Braze has answered it for good. */
async function ask<T>(
  deps: DeliverDeps,
  { path, input, objects, body }: Shipment<T>,
  positions: readonly number[],
  tally: Tally,
  onDoubt: () => void,
): Promise<Answered> {
  const chosen = positions.map((position) => objects[position]).filter((object) => object !== undefined);
  const text = body(chosen);
  const read = (answer: Answer): Verdict => verdictOf(answer, positions.length, input, deps.clock.now());
  return request(deps, path, text, tally, read, onDoubt);
}

type Answer = Awaited<ReturnType<BrazeClient['post']>>;

/**
 * Sends a request, and again while its verdict is retryable and there is time.
 * @throws NotDelivered when there is none left, FatalError for a fatal verdict.
 */
export async function request<V extends { readonly kind: string }>(
  deps: DeliverDeps,
  path: BrazePath,
  body: string,
  tally: Tally,
  read: (answer: Answer) => V,
  /** Called when Braze may have applied a request whose answer did not tell. */
  onDoubt: () => void = () => undefined,
): Promise<Exclude<V, { kind: 'retryable' | 'fatal' }>> {
  let tries = 0;
  let limits = 0;
  for (;;) {
    await waitForTurn(deps);
    deps.pace.take();
    tally.requests++;
    const answer = await deps.client.post(path, body);
    if ('headers' in answer) deps.pace.pause(pauseMs(answer.headers, deps.clock.now()));
    const verdict: V | Verdict = read(answer);
    if (isFatal(verdict)) {
      // As often as it is another one: a key may be rotated again before the renewed one arrives.
      if (verdict.status === 401 && (await deps.renewKey())) continue;
      // Whatever Braze says here is kept with the run: it must not quote what was sent.
      throw new FatalError(withoutTexts(verdict.found, textsSent(body)), verdict.next);
    }
    if (!isRetryable(verdict)) return verdict as Exclude<V, { kind: 'retryable' | 'fatal' }>;
    if (verdict.applied === 'maybe') {
      tally.applied = true;
      onDoubt();
    }
    const rateLimited = 'status' in answer && answer.status === 429;
    if (rateLimited) {
      tally.throttled++;
      limits++;
    } else tries++;
    const waitMs = verdict.afterMs ?? retryMs(deps.clock, rateLimited, rateLimited ? limits : tries);
    if ((!rateLimited && tries >= TRIES) || waitMs > deps.remainingMs()) {
      throw new NotDelivered(verdict.because, verdict.afterMs ?? (rateLimited ? waitMs : undefined), rateLimited);
    }
    deps.pace.pause(waitMs);
  }
}

const retryMs = (clock: Clock, rateLimited: boolean, attempt: number): number =>
  rateLimited
    ? backoffMs(clock, attempt, FIRST_LIMIT_BACKOFF_MS, MAX_LIMIT_BACKOFF_MS)
    : backoffMs(clock, attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);

/** Waits for the writer's turn. @throws NotDelivered when it comes later than there is time. */
async function waitForTurn({ pace, clock, remainingMs }: DeliverDeps): Promise<void> {
  const waitMs = pace.waitMs();
  if (waitMs > remainingMs()) throw new NotDelivered('the rate limit leaves no turn in time', waitMs, true);
  if (waitMs > 0) await clock.sleep(waitMs);
}

const isFatal = (verdict: { readonly kind: string }): verdict is Extract<Verdict, { kind: 'fatal' }> =>
  verdict.kind === 'fatal';
const isRetryable = (verdict: { readonly kind: string }): verdict is Extract<Verdict, { kind: 'retryable' }> =>
  verdict.kind === 'retryable';
