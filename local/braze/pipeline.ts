/**
 * The way of a request through the emulator: arrival, findings about its time, a scripted fault, then Braze's own
 * checks from the outside in (path, key, rate, content type, size, JSON) and the endpoint.
 *
 * The endpoint's part is one synchronous step, so requests are processed in some order but never mixed. Whatever goes
 * wrong in the emulator itself is answered 500 and recorded as a violation of rule 0.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Applying } from './applying.ts';
import { authorize, type Keys, presentedKey } from './authorization.ts';
import { deleteUsers } from './delete.ts';
import type { Endpoint, World } from './endpoint.ts';
import { exportByIds, isRaisedExport } from './export.ts';
import type { Fault, Faults } from './faults.ts';
import {
  isJsonType,
  jsonReply,
  type ParsedBody,
  parseBody,
  type ReadBody,
  type Reply,
  readBody,
  send,
} from './http.ts';
import type { InFlight, Ticket } from './in-flight.ts';
import { isObject, type Json } from './json.ts';
import { type Log, type LoggedRequest, REDACTED, redact } from './log.ts';
import type { Profiles } from './profiles.ts';
import { brokenWait, type RateLimits, refusalHeaders, type Wait } from './rate-limits.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { setSubscriptionStatus } from './subscription-status.ts';
import { track, trackBulk, trackSync } from './track.ts';

const ENDPOINTS: readonly Endpoint[] = [track, trackBulk, trackSync, deleteUsers, setSubscriptionStatus, exportByIds];

export type PipelineDeps = Keys & {
  readonly now: () => number;
  readonly settings: BrazeEmulatorSettings;
  readonly profiles: Profiles;
  readonly applying: Applying;
  readonly inFlight: InFlight;
  readonly rateLimits: RateLimits;
  readonly faults: Faults;
  readonly log: Log;
  /** Aborted when the emulator closes: nothing is held back any longer. */
  readonly closing: AbortSignal;
};

/** A request that has arrived in full. */
type Call = {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingMessage['headers'];
  readonly endpoint: Endpoint | undefined;
  readonly read: ReadBody;
  readonly parsed: ParsedBody;
  readonly users: readonly string[];
};

/** Returns the listener of the emulator's server. */
export function createPipeline(deps: PipelineDeps): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const atMs = deps.now();
    const ticket = deps.inFlight.begin();
    const { path } = targetOf(request);
    const waits = deps.rateLimits.openWaits(path);
    response.once('close', () => deps.inFlight.end(ticket));
    handle(deps, request, response, { atMs, ticket, waits })
      .catch((error: unknown) => {
        const message = `the emulator failed: ${error instanceof Error ? error.message : String(error)}`;
        deps.log.violate({ rule: 0, message, at: deps.now() });
        send(response, jsonReply(500, { message }));
      })
      .finally(() => deps.inFlight.end(ticket));
  };
}

type Arrival = { readonly atMs: number; readonly ticket: Ticket; readonly waits: readonly Wait[] };

async function handle(
  deps: PipelineDeps,
  request: IncomingMessage,
  response: ServerResponse,
  arrival: Arrival,
): Promise<void> {
  const { settings, inFlight } = deps;
  const read = await readBody(request, Math.max(settings.maxBodyBytes, settings.maxBulkBodyBytes));
  // One turn of the event loop, in which requests that were sent together are seen to overlap.
  await setImmediate();
  if (settings.latencyMs > 0) await setTimeout(settings.latencyMs, undefined, { signal: deps.closing }).catch(() => {});
  if (!read || deps.closing.aborted) return;

  const call = callOf(deps, request, read, arrival.atMs);
  const entry = logCall(deps, call);
  deps.applying.settle();
  findEarly(deps, call, arrival);

  const fault = deps.faults.take(call.path, call.parsed.kind === 'invalid' ? undefined : call.parsed.body);
  const reply = fault ? await strike(deps, call, fault) : answer(deps, call);
  if (reply === 'cut') {
    request.socket.destroy();
    return;
  }
  entry.status = reply.status;
  inFlight.end(arrival.ticket);
  send(response, reply);
}

