import fc from 'fast-check';
import type { HttpAnswer, NoAnswer } from '../../../shared/braze/answers.ts';
import { type DeliverDeps, deliver, NotDelivered, type Shipment, type Tally } from '../../../shared/braze/deliver.ts';
import { lookUp } from '../../../shared/braze/lookup.ts';
import { requestPace } from '../../../shared/braze/pace.ts';
import { FatalError } from '../../../shared/errors.ts';
import { HOUR_MS, MINUTE_MS } from '../../../shared/time.ts';
import { fakeClock, START_MS } from '../fake-clock.ts';

type Answer = HttpAnswer | NoAnswer;
type Request = { readonly path: string; readonly objects: readonly number[]; readonly atMs: number };
/** What the next request is answered with; a function sees the request's objects. */
type Script = Answer | ((objects: readonly number[]) => Answer);

const http = (status: number, body: unknown = '', headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const SUCCESS = http(201, { message: 'success' });
const named = (status: number, message: string, ...indexes: number[]): HttpAnswer =>
  http(status, {
    message,
    errors: indexes.map((index) => ({ type: `bad ${index}`, input_array: 'attributes', index })),
  });
const lost = (failure: NoAnswer['failure']): NoAnswer => ({ failure, because: 'ECONNRESET' });
const TOO_LONG = http(400, { message: 'Max Input Length Exceeded' });

type Options = {
  readonly remainingMs?: number;
  readonly requestsPerSecond?: number;
  readonly renews?: readonly boolean[];
};

/** A delivery to a Braze that answers by a script; the last answer stays. */
function braze(
  script: readonly Script[],
  { remainingMs = 5 * MINUTE_MS, requestsPerSecond = 1000, renews = [] }: Options = {},
) {
  const clock = fakeClock();
  const requests: Request[] = [];
  let renewed = 0;
  const deps: DeliverDeps = {
    clock,
    pace: requestPace(clock, requestsPerSecond, 1),
    remainingMs: () => remainingMs - (clock.now() - START_MS),
    renewKey: async () => renews[renewed++] ?? false,
    client: {
      post: async (path, body) => {
        const objects: number[] = JSON.parse(body);
        requests.push({ path, objects, atMs: clock.now() - START_MS });
        const answer = script[Math.min(requests.length, script.length) - 1] ?? SUCCESS;
        return typeof answer === 'function' ? answer(objects) : answer;
      },
    },
  };
  const tally: Tally = { requests: 0, throttled: 0, applied: false };
  return {
    deps,
    clock,
    requests,
    tally,
    renewed: () => renewed,
    deliver: (count: number) => deliver(deps, shipment(count), tally),
    failed: async (count: number): Promise<unknown> =>
      deliver(deps, shipment(count), tally).catch((error: unknown) => error),
  };
}

const shipment = (count: number): Shipment<number> => ({
  path: '/users/track',
  input: 'attributes',
  objects: Array.from({ length: count }, (_, index) => index),
  body: (objects) => JSON.stringify(objects),
});
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('a delivery', () => {
  test('that is taken is one request', async () => {
    const it = braze([SUCCESS]);
    expect((await it.deliver(75)).refused.size).toBe(0);
    expect(it.requests).toEqual([{ path: '/users/track', objects: range(0, 75), atMs: 0 }]);
    expect(it.tally).toMatchObject({ requests: 1, throttled: 0, applied: true });
  });

  test('of nothing is no request', async () => {
    const it = braze([SUCCESS]);
    expect((await it.deliver(0)).refused.size).toBe(0);
    expect(it.tally).toEqual({ requests: 0, throttled: 0, applied: false });
  });

  test('tells which objects are refused, and why', async () => {
    const it = braze([named(201, 'success', 2, 5)]);
    expect((await it.deliver(6)).refused).toEqual(
      new Map([
        [2, 'bad 2'],
        [5, 'bad 5'],
      ]),
    );
  });

  test('that is refused whole has applied nothing', async () => {
    const it = braze([named(400, 'Valid data must be provided', 0, 1)]);
    expect((await it.deliver(2)).refused.size).toBe(2);
    expect(it.tally.applied).toBe(false);
  });

  test('sends again without the refused when a 400 names some, and counts these under their own positions', async () => {
    const it = braze([named(400, 'no', 0, 2), named(201, 'success', 1)]);
    expect((await it.deliver(5)).refused).toEqual(
      new Map([
        [0, 'bad 0'],
        [2, 'bad 2'],
        [3, 'bad 1'],
      ]),
    );
    expect(it.requests.map(({ objects }) => objects)).toEqual([
      [0, 1, 2, 3, 4],
      [1, 3, 4],
    ]);
  });

  test('is halved until the culprit stands alone', async () => {
    const it = braze([(objects) => (objects.includes(41) ? http(400, { message: 'Malformed' }) : SUCCESS)]);
    const { refused } = await it.deliver(75);
    expect(refused).toEqual(new Map([[41, 'Braze refused the request (400): Malformed']]));
    expect(it.requests.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(75)) + 1);
  });

  test('that is too large is halved, and a single object that is too large is refused', async () => {
    const it = braze([(objects) => (objects.length > 1 || objects[0] === 2 ? http(413) : SUCCESS)]);
    expect([...(await it.deliver(4)).refused.keys()]).toEqual([2]);
  });

  test('of more objects than the contract allows is halved once', async () => {
    const it = braze([(objects) => (objects.length > 40 ? TOO_LONG : SUCCESS)]);
    expect((await it.deliver(75)).refused.size).toBe(0);
    expect(it.requests.map(({ objects }) => objects.length)).toEqual([75, 38, 37]);
  });

  test.each([75, 2])(
    'of %i objects, of more than twice as many as the contract allows, is fatal and names the setting',
    async (count) => {
      const it = braze([TOO_LONG]);
      const error = await it.failed(count);
      expect(error).toBeInstanceOf(FatalError);
      expect(String(error)).toContain('maxUsersPerRequest');
      expect(it.tally).toMatchObject({ requests: 2, applied: false });
    },
  );
});

