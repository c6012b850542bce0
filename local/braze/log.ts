/**
 * What the emulator has seen: its requests, and its findings.
 *
 * Invariant: no key is ever in it. A presented key is replaced wherever a request repeats it; the Authorization header
 * and the query are not kept at all.
 */
import { copy, isArray, isObject, type Json } from './json.ts';

export type LoggedRequest = {
  /** Arrival, epoch ms. */
  at: number;
  method: string;
  path: string;
  /** Absent while it is not answered, and when the connection was cut. */
  status?: number;
  /** The parsed body; absent when it was no JSON. */
  body?: Json;
  bodyBytes: number;
  /** Objects or ids in it. */
  objects: number;
};

/** A finding of strict mode; `rule` is its number in `RULES`, 0 a failure of the emulator. */
export type Violation = { rule: number; message: string; at: number };

export const REDACTED = '[key]';
const MAX_VIOLATIONS = 10_000;

export type Log = {
  /** Logs an arrived request and returns its entry, whose status is set once it is answered. */
  add(entry: LoggedRequest, maxLogged: number): LoggedRequest;
  violate(violation: Violation): void;
  requests(): LoggedRequest[];
  violations(): Violation[];
  clear(): void;
};

export function createLog(): Log {
  let requests: LoggedRequest[] = [];
  let violations: Violation[] = [];
  return {
    add: (entry, maxLogged) => {
      requests.push(entry);
      if (requests.length > maxLogged) requests.splice(0, requests.length - maxLogged);
      return entry;
    },
    violate: (violation) => {
      if (violations.length < MAX_VIOLATIONS) violations.push(violation);
    },
    requests: () =>
      requests.map((entry) => (entry.body === undefined ? { ...entry } : { ...entry, body: copy(entry.body) })),
    violations: () => violations.map((violation) => ({ ...violation })),
    clear: () => {
      requests = [];
      violations = [];
    },
  };
}

/** Returns the value with every occurrence of the key, and every `api_key`, replaced. */
export function redact(value: Json, key: string | undefined): Json {
  if (typeof value === 'string') return key ? value.replaceAll(key, REDACTED) : value;
  if (isArray(value)) return value.map((item) => redact(item, key));
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, member]): [string, Json] => [
    key ? name.replaceAll(key, REDACTED) : name,
    name === 'api_key' ? REDACTED : redact(member, key),
  ]);
  return Object.fromEntries(entries);
}
