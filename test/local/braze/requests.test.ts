import { gzipSync } from 'node:zlib';
import { GROUP, KEY, request, startBraze, users } from './braze.ts';

const NO_VALID_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.";
const ok = { external_id: 'ok' };
const bad = { first_name: 'nobody' };

describe('paths, keys and bodies', () => {
  test.each([
    ['GET', '/users/track'],
    ['PUT', '/users/track'],
    ['POST', '/users/track/'],
    ['POST', '/Users/track'],
    ['POST', '//users/track'],
    ['POST', '/users/identify'],
    ['POST', '/'],
  ])('1: %s %s is not found', async (method, path) => {
    const braze = await startBraze();
    const headers = { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' };
    const body = method === 'GET' ? {} : { body: '{}' };
    const reply = await request(`${braze.url}${path}`, { method, headers, ...body });
    expect(reply.status).toBe(404);
  });

  test.each([
    ['/users/track', { attributes: [ok] }, 201],
    ['/users/track/bulk', { attributes: [ok] }, 201],
    ['/users/track/sync', { attributes: [ok] }, 201],
    ['/users/delete', { external_ids: ['ok'] }, 200],
    ['/users/export/ids', { external_ids: ['ok'] }, 201],
    [
      '/v2/subscription/status/set',
      {
        subscription_groups: [{ subscription_group_id: GROUP, subscription_state: 'subscribed', external_ids: ['ok'] }],
      },
      201,
    ],
  ])('1: POST %s is served', async (path, body, status) => {
    const braze = await startBraze();
    expect((await braze.post(path, body)).status).toBe(status);
    expect(braze.violations()).toEqual([]);
  });

  test.each([
    ['no Authorization', ''],
    ['no Bearer', KEY],
    ['another scheme', `Basic ${KEY}`],
    ['bearer in lower case', `bearer ${KEY}`],
    ['a quoted key', `Bearer "${KEY}"`],
    ['an unknown key', 'Bearer 00000000-0000-4000-8000-000000000000'],
    ['two keys', `Bearer ${KEY} ${KEY}`],
  ])('2: %s is unauthorized and nothing is applied', async (_, authorization) => {
    const braze = await startBraze();
    const reply = await braze.post('/users/track', { attributes: [ok] }, { Authorization: authorization });
    expect(reply.status).toBe(401);
    expect(braze.users()).toEqual([]);
  });

  test('2: with acceptAnyKey a well-formed key is enough, and a quoted one is still refused', async () => {
    const braze = await startBraze({}, { keys: [], acceptAnyKey: true });
    expect((await braze.track(ok)).status).toBe(201);
    const quoted = await braze.post('/users/track', { attributes: [ok] }, { Authorization: `Bearer "${KEY}"` });
    expect(quoted.status).toBe(401);
  });

  test('2: a key in the query or in the body is a finding, even beside a good header', async () => {
    const braze = await startBraze();
    expect((await braze.post(`/users/track?api_key=${KEY}`, { attributes: [ok] })).status).toBe(400);
    expect((await braze.post('/users/track', { api_key: KEY, attributes: [ok] })).status).toBe(400);
    expect(braze.findings()).toEqual([2, 9]);
    expect(JSON.stringify([braze.requests(), braze.violations()])).not.toContain(KEY);
  });

  test.each([
    [true, 'Invalid API key: wrong-key'],
    [false, 'Invalid API key'],
  ])('3: with echoKeyOn401 %s the message of a 401 is "%s"', async (echoKeyOn401, message) => {
    const braze = await startBraze({ echoKeyOn401 });
    const reply = await braze.post('/users/track', { attributes: [ok] }, { Authorization: 'Bearer wrong-key' });
    expect(reply).toMatchObject({ status: 401, body: { message } });
  });

  test.each([
    ['users.track', '/users/track', { attributes: [ok] }],
    ['users.track.bulk', '/users/track/bulk', { attributes: [ok] }],
    ['users.track.sync', '/users/track/sync', { attributes: [ok] }],
    ['users.delete', '/users/delete', { external_ids: ['ok'] }],
    ['users.export.ids', '/users/export/ids', { external_ids: ['ok'] }],
    [
      'subscription.status.set',
      '/v2/subscription/status/set',
      { subscription_groups: [{ subscription_group_id: GROUP, subscription_state: 'subscribed', emails: ['a@b.co'] }] },
    ],
  ] as const)('4: only a key with %s may call %s', async (permission, path, body) => {
    const others = ['users.track', 'users.delete', 'users.export.ids'] as const;
    const braze = await startBraze(
      {},
      {
        keys: [
          { key: KEY, permissions: [permission] },
          { key: 'other', permissions: others.filter((other) => other !== permission) },
        ],
      },
    );
    expect((await braze.post(path, body)).status).toBeLessThan(300);
    const denied = await braze.post(path, body, { Authorization: 'Bearer other' });
    expect(denied).toMatchObject({ status: 403, body: { message: 'Access Denied' } });
    braze.settings.missingPermissionStatus = 401;
    expect((await braze.post(path, body, { Authorization: 'Bearer other' })).status).toBe(401);
  });

  test('4: a blocked address gets the status that is set, whatever the key', async () => {
    const braze = await startBraze({ blockedAddressStatus: 403 });
    expect((await braze.track(ok)).status).toBe(403);
  });

  test.each(['', 'text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1'])(
    '5: Content-Type "%s" is unsupported',
    async (type) => {
      const braze = await startBraze();
      expect((await braze.post('/users/track', { attributes: [ok] }, { 'Content-Type': type })).status).toBe(415);
      expect(braze.users()).toEqual([]);
    },
  );

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset=UTF-8'])(
    '5: Content-Type "%s" is taken',
    async (type) => {
      const braze = await startBraze();
      expect((await braze.post('/users/track', { attributes: [ok] }, { 'Content-Type': type })).status).toBe(201);
    },
  );

  test.each([
    ['a trailing comma', '{"attributes": [{"external_id": "a"},]}'],
    ['a comment', '{"attributes": [] /* none */}'],
    ['an empty body', ''],
    ['a byte order mark', '\ufeff{"attributes": [{"external_id": "a"}]}'],
    ['NaN', '{"attributes": [{"external_id": "a", "n": NaN}]}'],
    [
      'bad UTF-8',
      Buffer.concat([Buffer.from('{"attributes":[{"external_id":"'), Buffer.of(0xff), Buffer.from('"}]}')]),
    ],
    ['an array', '[]'],
    ['a string', '"attributes"'],
    ['null', 'null'],
    ['a compressed body', gzipSync('{"attributes":[{"external_id":"a"}]}')],
  ])('6: %s as body is refused with an error', async (_, body) => {
    const braze = await startBraze();
    const reply = await braze.post('/users/track', body);
    expect(reply).toMatchObject({ status: 400, body: { error: expect.any(String) } });
    expect(braze.users()).toEqual([]);
  });

  test('6: a compressed body is read when gzip is switched on', async () => {
    const braze = await startBraze({ acceptGzip: true });
    const reply = await braze.post('/users/track', gzipSync('{"attributes":[{"external_id":"a"}]}'), {
      'Content-Encoding': 'gzip',
    });
    expect(reply.status).toBe(201);
    expect((await braze.track(ok)).status).toBe(201);
  });

  test.each([413, 400] as const)(
    '7: a body of one byte over the limit gets %i, one at the limit passes',
    async (status) => {
      const atLimit = JSON.stringify({ attributes: [ok] });
      const braze = await startBraze({ tooLargeStatus: status, maxBodyBytes: atLimit.length });
      expect((await braze.post('/users/track', atLimit)).status).toBe(201);
      expect((await braze.post('/users/track', `${atLimit} `)).status).toBe(status);
    },
  );

  test('7: the limit is 4 MB', async () => {
    const braze = await startBraze();
    const body = (bytes: number): string => JSON.stringify({ attributes: [ok] }).padEnd(bytes);
    expect((await braze.post('/users/track', body(4_000_000))).status).toBe(201);
    expect((await braze.post('/users/track', body(4_000_001))).status).toBe(413);
  });

  test('8: a bulk body over 2 MB is a bad request, and the same body is no trouble elsewhere', async () => {
    const braze = await startBraze();
    const body = JSON.stringify({ attributes: [ok] }).padEnd(2_000_001);
    expect((await braze.post('/users/track/bulk', body)).status).toBe(400);
    expect((await braze.post('/users/track', body)).status).toBe(201);
  });
});

