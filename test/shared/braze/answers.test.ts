import fc from 'fast-check';
import { type HttpAnswer, pauseMs, type Verdict, verdictOf, waitMs } from '../../../shared/braze/answers.ts';
import { DAY_MS, HOUR_MS } from '../../../shared/time.ts';
import { START_MS } from '../fake-clock.ts';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const verdict = (status: number, body: unknown, objects = 3, headers: Record<string, string> = {}): Verdict =>
  verdictOf(answer(status, body, headers), objects, 'attributes', START_MS);
const refusals = (verdict: Verdict) => ('refused' in verdict ? Object.fromEntries(verdict.refused) : undefined);
const error = (index: unknown, type: unknown = 'bad', input_array: unknown = 'attributes') => ({
  type,
  input_array,
  index,
});
const ALL_REFUSED = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.";

describe('a 2xx', () => {
  test.each([
    ['success', 201, { message: 'success', attributes_processed: 3 }],
    ['success with no errors', 200, { message: 'success', errors: [] }],
    ['success with null as errors', 201, { message: 'success', errors: null }],
    ['success of a deletion', 200, { deleted: 3, message: 'success' }],
    ['queued', 202, { message: 'queued' }],
    ['success with members that are unknown', 201, { message: 'success', warnings: ['x'], error: null }],
  ])('that says %s accepts every object', (_, status, body) => {
    expect(verdict(status, body)).toEqual({ kind: 'received', refused: new Map() });
  });

  test.each([
    ['one', [error(1)], { 1: 'bad' }],
    ['two, in any order', [error(2, 'c'), error(0, 'a')], { 2: 'c', 0: 'a' }],
    ['one twice: the first reason stands', [error(1, 'first'), error(1, 'second')], { 1: 'first' }],
    ['one without naming the array', [{ type: 'bad', index: 1 }], { 1: 'bad' }],
    ['one without a reason', [{ index: 1 }], { 1: 'no reason given' }],
    ['one with a reason that is no text', [error(1, { code: 7 })], { 1: '{"code":7}' }],
    ['one with a reason that has no text', [error(1, { toString: null })], { 1: '{"toString":null}' }],
    ['one with null as its reason', [error(1, null)], { 1: 'no reason given' }],
    ['all', [error(0), error(1), error(2)], { 0: 'bad', 1: 'bad', 2: 'bad' }],
  ])('that names %s accepts all the others', (_, errors, refused) => {
    const found = verdict(201, { message: 'success', errors });
    expect(found.kind).toBe('received');
    expect(refusals(found)).toEqual(refused);
  });

  test.each([
    ['a sentence', ['something went wrong']],
    ['a text in place of a list', 'something went wrong'],
    ['an index beyond the objects', [error(3)]],
    ['an index below 0', [error(-1)]],
    ['an index that is no whole number', [error(0.5)]],
    ['an index that is a text', [error('0')]],
    ['no index', [{ type: 'bad', input_array: 'attributes' }]],
    ['another array', [error(0, 'bad', 'events')]],
    ['an array that is no text', [error(0, 'bad', 7)]],
    ['null', [null]],
    ['a list in the list', [[error(0)]]],
    ['an object in place of a list', { 0: 'bad' }],
    ['a number in place of a list', 3],
    ['one that is placed beside one that is not', [error(0), 'something went wrong']],
  ])('whose errors name no object (%s) accepts none: the request is split, and may have been applied', (_, errors) => {
    expect(verdict(201, { message: 'success', errors })).toMatchObject({
      kind: 'split',
      tooMany: false,
      applied: 'maybe',
    });
    expect(refusals(verdict(201, { message: 'success', errors }, 1))).toEqual({ 0: expect.any(String) });
  });

  test.each([
    ['nothing', ''],
    ['HTML', '<html><body>OK</body></html>'],
    ['a list', []],
    ['null', 'null'],
    ['another message', { message: 'accepted for review' }],
    ['a message that is no text', { message: 201 }],
    ['no message', { attributes_processed: 3 }],
    ['an answer that was cut', '{"message":"succ'],
  ])('that says %s is tried again: it may have been applied', (_, body) => {
    expect(verdict(201, body)).toMatchObject({ kind: 'retryable', applied: 'maybe' });
  });
});

