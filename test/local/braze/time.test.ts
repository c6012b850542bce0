import { request as httpRequest } from 'node:http';
import { type Braze, KEY, type Reply, START_MS, startBraze } from './braze.ts';

const limitHeaders = ({ headers }: Reply) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-ratelimit')));
const START_SECONDS = START_MS / 1000;

describe('asynchronous applying', () => {
  test('51: what was accepted is applied once the delay has passed', async () => {
    const braze = await startBraze({ applyDelayMs: 100 });
    expect((await braze.track({ external_id: 'a', vip: true })).body).toMatchObject({ attributes_processed: 1 });
    braze.clock.advance(99);
    expect(braze.users()).toEqual([]);
    expect(braze.dataPoints()).toBe(0);
    braze.clock.advance(1);
    expect(braze.user('a')).toMatchObject({ updatedAt: new Date(START_MS + 100).toISOString() });
    expect(braze.dataPoints()).toBe(1);
  });

  test('51: settle applies at once, and so does the synchronous endpoint', async () => {
    const braze = await startBraze({ applyDelayMs: 100 });
    await braze.track({ external_id: 'a' });
    braze.settle();
    await braze.post('/users/track/sync', { attributes: [{ external_id: 'b' }] });
    expect(braze.users()).toHaveLength(2);
  });

  test('51: a user whose requests overlap ends with the older value when reordering is on', async () => {
    const braze = await startBraze({ applyDelayMs: 100, reorderOverlapping: true, strict: false });
    await braze.track({ external_id: 'a', plan: 'old' }, { external_id: 'b', plan: 'old' });
    braze.clock.advance(50);
    await braze.track({ external_id: 'a', plan: 'new' });
    braze.clock.advance(60);
    await braze.track({ external_id: 'b', plan: 'new' });
    braze.clock.advance(100);
    // a's second request came while the first waited; b's came after.
    expect(braze.user('a')?.customAttributes).toEqual({ plan: 'old' });
    expect(braze.user('b')?.customAttributes).toEqual({ plan: 'new' });
  });

  test('51: reordering holds for requests of the same instant', async () => {
    const braze = await startBraze({ applyDelayMs: 100, reorderOverlapping: true, strict: false });
    await braze.track({ external_id: 'a', plan: 'old' });
    await braze.track({ external_id: 'a', plan: 'new' });
    braze.settle();
    expect(braze.user('a')?.customAttributes).toEqual({ plan: 'old' });
  });

  test('51: without reordering the newer value stays', async () => {
    const braze = await startBraze({ applyDelayMs: 100, strict: false });
    await braze.track({ external_id: 'a', plan: 'old' });
    await braze.track({ external_id: 'a', plan: 'new' });
    braze.clock.advance(100);
    expect(braze.user('a')?.customAttributes).toEqual({ plan: 'new' });
  });

  test('51: what is due sooner is applied sooner, whatever came first', async () => {
    const braze = await startBraze({ deleteDelayMs: 1000 });
    braze.putUser({ externalId: 'a' });
    await braze.post('/users/delete', { external_ids: ['a'] });
    braze.settings.applyDelayMs = 10;
    await braze.track({ external_id: 'b' });
    await braze.track({ external_id: 'c' });
    braze.clock.advance(10);
    expect(braze.users().map(({ externalId }) => externalId)).toEqual(['a', 'b', 'c']);
    braze.clock.advance(990);
    expect(braze.users().map(({ externalId }) => externalId)).toEqual(['b', 'c']);
  });

  test('51: a deletion does not overtake the update before it', async () => {
    const braze = await startBraze({ applyDelayMs: 100, deleteDelayMs: 10 });
    await braze.track({ external_id: 'a' });
    braze.clock.advance(50);
    await braze.post('/users/delete', { external_ids: ['a'] });
    braze.clock.advance(1000);
    expect(braze.users()).toEqual([]);
  });
});