function callOf({ settings }: PipelineDeps, request: IncomingMessage, read: ReadBody, atMs: number): Call {
  const { method, path, query } = targetOf(request);
  const endpoint = method === 'POST' ? ENDPOINTS.find((candidate) => candidate.path === path) : undefined;
  const isGzip = settings.acceptGzip && request.headers['content-encoding'] === 'gzip';
  const parsed = parseBody(read, isGzip, settings.maxBodyBytes);
  const users = endpoint && parsed.kind === 'object' ? endpoint.users(parsed.body, settings) : [];
  return { atMs, method, path, query, headers: request.headers, endpoint, read, parsed, users };
}

function targetOf(request: IncomingMessage): { method: string; path: string; query: string } {
  const [path = '', ...query] = (request.url ?? '').split('?');
  return { method: request.method ?? '', path, query: query.join('?') };
}

function logCall({ log, settings }: PipelineDeps, call: Call): LoggedRequest {
  const key = presentedKey(call.headers.authorization);
  const { parsed } = call;
  return log.add(
    {
      at: call.atMs,
      method: call.method,
      path: key ? call.path.replaceAll(key, REDACTED) : call.path,
      ...(parsed.kind === 'invalid' ? {} : { body: redact(parsed.body, key) }),
      bodyBytes: call.read.bodyBytes,
      objects: parsed.kind === 'object' ? (call.endpoint?.countObjects(parsed.body) ?? 0) : 0,
    },
    settings.maxLoggedRequests,
  );
}

/** Findings about when the request came: into another's time, or before an announced wait was over. */
function findEarly({ settings, inFlight, applying, log }: PipelineDeps, call: Call, arrival: Arrival): void {
  const users = call.endpoint?.changesUsers ? call.users : [];
  const overlapping = inFlight.name(arrival.ticket, users);
  if (!settings.strict) return;
  const isFresh = (user: string): boolean => {
    const sinceMs = applying.waitingSince(user);
    return sinceMs !== undefined && call.atMs - sinceMs < settings.applyDelayMs;
  };
  for (const user of new Set([...overlapping, ...users.filter(isFresh)])) {
    log.violate({ rule: 52, message: `${user} has another request in flight`, at: call.atMs });
  }
  const wait = brokenWait(arrival.waits, call.users, settings);
  if (wait) {
    const message = `${call.path} is called ${wait.untilMs - call.atMs} ms before the announced wait is over`;
    log.violate({ rule: 55, message, at: call.atMs });
  }
}

/** Returns Braze's answer to a request, which takes effect by it. */
function answer(deps: PipelineDeps, call: Call): Reply {
  const { rateLimits } = deps;
  const { endpoint, parsed } = call;
  const refusal = refuseCaller(deps, call);
  if (refusal) return withHeaders(refusal, rateLimits.peek(call.path));
  const isRaised = endpoint === exportByIds && parsed.kind === 'object' && isRaisedExport(parsed.body);
  const { isAdmitted, headers } = rateLimits.admit(call.path, call.users, isRaised);
  if (!isAdmitted) return jsonReply(429, { message: 'Rate limit exceeded' }, headers);
  return withHeaders(answerAdmitted(deps, call), headers);
}

const withHeaders = (reply: Reply, headers: Reply['headers']): Reply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});

/** Address and key. */
function refuseCaller(deps: PipelineDeps, { endpoint, headers, query }: Call): Reply | undefined {
  const { settings } = deps;
  if (settings.blockedAddressStatus !== undefined) {
    return jsonReply(settings.blockedAddressStatus, { message: 'Forbidden' });
  }
  if (!endpoint) return undefined;
  const { status, message } = authorize(headers.authorization, endpoint.permission, deps, settings);
  if (status !== 200) return jsonReply(status, { message });
  return settings.strict && /(^|&)api_key=/.test(query) ? strictRefusal(deps, 2, 'api_key in the query') : undefined;
}