describe('a rate limit', () => {
  test.each([
    ['x-ratelimit-retry-after', '7', 7000],
    ['retry-after', '3', 3000],
    ['x-ratelimit-reset', String((START_MS + 20_000) / 1000), 20_000],
    ['x-ratelimit-reset', '12', 12_000],
  ])('that says %s: %s is waited out', async (name, value, ms) => {
    const it = braze([http(429, '', { [name]: value }), SUCCESS]);
    await it.deliver(1);
    expect(it.requests.map(({ atMs }) => atMs)).toEqual([0, ms]);
    expect(it.tally).toMatchObject({ requests: 2, throttled: 1, applied: true });
  });

  test('is no failed try: it is waited out as often as there is time', async () => {
    const it = braze([...Array.from({ length: 20 }, () => http(429, '', { 'retry-after': '5' })), SUCCESS]);
    await it.deliver(1);
    expect(it.tally).toMatchObject({ requests: 21, throttled: 20, applied: true });
  });

  test('without a wait is asked again after longer and longer', async () => {
    const it = braze([http(429), http(429), http(429), SUCCESS]);
    await it.deliver(1);
    expect(it.clock.slept).toEqual([750, 1500, 3000]);
  });

  test('that lasts longer than there is time hands the delivery back at once, with the wait', async () => {
    const it = braze([http(429, '', { 'retry-after': '600' })], { remainingMs: MINUTE_MS });
    const error = await it.failed(1);
    expect(error).toBeInstanceOf(NotDelivered);
    expect(error).toMatchObject({ rateLimited: true, afterMs: 600_000 });
    expect(it.clock.slept).toEqual([]);
    expect(it.tally).toEqual({ requests: 1, throttled: 1, applied: false });
  });

  test('that is announced before it is reached is kept', async () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '30' };
    const it = braze([http(400, { message: 'x' }, headers), SUCCESS]);
    await it.deliver(2);
    expect(it.requests.map(({ atMs }) => atMs)).toEqual([0, 30_000, 30_001]);
  });

  test('that leaves no turn in time hands the delivery back without a request', async () => {
    const it = braze([SUCCESS], { remainingMs: MINUTE_MS });
    it.deps.pace.pause(HOUR_MS);
    expect(await it.failed(1)).toMatchObject({ name: 'NotDelivered', rateLimited: true, afterMs: HOUR_MS });
    expect(it.tally).toEqual({ requests: 0, throttled: 0, applied: false });
  });
});