describe('one request at a time for a user', () => {
  const upsert = (braze: Braze, id: string) => braze.track({ external_id: id });
  const remove = (braze: Braze, id: string) => braze.post('/users/delete', { external_ids: [id] });

  test.each([
    ['two updates', upsert, upsert, [52]],
    ['an update and a deletion', upsert, remove, [52]],
    ['a deletion and an update', remove, upsert, [52]],
    [
      'a read beside an update',
      upsert,
      (braze: Braze, id: string) => braze.post('/users/export/ids', { external_ids: [id] }),
      [],
    ],
    ['two updates of two users', upsert, (braze: Braze) => upsert(braze, 'b'), []],
  ])('52: %s in flight together', async (_, first, second, findings) => {
    const braze = await startBraze();
    const gate = createGate();
    braze.fault({ kind: 'slow', until: gate.promise });
    const slow = first(braze, 'a');
    await until(() => braze.requests().length === 1);
    await second(braze, 'a');
    gate.resolve();
    await slow;
    expect(braze.findings()).toEqual(findings);
  });

  test('52: requests one after the other do not overlap', async () => {
    const braze = await startBraze();
    for (let round = 0; round < 20; round += 1) {
      await upsert(braze, 'a');
      await remove(braze, 'a');
    }
    expect(braze.violations()).toEqual([]);
  });

  test('52: requests that are sent together overlap', async () => {
    const braze = await startBraze({ latencyMs: 100 });
    await Promise.all([upsert(braze, 'a'), upsert(braze, 'a')]);
    expect(braze.findings()).toEqual([52]);
  });

  test('52: a second request before the first has been applied is too early', async () => {
    const braze = await startBraze({ applyDelayMs: 100 });
    await upsert(braze, 'a');
    braze.clock.advance(99);
    await remove(braze, 'a');
    expect(braze.findings()).toEqual([52]);
    braze.clock.advance(100);
    await upsert(braze, 'a');
    expect(braze.findings()).toEqual([52]);
  });

  test('52: without strict mode nobody minds', async () => {
    const braze = await startBraze({ applyDelayMs: 100, strict: false });
    await upsert(braze, 'a');
    await upsert(braze, 'a');
    expect(braze.violations()).toEqual([]);
  });
});

