/**
 * What an answer of Braze means for the objects of a request. Pure.
 *
 * Braze names refused objects by their index; all it does not name are accepted. Whatever the body says beyond that is
 * shown to people but never decides anything. What cannot be understood is retried or split, never taken for a success.
 * Source: Braze, 'API errors and responses' and 'POST: Create and update users'.
 */
import * as z from 'zod';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../time.ts';

/** An HTTP answer; header names in lower case. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** No HTTP answer came: whether Braze can have seen the request. */
export type NoAnswer = { readonly failure: 'not_sent' | 'unknown'; readonly because: string };

export type Verdict =
  /** All objects but those in `refused` (reason by index) are accepted. */
  | { readonly kind: 'received'; readonly refused: ReadonlyMap<number, string> }
  /** `refused` is definite; nothing is known of the others, which are sent again without them. */
  | { readonly kind: 'resend'; readonly refused: ReadonlyMap<number, string> }
  /** Refused as a whole, without naming the culprit: the halves are sent. `applied`: whether Braze may have done a part. */
  | {
      readonly kind: 'split';
      readonly reason: string;
      readonly tooMany: boolean;
      readonly applied: 'no' | 'maybe';
    }
  /** May succeed later. `applied` says whether Braze may already have done it. */
  | {
      readonly kind: 'retryable';
      readonly because: string;
      readonly afterMs?: number;
      readonly applied: 'no' | 'maybe';
    }
  /** Nothing can succeed until a person acts; Braze did nothing. */
  | { readonly kind: 'fatal'; readonly status: number; readonly found: string; readonly next: string };

/** An entry of a form that we do not know names no object; it is never taken for no error. */
const ErrorEntry = z
  .union([
    z.string(),
    z.object({ type: z.unknown().optional(), input_array: z.string().optional(), index: z.int().min(0).optional() }),
  ])
  .catch('an error of an unknown form');
const Body = z.object({
  message: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
  errors: z
    .union([z.array(ErrorEntry), z.string(), z.null()])
    .optional()
    .catch('errors of an unknown form'),
});
type Body = z.infer<typeof Body>;

/** The words with which Braze says that it took a request; the second is told of with status 202. */
const TAKEN = new Set(['success', 'queued']);

const MAX_REASON_CHARACTERS = 200;

/** Returns what an answer, or the lack of one, means for a request of `objects` objects in the array `input`. */
export function verdictOf(answer: HttpAnswer | NoAnswer, objects: number, input: string, nowMs: number): Verdict {
  if ('failure' in answer) {
    return { kind: 'retryable', because: answer.because, applied: answer.failure === 'unknown' ? 'maybe' : 'no' };
  }
  const { status } = answer;
  const body = parseBody(answer.body);
  if (status >= 200 && status < 300) return received(status, body, objects, input);
  if (status === 400) return badRequest(body, objects, input);
  if (status === 413) return { kind: 'split', reason: 'the request is too large (413)', tooMany: false, applied: 'no' };
  if (status === 429) {
    const afterMs = waitMs(answer.headers, nowMs);
    return {
      kind: 'retryable',
      because: 'rate limit (429)',
      applied: 'no',
      ...(afterMs === undefined ? {} : { afterMs }),
    };
  }
  if (status === 408 || status >= 500) {
    const afterMs = retryAfterMs(answer.headers, nowMs);
    return {
      kind: 'retryable',
      because: `status ${status}`,
      applied: 'maybe',
      ...(afterMs === undefined ? {} : { afterMs }),
    };
  }
  return fatal(status, body);
}