/** Path, content type, size and JSON; then the endpoint. */
function answerAdmitted(deps: PipelineDeps, { endpoint, headers, read, parsed, atMs }: Call): Reply {
  const { settings } = deps;
  if (!endpoint) return jsonReply(404, { message: 'Not Found' });
  if (!isJsonType(headers['content-type'])) {
    return jsonReply(415, { message: 'Content-Type must be application/json' });
  }
  const limit = endpoint.maxBodyBytes(settings);
  if (read.bodyBytes > limit.bytes) return jsonReply(limit.status, { message: 'Request body is too large' });
  if (parsed.kind === 'invalid') return jsonReply(400, { error: `Invalid JSON: ${parsed.error}` });
  if (parsed.kind === 'other') return jsonReply(400, { error: 'The body must be a JSON object' });
  const { status, body } = endpoint.answer(parsed.body, worldAt(deps, atMs));
  return jsonReply(status, body);
}

const worldAt = ({ settings, profiles, applying, log, now }: PipelineDeps, receivedAtMs: number): World => ({
  settings,
  profiles,
  violate: (rule, message) => log.violate({ rule, message, at: now() }),
  accept: (effects, delayMs) => {
    const pending = effects.map((effect) => ({ ...effect, receivedAtMs, dueAtMs: receivedAtMs + delayMs }));
    applying.add(pending, settings.reorderOverlapping);
  },
});

function strictRefusal({ log, now }: PipelineDeps, rule: number, message: string): Reply {
  log.violate({ rule, message, at: now() });
  return jsonReply(400, { message: `STRICT: ${message}` });
}

/** Returns what a fault makes of a request, which takes effect unless the fault keeps it from Braze. */
async function strike(deps: PipelineDeps, call: Call, fault: Fault): Promise<Reply | 'cut'> {
  switch (fault.kind) {
    case 'cut_before':
      return 'cut';
    case 'cut_after':
      answer(deps, call);
      return 'cut';
    case 'slow': {
      const reply = answer(deps, call);
      await hold(fault, deps.closing);
      return reply;
    }
    case 'unknown_message': {
      const reply = answer(deps, call);
      const body: Json = JSON.parse(reply.body);
      if (reply.status > 299 || !isObject(body)) return reply;
      const message = fault.message ?? 'queued';
      return { ...reply, status: fault.status ?? 202, body: JSON.stringify({ ...body, message }) };
    }
    case 'status':
      if (fault.applied) answer(deps, call);
      return jsonReply(fault.status, fault.body ?? { message: 'Fault of the script' }, fault.headers);
    case 'html':
      if (fault.applied) answer(deps, call);
      return {
        status: fault.status ?? 502,
        headers: { 'Content-Type': 'text/html' },
        body: '<html><body><h1>Bad Gateway</h1></body></html>',
      };
    case 'empty':
      if (fault.applied) answer(deps, call);
      return { status: fault.status ?? 500, headers: {}, body: '' };
    case 'rate_limited':
      return putOff(deps, call, fault);
  }
}

function putOff(
  { now, settings, rateLimits }: PipelineDeps,
  call: Call,
  fault: Extract<Fault, { kind: 'rate_limited' }>,
): Reply {
  const dialect = fault.dialect ?? settings.rateLimitDialect;
  const untilMs = fault.reset === undefined ? now() + (fault.retryAfterSeconds ?? 1) * 1000 : fault.reset * 1000;
  if (dialect === 'mau' || settings.headersOn429) rateLimits.announce(call.path, untilMs, call.users);
  const headers = refusalHeaders(dialect, rateLimits.limitOf(call.path), untilMs, now(), settings);
  return jsonReply(429, { message: 'Rate limit exceeded' }, headers);
}

async function hold(
  { delayMs, until }: { delayMs?: number; until?: Promise<unknown> },
  closing: AbortSignal,
): Promise<void> {
  if (delayMs !== undefined) await setTimeout(delayMs, undefined, { signal: closing }).catch(() => {});
  if (until === undefined || closing.aborted) return;
  const closed = new Promise<void>((resolve) => closing.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([until, closed]).catch(() => {});
}