describe('the arrays of /users/track', () => {
  test('9: an unknown top-level key is a finding, and is ignored without strict mode', async () => {
    const braze = await startBraze();
    const body = { attributes: [ok], atributes: [] };
    expect(await braze.post('/users/track', body)).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/^STRICT:/) },
    });
    expect(braze.findings()).toEqual([9]);
    braze.settings.strict = false;
    expect((await braze.post('/users/track', body)).status).toBe(201);
  });

  test.each([[{}], ['a'], [null], [[1]], [[ok, null]], [[ok, []]]])(
    '10: attributes %j are a bad request',
    async (attributes) => {
      const braze = await startBraze();
      expect((await braze.post('/users/track', { attributes })).status).toBe(400);
      expect(braze.users()).toEqual([]);
    },
  );

  test.each([[{}], [{ attributes: [] }], [{ attributes: [], events: [], purchases: [] }]])(
    '11: %j holds no data',
    async (body) => {
      const braze = await startBraze();
      expect(await braze.post('/users/track', body)).toMatchObject({ status: 400, body: { message: NO_VALID_DATA } });
    },
  );

  test('12: 75 objects pass and 76 do not', async () => {
    const braze = await startBraze();
    expect(await braze.track(...users(75))).toMatchObject({ status: 201, body: { attributes_processed: 75 } });
    const refused = await braze.track(...users(76));
    expect(refused).toMatchObject({ status: 400, body: { message: 'Max Input Length Exceeded' } });
  });

  test('12: the limit counts all arrays together, in legacy mode each on its own', async () => {
    const braze = await startBraze({ maxObjects: 2 });
    const two = [ok, { external_id: 'b' }];
    const body = { attributes: two, events: two, purchases: two };
    expect((await braze.post('/users/track', body)).status).toBe(400);
    braze.settings.legacyPerArray = true;
    expect((await braze.post('/users/track', body)).body).toMatchObject({
      attributes_processed: 2,
      events_processed: 2,
      purchases_processed: 2,
    });
    expect((await braze.track(...two, { external_id: 'c' })).status).toBe(400);
  });

  test('12: bulk takes 1,000 objects and 100 of one user, sync takes one', async () => {
    const braze = await startBraze();
    const bulk = (attributes: unknown[]) => braze.post('/users/track/bulk', { attributes });
    expect((await bulk(users(1000))).status).toBe(201);
    expect((await bulk(users(1001))).status).toBe(400);
    expect((await bulk(Array.from({ length: 100 }, () => ok))).status).toBe(201);
    expect((await bulk(Array.from({ length: 101 }, () => ok))).status).toBe(400);
    expect((await braze.post('/users/track/sync', { attributes: users(2) })).status).toBe(400);
  });
});