function parseBody(text: string): Body | undefined {
  try {
    return Body.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function received(status: number, body: Body | undefined, objects: number, input: string): Verdict {
  if (body === undefined || !TAKEN.has(body.message ?? '')) {
    const said = body === undefined ? 'a body that is no JSON object' : 'an unknown message';
    return { kind: 'retryable', because: `status ${status} with ${said}`, applied: 'maybe' };
  }
  const placed = place(body, objects, input);
  if (placed.unplaced === undefined) return { kind: 'received', refused: placed.refused };
  return objects === 1
    ? { kind: 'received', refused: new Map([[0, placed.unplaced]]) }
    : { kind: 'split', reason: placed.unplaced, tooMany: false, applied: 'maybe' };
}

function badRequest(body: Body | undefined, objects: number, input: string): Verdict {
  const said = body?.message ?? body?.error ?? 'no message';
  const placed = body ? place(body, objects, input) : { refused: new Map<number, string>(), unplaced: undefined };
  if (placed.refused.size === objects) return { kind: 'received', refused: placed.refused };
  if (placed.refused.size > 0) return { kind: 'resend', refused: placed.refused };
  const reason = shorten(placed.unplaced ?? said);
  return {
    kind: 'split',
    reason: `Braze refused the request (400): ${reason}`,
    tooMany: /max(imum)? input length/i.test(said),
    applied: placed.unplaced === undefined ? 'no' : 'maybe',
  };
}

/** Refused objects by index, and a reason that names no object of the request, if there is one. */
function place(
  body: Body,
  objects: number,
  input: string,
): { refused: Map<number, string>; unplaced: string | undefined } {
  const refused = new Map<number, string>();
  let unplaced: string | undefined;
  const errors = typeof body.errors === 'string' ? [body.errors] : (body.errors ?? []);
  for (const entry of errors) {
    const reason = shorten(typeof entry === 'string' ? entry : reasonIn(entry.type));
    const fits = typeof entry !== 'string' && (entry.input_array ?? input) === input;
    const index = fits ? entry.index : undefined;
    if (index !== undefined && index < objects) refused.set(index, refused.get(index) ?? reason);
    else unplaced ??= reason;
  }
  return { refused, unplaced };
}

function reasonIn(type: unknown): string {
  if (type === undefined || type === null) return 'no reason given';
  return typeof type === 'string' ? type : JSON.stringify(type);
}

const shorten = (text: string): string =>
  (text.length > MAX_REASON_CHARACTERS ? `${text.slice(0, MAX_REASON_CHARACTERS)}…` : text).toWellFormed();

function fatal(status: number, body: Body | undefined): Verdict {
  const said = shorten(body?.message ?? body?.error ?? 'no message');
  const next: Readonly<Record<number, string>> = {
    401: "Check the key in the app's apiKeySecret, and that the endpoint is the workspace's own (a right key on another host gives 401 too).",
    403: 'Give the key the permissions users.track, users.delete and, for enrich, users.export.ids (a new key is needed), and check that the account is active.',
    404: "Check the app's endpoint: it is the REST endpoint of the dashboard, without a path.",
  };
  return {
    kind: 'fatal',
    status,
    found: `Braze answered ${status}: ${said}`,
    next: next[status] ?? 'Look the status up in Braze, API errors and responses.',
  };
}

/** Waits are never longer than this, whatever a header says. */
const MAX_WAIT_MS = HOUR_MS;
/** A reset below this is seconds left, above it seconds since the epoch. */
const EPOCH_SECONDS = 1_000_000_000;

/**
 * Returns how long a 429 asks to wait, in milliseconds, or undefined when it does not say. Dialects: seconds in
 * X-Ratelimit-Retry-After (monthly-active-user plans), Retry-After, and X-RateLimit-Reset as a time or as seconds left.
 * Source: Braze, 'Rate limits'.
 */
export function waitMs(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  return seconds(headers['x-ratelimit-retry-after']) ?? retryAfterMs(headers, nowMs) ?? resetMs(headers, nowMs);
}

function retryAfterMs(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const asSeconds = seconds(value);
  if (asSeconds !== undefined || /^[\d.\s+-]*$/.test(value)) return asSeconds;
  return capped(Date.parse(value) - nowMs);
}

/** Returns how long to wait until a window resets, or undefined. */
function resetMs(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const value = headers['x-ratelimit-reset'];
  if (value === undefined || !/^\d+(\.\d+)?$/.test(value.trim())) return undefined;
  const reset = Number(value);
  return reset < EPOCH_SECONDS ? capped(reset * SECOND_MS) : capped(reset * SECOND_MS - nowMs);
}

/** Returns how long to wait before the next request when an answer says that none is left in this window, else 0. */
export function pauseMs(headers: Readonly<Record<string, string>>, nowMs: number): number {
  return headers['x-ratelimit-remaining']?.trim() === '0' ? (resetMs(headers, nowMs) ?? 0) : 0;
}

const seconds = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text.trim()) ? capped(Number(text) * SECOND_MS) : undefined;

/** A wait in the past or beyond a day says nothing; one beyond an hour is cut to it. */
const capped = (ms: number): number | undefined =>
  Number.isFinite(ms) && ms >= 0 && ms <= DAY_MS ? Math.min(ms, MAX_WAIT_MS) : undefined;