describe('a 400', () => {
  test('that names every object refuses them all', () => {
    const body = { message: ALL_REFUSED, errors: [error(0, 'a'), error(1, 'b'), error(2, 'c')] };
    expect(verdict(400, body)).toEqual({
      kind: 'received',
      refused: new Map([
        [0, 'a'],
        [1, 'b'],
        [2, 'c'],
      ]),
    });
    expect(refusals(verdict(400, { message: ALL_REFUSED, errors: [error(0, 'a')] }, 1))).toEqual({ 0: 'a' });
  });

  test('that names some refuses these, and the others are sent again without them', () => {
    expect(verdict(400, { message: ALL_REFUSED, errors: [error(1), 'and more'] })).toEqual({
      kind: 'resend',
      refused: new Map([[1, 'bad']]),
    });
  });

  test.each([
    ['Max Input Length Exceeded', true],
    ['Maximum Input Length exceeded.', true],
    ['Malformed JSON', false],
    ['', false],
  ])('that says "%s" is split; for being too many: %p', (message, tooMany) => {
    for (const body of [{ message }, { error: message }]) {
      expect(verdict(400, body)).toMatchObject({ kind: 'split', tooMany, applied: 'no' });
    }
  });

  test.each([
    ['nothing', ''],
    ['HTML', '<h1>Bad Request</h1>'],
    ['null', 'null'],
    ['a message that is no text', { message: { text: 'no' } }],
  ])('that says %s is split', (_, body) => {
    expect(verdict(400, body)).toMatchObject({ kind: 'split', tooMany: false });
  });

  test('that names objects is understood whatever else its body holds', () => {
    expect(refusals(verdict(400, { message: 7, errors: [error(0), error(1), error(2)] }))).toEqual({
      0: 'bad',
      1: 'bad',
      2: 'bad',
    });
  });
});

describe('by its status alone', () => {
  test.each([
    [413, { kind: 'split', tooMany: false, applied: 'no' }],
    [429, { kind: 'retryable', applied: 'no' }],
    [408, { kind: 'retryable', applied: 'maybe' }],
    [500, { kind: 'retryable', applied: 'maybe' }],
    [502, { kind: 'retryable', applied: 'maybe' }],
    [503, { kind: 'retryable', applied: 'maybe' }],
    [504, { kind: 'retryable', applied: 'maybe' }],
    [529, { kind: 'retryable', applied: 'maybe' }],
    [401, { kind: 'fatal', status: 401 }],
    [403, { kind: 'fatal', status: 403 }],
    [404, { kind: 'fatal', status: 404 }],
    [405, { kind: 'fatal', status: 405 }],
    [415, { kind: 'fatal', status: 415 }],
    [301, { kind: 'fatal', status: 301 }],
    [302, { kind: 'fatal', status: 302 }],
  ])('%i is %j, whatever the body says', (status, expected) => {
    for (const body of ['', '<html>', 'null', { message: 'success' }, { error: 'no', errors: [error(0)] }]) {
      expect(verdict(status, body)).toMatchObject(expected);
    }
  });

  test.each([
    [401, 'right key on another host'],
    [403, 'users.track'],
    [404, 'endpoint'],
    [415, 'API errors'],
  ])('%i tells what to do: %s', (status, words) => {
    expect(verdict(status, { message: 'Because' })).toMatchObject({
      found: `Braze answered ${status}: Because`,
      next: expect.stringContaining(words),
    });
  });
});

test.each([
  ['not_sent', 'no'],
  ['unknown', 'maybe'],
] as const)('no answer (%s) is tried again; applied: %s', (failure, applied) => {
  const found = verdictOf({ failure, because: 'ECONNRESET' }, 3, 'attributes', START_MS);
  expect(found).toEqual({ kind: 'retryable', because: 'ECONNRESET', applied });
});