describe('answers of /users/track', () => {
  test('22: errors name type, array and index within that array, in the order of the request', async () => {
    const braze = await startBraze();
    const reply = await braze.post('/users/track', {
      purchases: [{ product_id: 'p' }],
      events: [{ external_id: 'ok', name: 'e' }, { name: 'e' }],
      attributes: [bad, ok, { external_id: 'x', email: 'no' }],
    });
    expect(reply.body).toMatchObject({
      errors: [
        { type: expect.any(String), input_array: 'attributes', index: 0 },
        { type: expect.any(String), input_array: 'attributes', index: 2 },
        { type: expect.any(String), input_array: 'events', index: 1 },
        { type: expect.any(String), input_array: 'purchases', index: 0 },
      ],
    });
  });

  test('22: the type is a sentence, or the documented code where one exists', async () => {
    const braze = await startBraze();
    const sentence = await braze.track(ok, { external_id: 'x', email: 'no' });
    expect(sentence.body).toMatchObject({ errors: [{ type: expect.stringMatching(/valid email/) }] });
    braze.settings.errorTypes = 'code';
    const code = await braze.track(ok, { external_id: 'x', email: 'no' });
    expect(code.body).toMatchObject({ errors: [{ type: 'EMAIL_BAD_FORMAT' }] });
  });

  test('23: a refused object changes nothing at all and the others apply', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: 'a', first_name: 'Ada', vip: true });
    await braze.track(
      { external_id: 'a', first_name: 'New', vip: false, email: 'no' },
      { external_id: 'b', vip: true },
    );
    expect(braze.user('a')).toMatchObject({ attributes: { first_name: 'Ada' }, customAttributes: { vip: true } });
    expect(braze.user('b')).toMatchObject({ customAttributes: { vip: true } });
  });

  test('24: some refused is a success that counts the accepted', async () => {
    const braze = await startBraze();
    const reply = await braze.track(ok, bad, { external_id: 'b' });
    expect(reply).toMatchObject({ status: 201, body: { message: 'success', attributes_processed: 2 } });
  });

  test('24: the count can be of distinct users instead of objects', async () => {
    const braze = await startBraze({ processedCounts: 'users' });
    expect((await braze.track(ok, ok)).body).toMatchObject({ attributes_processed: 1 });
  });

  test.each([
    [false, []],
    [true, ['ok']],
  ])(
    '24: with 400 for partial refusals, the others are applied only if set (%s)',
    async (applyOnPartial400, applied) => {
      const braze = await startBraze({ partialRefusalStatus: 400, applyOnPartial400 });
      const reply = await braze.track(bad, ok);
      expect(reply).toMatchObject({ status: 400, body: { message: NO_VALID_DATA, errors: [{ index: 0 }] } });
      expect(braze.users().map(({ externalId }) => externalId)).toEqual(applied);
    },
  );

  test('25: all refused is a bad request that names each', async () => {
    const braze = await startBraze();
    const reply = await braze.track(bad, { external_id: 'x', email: 'no' });
    expect(reply).toMatchObject({
      status: 400,
      body: { message: NO_VALID_DATA, errors: [{ index: 0 }, { index: 1 }] },
    });
    expect(braze.users()).toEqual([]);
  });

  test('26: success is 201 and counts only the arrays that were sent', async () => {
    const braze = await startBraze();
    const reply = await braze.track(ok);
    expect(reply).toMatchObject({ status: 201, body: { message: 'success', attributes_processed: 1 } });
    expect(Object.keys(Object(reply.body))).toEqual(['message', 'attributes_processed']);
    expect(reply.headers.get('content-type')).toBe('application/json');
  });

  test('26: a workspace that queues says so when it is set', async () => {
    const braze = await startBraze({ successStatus: 202, successMessage: 'queued' });
    expect(await braze.track(ok)).toMatchObject({ status: 202, body: { message: 'queued' } });
  });
});

