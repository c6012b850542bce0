/**
 * A Braze workspace in memory: profiles, refusals by index, asynchronous processing without order, and every way in which
 * an answer can fail to come or to be understood. Source: Braze, 'POST: Create and update users', 'POST: Delete users', 'POST: Export
 * user profile by identifier', 'API errors and responses', 'Rate limits'.
 */
import type { FaultKind, Faults } from './faults.ts';
import type { ExecutionEnvironment, Invocation, Lambda } from './lambda.ts';
import { label } from './lambda.ts';
import { randomOf } from './random.ts';
import { BRAZE } from './streams.ts';
import type { Timeline } from './timeline.ts';

export type Value = unknown;
export type Profile = {
  readonly attributes: Map<string, Value>;
  readonly groups: Map<string, { state: string; readonly by: 'us' | 'user' }>;
  /** Something that we sent was applied to it. */
  ours: boolean;
};

/** What a request says of one user: `a:` attributes and `g:` subscription groups by name; a deletion says nothing else. */
export type Change = {
  readonly user: string;
  readonly values: ReadonlyMap<string, Value>;
  readonly deletes: boolean;
  readonly existingOnly: boolean;
  /** All of it, to be compared. */
  readonly text: string;
};

export type BrazeRequest = {
  readonly id: number;
  readonly at: number;
  readonly path: string;
  readonly invocation: Invocation;
  readonly changes: readonly Change[];
  /** Users that are looked up. */
  readonly asks: readonly string[];
  /** Braze may still process it. */
  pending: boolean;
};

/** What the client can know of a request once it is over: by user, and whether it can have had an effect at all. */
export type Answer =
  | {
      readonly kind: 'received';
      readonly refused: ReadonlySet<string>;
      /** Users of whom the answer does not tell. */
      readonly unknown?: ReadonlySet<string>;
    }
  | { readonly kind: 'not_applied' }
  /** Refused as a whole without naming anybody. */
  | { readonly kind: 'refused_whole' }
  | { readonly kind: 'unknown' };

export type BrazeWatcher = {
  readonly sent: (request: BrazeRequest) => void;
  readonly answered: (request: BrazeRequest, answer: Answer) => void;
  readonly violation: (invariant: string, text: string) => void;
  readonly trace: (text: () => string) => void;
};

export type Braze = {
  readonly request: (environment: ExecutionEnvironment, options: unknown) => Promise<unknown>;
  readonly profiles: Map<string, Profile>;
  /** Keys that are valid from now on. */
  readonly setKeys: (keys: readonly string[]) => void;
  /** Until a time, no change gets a good answer, whether or not it is applied. */
  readonly setOutage: (outage: Outage) => void;
  /** Whether values that begin with `refused` are refused. */
  readonly setRefusing: (refusing: boolean) => void;
  readonly requests: () => readonly BrazeRequest[];
  /** Requests that Braze may still process. */
  readonly pending: () => number;
};

/** How requests fail while Braze is out; from some time on in another way. */
export type Outage = {
  readonly untilMs: number;
  readonly first: OutageKind;
  readonly turnsAtMs: number;
  readonly later: OutageKind;
};

export const OUTAGES = {
  'takes all and says nothing of it': ['braze answers 5xx, applied', 'connection lost, applied'],
  'takes all and answers 5xx': ['braze answers 5xx, applied'],
  'takes all and loses its connections': ['connection lost, applied'],
  'does nothing': ['braze answers 5xx, not applied'],
  'is not reached': ['connection refused'],
  'knows the account no more': ['braze answers 403'],
} as const satisfies Readonly<Record<string, readonly FaultKind[]>>;
export type OutageKind = keyof typeof OUTAGES;

export type BrazeOptions = {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly lambda: Lambda;
  readonly watcher: BrazeWatcher;
  /** Longest time between an answer and its effect. */
  readonly settleMs: number;
  /** A request is answered within this time. */
  readonly answerMs?: number;
};

const NEVER_REFUSED_ID = /^(?!refused)/;
const MAX_BODY_BYTES = 4_000_000;
const ANSWER_TIMEOUT_MS = 30_000;

type Reply = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };
type Handled = { readonly reply: Reply; readonly answer: Answer; readonly effects: readonly Change[] };