describe('a passing fault', () => {
  test.each([
    ['503', http(503), true],
    ['500 in HTML', http(500, '<html>'), true],
    ['408', http(408), true],
    ['a success that nobody understands', http(200, '<html>'), true],
    ['a lost answer', lost('unknown'), true],
    ['a request that was not sent', lost('not_sent'), false],
  ])('(%s) is tried again, and remembered as applied: %p', async (_, fault, applied) => {
    const it = braze([fault, fault, fault, named(400, 'no', 0)]);
    expect((await it.deliver(1)).refused.size).toBe(1);
    expect(it.tally).toEqual({ requests: 4, throttled: 0, applied });
    expect(it.clock.slept).toEqual([375, 750, 1500]);
  });

  test('hands the delivery back after four tries', async () => {
    const it = braze([http(503)]);
    const error = await it.failed(3);
    expect(error).toBeInstanceOf(NotDelivered);
    expect(error).toMatchObject({ message: 'status 503', rateLimited: false, afterMs: undefined });
    expect(it.tally).toMatchObject({ requests: 4, throttled: 0, applied: true });
  });

  test('hands the delivery back when it asks for more time than there is', async () => {
    const it = braze([http(503, '', { 'retry-after': '120' })], { remainingMs: MINUTE_MS });
    expect(await it.failed(1)).toMatchObject({ name: 'NotDelivered', rateLimited: false, afterMs: 120_000 });
    expect(it.tally.requests).toBe(1);
  });

  test('counts its tries for each request anew', async () => {
    const it = braze([http(413), http(503), http(503), http(503), SUCCESS, http(503), http(503), http(503), SUCCESS]);
    expect((await it.deliver(2)).refused.size).toBe(0);
    expect(it.tally.requests).toBe(9);
  });
});

describe('what may have been applied is told when the delivery fails', () => {
  const limit = http(429, '', { 'retry-after': '3600' });
  test.each<[string, Script[], boolean]>([
    ['a limit before anything', [limit], false],
    ['a limit after a 413', [http(413), limit], false],
    ['a limit after a 400 that names nobody', [http(400, { message: 'x' }), limit], false],
    ['a limit after a 400 that names some', [named(400, 'x', 0), limit], true],
    [
      'a limit after a success whose errors name nobody',
      [http(201, { message: 'success', errors: ['x'] }), limit],
      true,
    ],
    ['a limit after the first half was taken', [http(413), SUCCESS, limit], true],
    ['a limit after the first half was refused', [http(413), named(400, 'x', 0, 1), limit], false],
    ['a limit after a lost answer', [lost('unknown'), limit], true],
    ['a wrong key at once', [http(401)], false],
    ['a wrong key after the first half was taken', [http(413), SUCCESS, http(401)], true],
  ])('%s', async (_, script, applied) => {
    const it = braze(script);
    expect(await it.failed(4)).toBeInstanceOf(Error);
    expect(it.tally.applied).toBe(applied);
  });
});

describe('a key that Braze does not know', () => {
  test('is read anew, and the request sent again with another one', async () => {
    const it = braze([http(401), SUCCESS], { renews: [true] });
    await it.deliver(1);
    expect(it.tally.requests).toBe(2);
  });

  test('is read anew once more when it has been rotated again meanwhile', async () => {
    const it = braze([http(401), http(401), SUCCESS], { renews: [true, true] });
    await it.deliver(1);
    expect(it.tally.requests).toBe(3);
  });

  test.each([
    ['the same one is still there', [http(401)], [false], 1],
    ['the new one is not known either, and is still there', [http(401)], [true, false], 2],
  ])('is fatal when %s', async (_, script, renews, requests) => {
    const it = braze(script, { renews });
    expect(await it.failed(1)).toBeInstanceOf(FatalError);
    expect(it.tally).toMatchObject({ requests, applied: false });
  });

  test.each([403, 404, 415])('is not looked for after %i, which is fatal at once', async (status) => {
    const it = braze([http(status)], { renews: [true] });
    expect(await it.failed(1)).toBeInstanceOf(FatalError);
    expect(it.renewed()).toBe(0);
    expect(it.tally.requests).toBe(1);
  });
});