describe('whatever Braze says', () => {
  const status = fc.oneof(
    fc.constantFrom(200, 201, 202, 400, 401, 403, 404, 408, 413, 415, 429, 500, 503),
    fc.integer({ min: 100, max: 599 }),
  );
  const entry = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        type: fc.jsonValue(),
        input_array: fc.constantFrom('attributes', 'events'),
        index: fc.integer({ min: -1, max: 4 }),
      },
      { requiredKeys: [] },
    ),
  );
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          message: fc.oneof(fc.constantFrom('success', 'queued', ALL_REFUSED), fc.jsonValue()),
          errors: fc.oneof(fc.array(entry), fc.jsonValue()),
        },
        { requiredKeys: [] },
      )
      .map((body) => JSON.stringify(body)),
  );
  const headers = fc.dictionary(
    fc.constantFrom('retry-after', 'x-ratelimit-reset', 'x-ratelimit-retry-after', 'x-ratelimit-remaining'),
    fc.oneof(fc.string(), fc.integer().map(String)),
  );

  test('there is a verdict, in short and well-formed words, on objects that were sent, and success only by its word', () => {
    fc.assert(
      fc.property(status, body, headers, fc.integer({ min: 1, max: 4 }), (status, body, headers, objects) => {
        const found = verdictOf({ status, headers, body }, objects, 'attributes', START_MS);
        const indexes = 'refused' in found ? [...found.refused.keys()] : [];
        expect(indexes.every((index) => Number.isInteger(index) && index >= 0 && index < objects)).toBe(true);
        if (found.kind === 'resend') expect(found.refused.size).toBeLessThan(objects);
        if (found.kind === 'received' && found.refused.size < objects) {
          expect(JSON.parse(body).message).toMatch(/^(success|queued)$/);
          expect(status).toBeGreaterThanOrEqual(200);
          expect(status).toBeLessThan(300);
        }
        if (found.kind === 'retryable' && found.afterMs !== undefined) {
          expect(found.afterMs).toBeGreaterThanOrEqual(0);
          expect(found.afterMs).toBeLessThanOrEqual(HOUR_MS);
        }
        const texts = Object.values(found).filter((value) => typeof value === 'string');
        for (const text of [...texts, ...('refused' in found ? found.refused.values() : [])]) {
          expect(text.length).toBeLessThan(400);
          expect(text.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a long reason is cut, and not within a character', () => {
    const [reason = ''] = Object.values(
      refusals(verdict(201, { message: 'success', errors: [error(0, `${'x'.repeat(199)}😀 more`)] })) ?? {},
    );
    expect(reason).toMatch(/^x{199}.?…$/u);
    expect(String(reason).isWellFormed()).toBe(true);
  });
});

const epoch = (ms: number): string => String(Math.floor((START_MS + ms) / 1000));

describe('the wait that a 429 asks for', () => {
  test.each<[string, Record<string, string>, number | undefined]>([
    ['seconds, on plans by monthly active users', { 'x-ratelimit-retry-after': '7' }, 7000],
    ['seconds', { 'retry-after': '120' }, 120_000],
    ['no time at all', { 'retry-after': '0' }, 0],
    ['fractions of a second', { 'retry-after': ' 1.5 ' }, 1500],
    ['a date', { 'retry-after': new Date(START_MS + 90_000).toUTCString() }, 90_000],
    ['a time since the epoch', { 'x-ratelimit-reset': epoch(33_000) }, 33_000],
    ['seconds that are left', { 'x-ratelimit-reset': '45' }, 45_000],
    ['seconds that are left of an hour', { 'x-ratelimit-reset': '3000' }, 3_000_000],
    [
      'more than one, the plainest first',
      { 'x-ratelimit-retry-after': '2', 'retry-after': '3', 'x-ratelimit-reset': '4' },
      2000,
    ],
    ['more than one, without the first', { 'retry-after': '3', 'x-ratelimit-reset': '4' }, 3000],
    [
      'nonsense and a reset',
      { 'x-ratelimit-retry-after': 'soon', 'retry-after': '-1', 'x-ratelimit-reset': '4' },
      4000,
    ],
    ['more than an hour', { 'retry-after': '7200' }, HOUR_MS],
    ['a reset in two hours', { 'x-ratelimit-reset': epoch(2 * HOUR_MS) }, HOUR_MS],
    ['a day', { 'retry-after': '86400' }, HOUR_MS],
    ['more than a day', { 'retry-after': '86401' }, undefined],
    ['a reset in the past', { 'x-ratelimit-reset': epoch(-5000) }, undefined],
    ['a date in the past', { 'retry-after': new Date(START_MS - 1000).toUTCString() }, undefined],
    ['a year', { 'x-ratelimit-reset': epoch(365 * DAY_MS) }, undefined],
    ['milliseconds since the epoch', { 'x-ratelimit-reset': String(START_MS) }, undefined],
    ['less than nothing', { 'x-ratelimit-reset': '-5' }, undefined],
    ['nothing', { 'retry-after': '' }, undefined],
    ['words', { 'retry-after': 'in a while', 'x-ratelimit-reset': 'later' }, undefined],
    ['numbers in another notation', { 'retry-after': '1e3', 'x-ratelimit-reset': '0x10' }, undefined],
    ['infinity', { 'retry-after': 'Infinity', 'x-ratelimit-reset': 'Infinity' }, undefined],
    ['no header', {}, undefined],
  ])('%s: %j', (_, headers, ms) => {
    expect(waitMs(headers, START_MS)).toBe(ms);
    expect(verdict(429, '', 3, headers)).toEqual({
      kind: 'retryable',
      because: 'rate limit (429)',
      applied: 'no',
      ...(ms === undefined ? {} : { afterMs: ms }),
    });
  });

  test('a 503 may ask for a wait too, but not by the headers of rate limits', () => {
    expect(verdict(503, '', 3, { 'retry-after': '9' })).toMatchObject({ afterMs: 9000 });
    expect(verdict(503, '', 3, { 'x-ratelimit-reset': '9' })).not.toHaveProperty('afterMs');
  });

  test.each<[string, Record<string, string>, number]>([
    ['none is left until a time', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': epoch(20_000) }, 20_000],
    ['none is left for seconds', { 'x-ratelimit-remaining': ' 0 ', 'x-ratelimit-reset': '20' }, 20_000],
    ['some are left', { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '20' }, 0],
    ['none is left, for nobody knows how long', { 'x-ratelimit-remaining': '0' }, 0],
    ['nothing is said of what is left', { 'x-ratelimit-reset': '20' }, 0],
  ])('before a 429, there is a pause when %s', (_, headers, ms) => {
    expect(pauseMs(headers, START_MS)).toBe(ms);
  });
});