const json = (status: number, body: unknown, headers: Reply['headers'] = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** Returns a workspace without users. */
export function braze({ seed, timeline, faults, lambda, watcher, settleMs, answerMs = 300 }: BrazeOptions): Braze {
  const random = randomOf(seed, BRAZE);
  const profiles = new Map<string, Profile>();
  const requests: BrazeRequest[] = [];
  const pending = new Map<string, Set<BrazeRequest>>();
  let keys: readonly string[] = [];
  /** Some workspaces answer 400 to a request of which they refuse some objects only, and say nothing of the others. */
  const namesSome = random.chance(0.4);
  let refusing = true;
  let outage: Outage = { untilMs: 0, first: 'does nothing', turnsAtMs: 0, later: 'does nothing' };

  const apply = (change: Change): void => {
    const profile = profiles.get(change.user);
    if (change.deletes) {
      profiles.delete(change.user);
      return;
    }
    if (!profile && change.existingOnly) return;
    const known: Profile = profile ?? { attributes: new Map(), groups: new Map(), ours: true };
    known.ours = true;
    for (const [name, value] of change.values) {
      const bare = name.slice(2);
      if (name.startsWith('g:')) known.groups.set(bare, { state: String(value), by: 'us' });
      else if (value === null) known.attributes.delete(bare);
      else known.attributes.set(bare, value);
    }
    profiles.set(change.user, known);
  };

  const over = (request: BrazeRequest): void => {
    request.pending = false;
    for (const { user } of request.changes) pending.get(user)?.delete(request);
  };

  const refusal = (change: Change): string | undefined => {
    if (!NEVER_REFUSED_ID.test(change.user)) return 'BLACKLISTED_EXTERNAL_USER_ID';
    if (!refusing) return undefined;
    const bad = [...change.values].find(([, value]) => typeof value === 'string' && value.startsWith('refused'));
    return bad && `the value of '${bad[0]}' is refused: ${String(bad[1])}`;
  };

  const handle = (request: BrazeRequest, key: string | undefined, fault: FaultKind | undefined): Handled => {
    const nothing = (reply: Reply): Handled => ({ reply, answer: { kind: 'not_applied' }, effects: [] });
    if (key === undefined || !keys.includes(key)) return nothing(json(401, { message: `Invalid API key: ${key}` }));
    if (request.path === '/users/export/ids') {
      const users = request.asks.filter((user) => profiles.has(user)).map((external_id) => ({ external_id }));
      return nothing(
        json(201, { message: 'success', users, invalid_user_ids: request.asks.filter((user) => !profiles.has(user)) }),
      );
    }
    if (request.path === '/users/delete')
      return {
        reply: json(201, { message: 'success', deleted: request.changes.length }),
        answer: { kind: 'received', refused: new Set() },
        effects: request.changes,
      };
    if (isVague(fault)) {
      const errors =
        fault === 'errors are texts' ? ['something is wrong'] : [{ type: 'BAD', input_array: 'attributes' }];
      // A request that is not understood as a whole: the halves will tell. Alone, the object counts as refused.
      const accepted = request.changes.filter((change) => refusal(change) === undefined);
      if (request.changes.length > 1)
        return {
          reply: json(201, { message: 'success', errors }),
          answer: { kind: 'unknown' },
          effects: random.chance(0.7) ? accepted : [],
        };
      return { reply: json(201, { message: 'success', errors }), answer: { kind: 'refused_whole' }, effects: [] };
    }
    const errors = request.changes.flatMap((change, index) => {
      const type = refusal(change);
      return type === undefined ? [] : [{ type, input_array: 'attributes', index }];
    });
    const refused = new Set(errors.map(({ index }) => request.changes[index]?.user ?? ''));
    const effects = request.changes.filter(({ user }) => !refused.has(user));
    if (errors.length > 0 && effects.length > 0 && namesSome)
      return {
        reply: json(400, { message: 'Some are refused', errors }),
        answer: { kind: 'received', refused, unknown: new Set(effects.map(({ user }) => user)) },
        effects: random.chance(0.5) ? effects : [],
      };
    if (effects.length === 0)
      return {
        reply: json(400, {
          message: "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.",
          errors,
        }),
        answer: { kind: 'received', refused },
        effects,
      };
    return {
      reply: json(201, {
        message: 'success',
        attributes_processed: effects.length,
        ...(errors.length > 0 ? { errors } : {}),
      }),
      answer: { kind: 'received', refused },
      effects,
    };
  };

  const tooMany = (): Reply => {
    const seconds = random.pick([1, 1, 2, 5, 20, 100, 2_000]);
    const resetAt = Math.ceil(timeline.now() / 1000) + seconds;
    return random.pick([
      json(429, { message: 'limit' }, { 'X-Ratelimit-Retry-After': String(seconds) }),
      json(429, { message: 'limit' }, { 'retry-after': String(seconds) }),
      json(429, { message: 'limit' }, { 'retry-after': new Date(resetAt * 1000).toUTCString() }),
      json(429, { message: 'limit' }, { 'x-ratelimit-reset': String(resetAt), 'x-ratelimit-remaining': '0' }),
      json(429, { message: 'limit' }, { 'X-RateLimit-Reset': String(seconds), 'X-RateLimit-Remaining': '0' }),
      json(429, { message: 'limit' }),
      { status: 429, headers: {}, body: '' },
    ]);
  };

  /** What a fault makes of a request: its reply (undefined: none comes), and whether it has an effect. */
  const strike = (
    fault: FaultKind | undefined,
    handled: Handled,
  ): {
    reply: Reply | undefined;
    code?: string;
    applied: boolean;
    answer: Answer;
    afterMs?: number;
    breaks?: boolean;
  } => {
    const unknown: Answer = { kind: 'unknown' };
    const not: Answer = { kind: 'not_applied' };
    const serverError = (): Reply => {
      const status = random.pick([500, 502, 503, 504]);
      const headers: Record<string, string> = random.chance(0.3) ? { 'retry-after': '2' } : {};
      return random.chance(0.5)
        ? json(status, { message: 'oops' }, headers)
        : { status, headers: { 'content-type': 'text/html', ...headers }, body: '<html>Bad Gateway</html>' };
    };
    const plain = { reply: handled.reply, applied: true, answer: handled.answer };
    const taken = handled.reply.status < 300;
    switch (fault) {
      case 'braze answers 429':
        return { reply: tooMany(), applied: false, answer: not };
      case 'braze answers 5xx, not applied':
        return { reply: serverError(), applied: false, answer: unknown };
      case 'braze answers 5xx, applied':
        return { reply: serverError(), applied: true, answer: unknown };
      case 'braze answers 408':
        return { reply: json(408, {}), applied: random.chance(0.5), answer: unknown };
      case 'braze answers 403':
        return { reply: json(403, { message: 'Account is inactive' }), applied: false, answer: not };
      case 'connection refused':
        return { reply: undefined, code: 'ECONNREFUSED', applied: false, answer: not };
      case 'connection lost, not applied':
        return { reply: undefined, code: 'ECONNRESET', applied: false, answer: unknown };
      case 'connection lost, applied':
        return { reply: undefined, code: 'UND_ERR_SOCKET', applied: true, answer: unknown };
      case 'no answer in time, not applied':
        return {
          reply: undefined,
          code: 'UND_ERR_HEADERS_TIMEOUT',
          applied: false,
          answer: unknown,
          afterMs: ANSWER_TIMEOUT_MS,
        };
      case 'no answer in time, applied':
        return {
          reply: undefined,
          code: 'UND_ERR_HEADERS_TIMEOUT',
          applied: true,
          answer: unknown,
          afterMs: ANSWER_TIMEOUT_MS,
        };
      case 'body is cut':
        if (!taken) return plain;
        return {
          reply: { ...handled.reply, body: handled.reply.body.slice(0, -3) },
          applied: random.chance(0.6),
          answer: unknown,
        };
      case 'body is no json':
        if (!taken) return plain;
        return {
          reply: { ...handled.reply, body: random.pick(['', '<html></html>', 'null', '[]', '"success"']) },
          applied: random.chance(0.6),
          answer: unknown,
        };
      case 'message is unknown':
        if (!taken) return plain;
        return {
          reply: json(handled.reply.status, { message: 'partial' }),
          applied: random.chance(0.6),
          answer: unknown,
        };
      case 'message is queued':
        if (!taken) return plain;
        return {
          ...plain,
          reply: { ...handled.reply, status: 202, body: handled.reply.body.replace('"success"', '"queued"') },
        };
      case 'body breaks off':
        return { ...plain, breaks: true, answer: unknown };
      case 'no request is left':
        return {
          ...plain,
          reply: {
            ...handled.reply,
            headers: {
              ...handled.reply.headers,
              'X-RateLimit-Remaining': '0',
              'X-RateLimit-Reset': String(random.int(1, 8)),
            },
          },
        };
      case 'braze is slow':
        return { ...plain, afterMs: random.int(1_000, 29_000) };
      default:
        return plain;
    }
  };

  /** Whole refusals come before anything else; a request of one object is then refused for good. */
  const refuseWhole = (fault: FaultKind | undefined): Handled | undefined => {
    const refused = (reply: Reply): Handled => ({ reply, answer: { kind: 'refused_whole' }, effects: [] });
    if (fault === 'request too large (413)') return refused(json(413, { message: 'too large' }));
    if (fault === 'bad request without an index') return refused(json(400, { message: 'Bad request' }));
    if (fault === 'input too long') return refused(json(400, { message: 'Max Input Length Exceeded' }));
    return undefined;
  };

  const check = (request: BrazeRequest): void => {
    const users = request.changes.map(({ user }) => user);
    if (new Set(users).size < users.length)
      watcher.violation('one object a user', `${request.path} names a user twice`);
    for (const change of request.changes) {
      for (const other of pending.get(change.user) ?? []) {
        const before = other.changes.find(({ user }) => user === change.user);
        const [a, b] = [label(other.invocation), label(request.invocation)];
        if (before && before.text !== change.text && !isPartOf(change, before))
          watcher.violation(
            'one request in flight',
            `${change.user} is changed by ${b} while Braze may still process another request of ${a}`,
          );
        else if (other.invocation !== request.invocation && other.invocation.alive && !other.invocation.released)
          watcher.violation('one request in flight', `${a} and ${b} send ${change.user} at once`);
      }
    }
  };

  const send = (environment: ExecutionEnvironment, options: unknown): Promise<unknown> => {
    const invocation = environment.current;
    if (!invocation?.alive) return new Promise(() => undefined);
    const { path, body, headers } = optionsOf(options);
    const { changes, asks } = changesOf(path, body);
    const request: BrazeRequest = {
      id: requests.length + 1,
      at: timeline.now(),
      path,
      invocation,
      changes,
      asks,
      pending: true,
    };
    const say = (text: string): void => watcher.trace(() => `  ${label(invocation)} braze ${request.id} ${text}`);
    say(`${path} ${body}`);
    const drawn = faults.draw(changes.length > 0 ? 'change' : 'lookup');
    const isOut = changes.length > 0 && timeline.now() < outage.untilMs;
    const fault = isOut ? random.pick(OUTAGES[timeline.now() < outage.turnsAtMs ? outage.first : outage.later]) : drawn;
    const wholly = path === '/users/track' && fault === undefined ? faults.draw('whole') : undefined;
    const whole = refuseWhole(wholly);
    if (fault ?? wholly) say(`!! ${fault ?? wholly}`);
    if (fault === 'invocation dies before a call') {
      lambda.kill(invocation, fault);
      return new Promise(() => undefined);
    }
    requests.push(request);
    check(request);
    watcher.sent(request);
    for (const { user } of changes) {
      const others = pending.get(user);
      if (others) others.add(request);
      else pending.set(user, new Set([request]));
    }
    const bearer = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    const arrivesAfter = random.int(1, Math.ceil(answerMs / 3));
    return new Promise((resolve, reject) => {
      timeline.after(arrivesAfter, () => {
        const handled = whole ?? handle(request, bearer, fault);
        const struck = strike(fault, handled);
        const answersAfter = struck.afterMs ?? random.int(1, Math.ceil((2 * answerMs) / 3));
        const effects = struck.applied ? handled.effects : [];
        // The client may give up before Braze has processed what it took; it never takes longer than settleMs after that.
        const appliesAfter =
          Math.floor(answersAfter * random.next()) +
          (random.chance(0.6) ? random.int(0, 100) : random.int(0, settleMs));
        timeline.after(Math.min(appliesAfter, answersAfter + settleMs), () => {
          effects.forEach(apply);
          if (effects.length > 0) say(`is processed for ${effects.map(({ user }) => user).join(' ')}`);
          over(request);
        });
        if (fault === 'invocation dies after a call') {
          lambda.kill(invocation, fault);
          return;
        }
        timeline.after(answersAfter, () => {
          if (!invocation.alive) return;
          watcher.answered(request, struck.answer);
          const { reply } = struck;
          if (!reply) {
            say(`= ${struck.code}`);
            reject(Object.assign(new Error(`${struck.code} (injected)`), { code: struck.code }));
            return;
          }
          say(`= ${reply.status} ${reply.body} ${JSON.stringify(reply.headers)}`);
          resolve({
            statusCode: reply.status,
            headers: reply.headers,
            body: chunks(reply.body, struck.breaks === true),
          });
        });
      });
    });
  };

  return {
    request: send,
    profiles,
    setKeys: (valid) => {
      keys = valid;
    },
    setOutage: (next) => {
      outage = next;
    },
    setRefusing: (refuses) => {
      refusing = refuses;
    },
    requests: () => requests,
    pending: () => [...pending.values()].reduce((sum, set) => sum + set.size, 0),
  };
}

/** Errors that name no object of the request. */
const isVague = (fault: FaultKind | undefined): boolean =>
  fault === 'error without an index' || fault === 'errors are texts';

/** True when `change` says nothing but what `other` says too: the repetition of a request, or of a part of it. */
const isPartOf = (change: Change, other: Change): boolean =>
  change.deletes === other.deletes && change.text === other.text;

async function* chunks(body: string, breaks: boolean): AsyncGenerator<Buffer> {
  const half = Math.floor(body.length / 2);
  yield Buffer.from(body.slice(0, half));
  if (breaks) throw Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  yield Buffer.from(body.slice(half));
}

type Options = { readonly path: string; readonly body: string; readonly headers: Readonly<Record<string, string>> };

function optionsOf(options: unknown): Options {
  const { path, body, headers, method } = options as Options & { method: string };
  if (method !== 'POST' || headers['content-type'] !== 'application/json') throw new Error('Braze takes JSON by POST');
  if (Buffer.byteLength(body) > MAX_BODY_BYTES) throw new Error('the body is larger than Braze takes');
  return { path, body, headers };
}

function changesOf(path: string, body: string): { changes: Change[]; asks: string[] } {
  const parsed = JSON.parse(body) as Readonly<Record<string, unknown>>;
  if (path === '/users/export/ids') return { changes: [], asks: idsIn(parsed.external_ids) };
  if (path === '/users/delete') {
    const changes = idsIn(parsed.external_ids).map((user) => ({
      user,
      values: new Map(),
      deletes: true,
      existingOnly: false,
      text: 'delete',
    }));
    return { changes, asks: [] };
  }
  if (path !== '/users/track') throw new Error(`Braze has no ${path}`);
  const objects = parsed.attributes;
  if (!Array.isArray(objects) || objects.length === 0 || objects.length > 75 || Object.keys(parsed).length !== 1)
    throw new Error(`a track request of this form: ${body.slice(0, 200)}`);
  return { changes: objects.map(changeOf), asks: [] };
}

function changeOf(object: unknown): Change {
  const { external_id, _update_existing_only, subscription_groups, ...attributes } = object as Readonly<
    Record<string, unknown>
  >;
  if (typeof external_id !== 'string' || external_id === '') throw new Error('an object without external_id');
  const values = new Map<string, Value>(Object.entries(attributes).map(([name, value]) => [`a:${name}`, value]));
  for (const group of Array.isArray(subscription_groups) ? subscription_groups : []) {
    const { subscription_group_id, subscription_state } = group as Readonly<Record<string, unknown>>;
    if (subscription_state !== 'subscribed' && subscription_state !== 'unsubscribed')
      throw new Error('a subscription state');
    values.set(`g:${subscription_group_id}`, subscription_state);
  }
  return {
    user: external_id,
    values,
    deletes: false,
    existingOnly: _update_existing_only === true,
    text: JSON.stringify(object),
  };
}

function idsIn(ids: unknown): string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > 50) throw new Error('1 to 50 external_ids');
  return ids.map(String);
}