test('whatever Braze stumbles over, exactly the culprits are refused, all others are taken, and no named culprit is sent again', async () => {
  const mood = fc.constantFrom('names', 'names_some', 'names_in_400', 'silent', 'too_large', 'busy', 'down', 'lost');
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(39), { maxLength: 8 }),
      fc.array(mood, { minLength: 1, maxLength: 30 }),
      async (count, bad, moods) => {
        const culprits = new Set(bad.filter((n) => n < count));
        const taken = new Set<number>();
        const named = new Set<number>();
        let asked = 0;
        let faults = 0;
        const answer = (objects: readonly number[]): Answer => {
          const mood = moods[asked++ % moods.length];
          expect(objects.filter((object) => named.has(object))).toEqual([]);
          // No more faults in a row than a delivery bears.
          if ((mood === 'down' || mood === 'lost') && faults++ < 3)
            return mood === 'down' ? http(503) : lost('unknown');
          if (mood === 'busy' && asked < 60) return http(429, '', { 'retry-after': '1' });
          faults = 0;
          const indexes = objects.flatMap((object, index) => (culprits.has(object) ? [index] : []));
          if (indexes.length > 0 && mood === 'silent') return http(400, { message: 'no' });
          if (indexes.length > 0 && mood === 'too_large') return http(413);
          const told = mood === 'names_some' ? indexes.slice(0, 1) : indexes;
          if (
            told.length < indexes.length ||
            (indexes.length > 0 && (mood === 'names_in_400' || indexes.length === objects.length))
          ) {
            for (const index of told) named.add(objects[index] ?? -1);
            return http(400, {
              message: 'no',
              errors: told.map((index) => ({ type: 'x', input_array: 'attributes', index })),
            });
          }
          for (const object of objects) if (!culprits.has(object)) taken.add(object);
          for (const index of indexes) named.add(objects[index] ?? -1);
          return http(201, {
            message: 'success',
            errors: indexes.map((index) => ({ type: 'x', input_array: 'attributes', index })),
          });
        };
        const it = braze([answer], { remainingMs: HOUR_MS });
        const { refused } = await it.deliver(count);
        expect([...refused.keys()].sort((a, b) => a - b)).toEqual([...culprits].sort((a, b) => a - b));
        expect(taken.size).toBe(count - culprits.size);
        expect(it.tally.requests).toBe(it.requests.length);
      },
    ),
    { numRuns: 400 },
  );
});

describe('a lookup', () => {
  const keys = ['ann', 'bob', 'cy'];
  const found = (script: readonly Answer[], options?: Options) => {
    const it = braze([], options);
    let asked = 0;
    const bodies: unknown[] = [];
    const client: DeliverDeps['client'] = {
      post: async (path, body) => {
        bodies.push([path, JSON.parse(body)]);
        return script[Math.min(++asked, script.length) - 1] ?? SUCCESS;
      },
    };
    const tally: Tally = { requests: 0, throttled: 0, applied: false };
    const answer = lookUp({ ...it.deps, client }, keys, tally).catch((error: unknown) => error);
    return { answer, tally, bodies };
  };
  const users = (...ids: (string | undefined)[]) =>
    http(201, {
      message: 'success',
      users: ids.map((id) => (id === undefined ? { braze_id: 'x' } : { external_id: id })),
    });

  test('gives the users that Braze has, and asks for nothing but their ids', async () => {
    const { answer, bodies, tally } = found([users('bob', undefined, 'ann')]);
    expect(await answer).toEqual(new Set(['ann', 'bob']));
    expect(bodies).toEqual([['/users/export/ids', { external_ids: keys, fields_to_export: ['external_id'] }]]);
    expect(tally).toEqual({ requests: 1, throttled: 0, applied: false });
  });

  test('of users that are all unknown gives none', async () => {
    expect(await found([http(200, { users: [], invalid_user_ids: keys })]).answer).toEqual(new Set());
  });

  test('is asked again after limits, faults and answers without users, and never counts as applied', async () => {
    const { answer, tally } = found([
      http(429),
      http(503),
      http(201, { message: 'success' }),
      lost('unknown'),
      users('cy'),
    ]);
    expect(await answer).toEqual(new Set(['cy']));
    expect(tally).toEqual({ requests: 5, throttled: 1, applied: false });
  });

  test('that is never answered is handed back', async () => {
    expect(await found([http(500)]).answer).toBeInstanceOf(NotDelivered);
    expect(await found([http(200, '<html>')]).answer).toBeInstanceOf(NotDelivered);
  });

  test('by a key that was changed is asked again with the new one', async () => {
    expect(await found([http(401), users('ann')], { renews: [true] }).answer).toEqual(new Set(['ann']));
  });

  test.each([400, 401, 403, 404, 413])('that Braze refuses with %i is fatal', async (status) => {
    const { answer, tally } = found([http(status, { message: 'no' })]);
    expect(await answer).toBeInstanceOf(FatalError);
    expect(tally.requests).toBe(1);
  });
});