describe('rate limits', () => {
  const hour = 3_600_000;

  test('53: in the general dialect every answer tells the limit, what remains, and the epoch second of the reset', async () => {
    const braze = await startBraze({ limits: { '/users/track': [{ requests: 2, perMs: 3000 }] } });
    const told = (remaining: string) => ({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': String(START_SECONDS + 3),
    });
    expect(limitHeaders(await braze.track({ external_id: 'a' }))).toEqual(told('1'));
    expect(limitHeaders(await braze.track({ first_name: 'nobody' }))).toEqual(told('0'));
    const refused = await braze.track({ external_id: 'b' });
    expect(refused.status).toBe(429);
    expect(limitHeaders(refused)).toEqual(told('0'));
    expect(braze.users()).toHaveLength(1);
  });

  test('53: a 429 of the general dialect may come without headers', async () => {
    const braze = await startBraze({ headersOn429: false, limits: { '*': [{ requests: 0, perMs: 1000 }] } });
    const refused = await braze.post('/unknown', {});
    expect(refused.status).toBe(429);
    expect(limitHeaders(refused)).toEqual({});
  });

  test('53: on MAU plans track tells of the hour in seconds left, and a 429 only how long to wait', async () => {
    const limits = [
      { requests: 5, perMs: hour },
      { requests: 1, perMs: 3000 },
    ];
    const braze = await startBraze({ rateLimitDialect: 'mau', limits: { '/users/track': limits } });
    braze.clock.advance(500);
    expect(limitHeaders(await braze.track({ external_id: 'a' }))).toEqual({
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '4',
      'x-ratelimit-reset': '3600',
    });
    const refused = await braze.track({ external_id: 'b' });
    expect(refused.status).toBe(429);
    expect(limitHeaders(refused)).toEqual({ 'x-ratelimit-retry-after': '3' });
    const other = await braze.post('/users/delete', { external_ids: ['a'] });
    expect(limitHeaders(other)['x-ratelimit-reset']).toBe(String(START_SECONDS + 60));
  });

  test.each([
    ['documented', 'X-RateLimit-Limit'],
    ['lower', 'x-ratelimit-limit'],
    ['upper', 'X-RATELIMIT-LIMIT'],
  ] as const)('53: header names can be %s', async (headerCase, name) => {
    const braze = await startBraze({ headerCase });
    expect(await rawHeaderNames(`${braze.url}/users/track`)).toContain(name);
  });

  test('53: unlimited endpoints tell of the documented limits, errors included', async () => {
    const braze = await startBraze();
    const told = async (path: string, body: unknown, headers = {}) =>
      limitHeaders(await braze.post(path, body, headers))['x-ratelimit-limit'];
    expect(await told('/users/track', {})).toBe('3000');
    expect(await told('/users/track', {}, { Authorization: 'Bearer no' })).toBe('3000');
    expect(await told('/users/track/bulk', {})).toBe('50');
    expect(await told('/users/track/sync', {})).toBe('500');
    expect(await told('/users/delete', {}, { 'Content-Type': 'text/plain' })).toBe('20000');
    expect(await told('/v2/subscription/status/set', {})).toBe('5000');
    expect(await told('/users/export/ids', '{')).toBe('250');
    expect(await told('/elsewhere', {})).toBe('250000');
    braze.settings.raisedExportLimit = true;
    expect(await told('/users/export/ids', { external_ids: ['a'], fields_to_export: ['email'] })).toBe('40');
  });

  test('54: windows are aligned to the clock and do not roll', async () => {
    const braze = await startBraze({ limits: { '/users/track': [{ requests: 1, perMs: 3000 }] } });
    braze.clock.advance(2999);
    expect((await braze.track({ external_id: 'a' })).status).toBe(201);
    expect((await braze.track({ external_id: 'b' })).status).toBe(429);
    braze.clock.advance(1);
    expect((await braze.track({ external_id: 'b' })).status).toBe(201);
    expect(braze.violations()).toEqual([]);
  });

  test('54: paths of one pool share their limit, others have their own', async () => {
    const braze = await startBraze({
      limits: {
        '/users/delete': [{ requests: 2, perMs: 60_000 }],
        '/v2/subscription/status/set': [{ requests: 1, perMs: 60_000 }],
      },
    });
    expect((await braze.post('/users/alias/new', {})).status).toBe(404);
    expect((await braze.post('/users/delete', { external_ids: ['a'] })).status).toBe(200);
    expect((await braze.post('/users/delete', { external_ids: ['b'] })).status).toBe(429);
    expect((await braze.post('/users/merge', {})).status).toBe(429);
    expect((await braze.post('/subscription/status/set', {})).status).toBe(404);
    expect((await braze.post('/v2/subscription/status/set', {})).status).toBe(429);
    expect((await braze.track({ external_id: 'a' })).status).toBe(201);
  });

  test('54: the documented limits hold when they are switched on', async () => {
    const braze = await startBraze({ defaultLimits: true });
    const statuses = await inTurn(51, () => braze.post('/users/track/bulk', { attributes: [{ external_id: 'a' }] }));
    expect(statuses.lastIndexOf(201)).toBe(49);
    expect(statuses[50]).toBe(429);
    braze.clock.advance(1000);
    expect((await braze.post('/users/track/bulk', { attributes: [{ external_id: 'a' }] })).status).toBe(201);
  });

  test('54: exports of wanted fields may have a limit of their own', async () => {
    const braze = await startBraze({
      raisedExportLimit: true,
      limits: {
        '/users/export/ids': [{ requests: 1, perMs: 60_000 }],
        '/users/export/ids#raised': [{ requests: 1, perMs: 1000 }],
      },
    });
    const post = (fields_to_export?: string[]) =>
      braze.post('/users/export/ids', { external_ids: ['a'], ...(fields_to_export ? { fields_to_export } : {}) });
    expect((await post(['email', 'canvases_received'])).status).toBe(201);
    expect((await post(['email'])).status).toBe(201);
    expect((await post(['email'])).status).toBe(429);
    expect((await post()).status).toBe(429);
    braze.clock.advance(1000);
    expect((await post(['email'])).status).toBe(201);
  });

  test('55: whoever returns before the announced wait is over is a finding', async () => {
    const braze = await startBraze({ limits: { '/users/track': [{ requests: 1, perMs: 3000 }] } });
    await braze.track({ external_id: 'a' });
    await braze.track({ external_id: 'b' });
    braze.clock.advance(2900);
    await braze.track({ external_id: 'b' });
    expect(braze.findings()).toEqual([55]);
    await braze.post('/users/delete', { external_ids: ['b'] });
    braze.clock.advance(100);
    expect((await braze.track({ external_id: 'b' })).status).toBe(201);
    expect(braze.findings()).toEqual([55]);
  });

  test.each([
    ['general by seconds', { dialect: 'general', retryAfterSeconds: 10 }],
    ['general by reset', { dialect: 'general', reset: START_SECONDS + 10 }],
    ['MAU by seconds', { dialect: 'mau', retryAfterSeconds: 10 }],
  ] as const)('55: a scripted 429 announces a wait too (%s)', async (_, announced) => {
    const braze = await startBraze();
    braze.fault({ kind: 'rate_limited', ...announced });
    const refused = await braze.track({ external_id: 'a' });
    expect(refused.status).toBe(429);
    expect(Object.values(limitHeaders(refused)).at(-1)).toBe(
      announced.dialect === 'mau' ? '10' : String(START_SECONDS + 10),
    );
    braze.clock.advance(9_900);
    await braze.track({ external_id: 'a' });
    expect(braze.findings()).toEqual([55]);
    braze.clock.advance(100);
    await braze.track({ external_id: 'a' });
    expect(braze.findings()).toEqual([55]);
  });

  test.each([
    ['endpoint', [55, 55]],
    ['sameUsers', [55]],
    ['off', []],
  ] as const)(
    '55: the wait can bind the endpoint, those who were put off, or nobody (%s)',
    async (announcedWait, findings) => {
      const braze = await startBraze({ announcedWait });
      braze.fault({ kind: 'rate_limited', retryAfterSeconds: 10 });
      await braze.track({ external_id: 'a' });
      await braze.track({ external_id: 'b' });
      await braze.track({ external_id: 'a' });
      expect(braze.findings()).toEqual(findings);
    },
  );

  test('55: a 429 that announces nothing binds nobody', async () => {
    const braze = await startBraze({ headersOn429: false });
    braze.fault({ kind: 'rate_limited', dialect: 'general' });
    await braze.track({ external_id: 'a' });
    await braze.track({ external_id: 'a' });
    expect(braze.violations()).toEqual([]);
  });
});