describe('the log', () => {
  test('59: every request is logged with its outcome and without the key', async () => {
    const braze = await startBraze();
    await braze.track(ok, { external_id: 'b', note: `key ${KEY} here`, [KEY]: 1 });
    await braze.post('/users/track', '{');
    await braze.post(`/${KEY}`, { api_key: 'secret' }, { Authorization: `Bearer ${KEY}` });
    expect(braze.requests()).toEqual([
      {
        at: braze.clock.now(),
        method: 'POST',
        path: '/users/track',
        status: 201,
        body: { attributes: [ok, { external_id: 'b', note: 'key [key] here', '[key]': 1 }] },
        bodyBytes: expect.any(Number),
        objects: 2,
      },
      { at: braze.clock.now(), method: 'POST', path: '/users/track', status: 400, bodyBytes: 1, objects: 0 },
      expect.objectContaining({ path: '/[key]', status: 404, body: { api_key: '[key]' } }),
    ]);
    expect(JSON.stringify(braze.requests())).not.toContain(KEY);
  });

  test('59: an unknown key is not logged either', async () => {
    const braze = await startBraze();
    await braze.post(
      '/users/track',
      { attributes: [{ external_id: 'wrong-key' }] },
      { Authorization: 'Bearer wrong-key' },
    );
    expect(JSON.stringify(braze.requests())).not.toContain('wrong-key');
  });

  test('59: beyond the limit the oldest requests leave', async () => {
    const braze = await startBraze({ maxLoggedRequests: 2 });
    for (const id of ['a', 'b', 'c']) await braze.track({ external_id: id });
    expect(braze.requests().map(({ body }) => body)).toEqual([
      { attributes: [{ external_id: 'b' }] },
      { attributes: [{ external_id: 'c' }] },
    ]);
  });
});