describe('faults', () => {
  const send = (braze: Braze) => braze.track({ external_id: 'a' });
  const isApplied = (braze: Braze) => braze.users().length === 1;

  test.each([
    [
      'a 503',
      { kind: 'status', status: 503, headers: { 'Retry-After': '7' }, body: { error: 'down' } },
      503,
      '{"error":"down"}',
      false,
    ],
    ['a 500 after applying', { kind: 'status', status: 500, applied: true, body: {} }, 500, '{}', true],
    ['an HTML page', { kind: 'html' }, 502, /<html>/, false],
    ['an HTML page with a 200', { kind: 'html', status: 200, applied: true }, 200, /<html>/, true],
    ['an empty 500', { kind: 'empty' }, 500, '', false],
    ['an empty 201 after applying', { kind: 'empty', status: 201, applied: true }, 201, '', true],
    ['an unknown message', { kind: 'unknown_message' }, 202, /"message":"queued"/, true],
    ['another message', { kind: 'unknown_message', status: 201, message: 'done' }, 201, /"message":"done"/, true],
    ['a 429', { kind: 'rate_limited' }, 429, /message/, false],
  ] as const)('56: the script makes %s of one request', async (_, fault, status, text, applied) => {
    const braze = await startBraze({ announcedWait: 'off' });
    braze.fault(fault);
    const reply = await send(braze);
    expect(reply.status).toBe(status);
    if (typeof text === 'string') expect(reply.text).toBe(text);
    else expect(reply.text).toMatch(text);
    if (status === 503) expect(reply.headers.get('retry-after')).toBe('7');
    expect(isApplied(braze)).toBe(applied);
    expect((await send(braze)).status).toBe(201);
  });

  test.each([
    ['cut_before', false],
    ['cut_after', true],
  ] as const)('56: %s loses the answer, and the request had its effect: %s', async (kind, applied) => {
    const braze = await startBraze();
    braze.fault({ kind });
    await expect(send(braze)).rejects.toThrow('fetch failed');
    expect(isApplied(braze)).toBe(applied);
    expect(braze.requests()).toEqual([expect.not.objectContaining({ status: expect.anything() })]);
    expect((await send(braze)).status).toBe(201);
  });

  test('56: a slow answer is held back after the request took effect', async () => {
    const braze = await startBraze();
    const gate = createGate();
    braze.fault({ kind: 'slow', until: gate.promise, delayMs: 1 });
    let isAnswered = false;
    const slow = send(braze).then((reply) => {
      isAnswered = true;
      return reply;
    });
    await until(() => isApplied(braze));
    expect(isAnswered).toBe(false);
    gate.resolve();
    expect((await slow).status).toBe(201);
  });

  test('56: a client that gives up on a slow answer leaves nothing in flight', async () => {
    const braze = await startBraze();
    braze.fault({ kind: 'slow', until: new Promise(() => {}) });
    const controller = new AbortController();
    const slow = fetch(`${braze.url}/users/track`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ attributes: [{ external_id: 'a' }] }),
      signal: controller.signal,
    });
    await until(() => isApplied(braze));
    controller.abort();
    await expect(slow).rejects.toThrow();
    await send(braze);
    await send(braze);
    expect(braze.users()).toHaveLength(1);
  });

  test('56: a fault strikes only its path, after those it skips, as often as it says, and what it matches', async () => {
    const braze = await startBraze();
    braze.fault({ kind: 'status', status: 500, path: '/users/delete', times: Number.POSITIVE_INFINITY });
    braze.fault({
      kind: 'status',
      status: 502,
      skip: 1,
      times: 2,
      match: (body) => JSON.stringify(body).includes('"a"'),
    });
    const statuses = [];
    for (const id of ['a', 'b', 'a', 'b', 'a', 'a']) statuses.push((await braze.track({ external_id: id })).status);
    expect(statuses).toEqual([201, 201, 502, 201, 502, 201]);
    expect((await braze.post('/users/delete', { external_ids: ['a'] })).status).toBe(500);
    braze.clearFaults();
    expect((await braze.post('/users/delete', { external_ids: ['a'] })).status).toBe(200);
  });

  test('56: faults of one script follow each other', async () => {
    const braze = await startBraze();
    braze.fault({ kind: 'status', status: 500 });
    braze.fault({ kind: 'status', status: 503 });
    expect(await inTurn(3, () => send(braze))).toEqual([500, 503, 201]);
  });
});

/** A promise that the test resolves. */
function createGate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function inTurn(count: number, send: () => Promise<Reply>): Promise<number[]> {
  const statuses: number[] = [];
  while (statuses.length < count) statuses.push((await send()).status);
  return statuses;
}

/** fetch lower-cases header names; node:http shows them as they came. */
function rawHeaderNames(url: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method: 'POST', agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.rawHeaders.filter((_, index) => index % 2 === 0)));
    })
      .once('error', reject)
      .end();
  });
}
