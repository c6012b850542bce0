import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { startBrazeEmulator } from '../../../local/braze/emulator.ts';
import { GROUP, KEY, startBraze } from './braze.ts';

describe('data points', () => {
  test.each([
    ['a standard attribute', { first_name: 'Ada' }, 1],
    ['each attribute', { first_name: 'Ada', country: 'GB', vip: true, score: 1 }, 4],
    ['consent and groups', { email_subscribe: 'opted_in', push_subscribe: 'subscribed' }, 0],
    ['groups', { subscription_groups: [{ subscription_group_id: GROUP, subscription_state: 'subscribed' }] }, 0],
    ['a whole array', { tags: ['a', 'b', 'c'] }, 1],
    ['an object, by its keys', { address: { city: 'London', zip: '1', geo: { lat: 1, long: 2 } } }, 4],
    ['an empty object', { address: {} }, 1],
    ['an array of objects, by their properties', { pets: [{ id: 1, name: 'Rex' }, { id: 2 }] }, 3],
    ['null', { first_name: null, vip: null }, 2],
  ])('58: %s costs its data points', async (_, attributes, points) => {
    const braze = await startBraze();
    await braze.set(attributes);
    expect(braze.dataPoints()).toBe(points);
  });

  test('58: an unchanged value is counted again', async () => {
    const braze = await startBraze();
    for (let round = 0; round < 3; round += 1) await braze.set({ vip: true });
    expect(braze.dataPoints()).toBe(3);
  });

  test('58: null on a scalar is free when so set, on an object it is not', async () => {
    const braze = await startBraze({ nullCostsPoint: false });
    braze.putUser({
      externalId: 'u',
      attributes: { first_name: 'A' },
      customAttributes: { vip: true, o: { a: 1, b: 2 } },
    });
    await braze.set({ first_name: null, vip: null, o: null });
    expect(braze.dataPoints()).toBe(1);
  });

  test('58: refused objects, deletions and identifiers are free', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: 'a', email: 'no', vip: true }, { email: 'ada@example.com' });
    await braze.post('/users/delete', { external_ids: ['a'] });
    expect(braze.dataPoints()).toBe(0);
  });

  test('58: values added or removed one by one cost one each', async () => {
    const braze = await startBraze({ strict: false });
    await braze.set({ tags: { add: ['a', 'b'] }, n: { inc: 5 }, pets: { $add: [{ id: 1, name: 'Rex' }] } });
    expect(braze.dataPoints()).toBe(5);
  });
});

describe('the state file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'braze-state-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('profiles and data points outlive the process, the log does not', async () => {
    const statePath = join(folder, 'nested', 'state.json');
    const first = await startBraze({}, { statePath });
    await first.track({ external_id: 'a', email: 'ada@example.com', vip: true, o: { a: [1, '2'] } });
    first.putUser({
      brazeId: 'b',
      aliases: [{ alias_name: 'n', alias_label: 'l' }],
      subscriptionGroups: { [GROUP]: 'unsubscribed' },
    });
    const users = first.users();
    await first.close();

    const second = await startBraze({}, { statePath });
    expect(second.users()).toEqual(users);
    expect(second.dataPoints()).toBe(3);
    expect(second.requests()).toEqual([]);
    await second.track({ email: 'ada@example.com', found: true }, { external_id: 'new' });
    expect(second.user('a')?.customAttributes).toMatchObject({ found: true });
    expect(new Set(second.users().map(({ brazeId }) => brazeId)).size).toBe(3);
  });

  test('save writes while it runs, and leaves no draft behind', async () => {
    const statePath = join(folder, 'saved.json');
    const braze = await startBraze({}, { statePath });
    await braze.track({ external_id: 'a' });
    await Promise.all([braze.save(), braze.save()]);
    expect(JSON.parse(readFileSync(statePath, 'utf8'))).toMatchObject({ users: [{ externalId: 'a' }] });
    expect(readdirSync(folder).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  test('closing keeps what was accepted but not yet applied', async () => {
    const statePath = join(folder, 'pending.json');
    const first = await startBraze({ applyDelayMs: 60_000 }, { statePath });
    await first.track({ external_id: 'a' });
    await first.close();
    await first.close();
    expect((await startBraze({}, { statePath })).users()).toHaveLength(1);
  });

  test('a file that is no state is refused by name and stays as it is', async () => {
    const statePath = join(folder, 'other.json');
    writeFileSync(statePath, '{"version":0}');
    await expect(startBrazeEmulator({ keys: [], statePath })).rejects.toThrow();
    expect(readFileSync(statePath, 'utf8')).toBe('{"version":0}');
  });

  test('without a path nothing is written', async () => {
    const braze = await startBraze();
    await braze.save();
    expect(existsSync('undefined')).toBe(false);
  });
});

describe('names of object internals', () => {
  const hostile =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","hasOwnProperty":1}';
  const body = `{"attributes":[${hostile.replace('{', '{"external_id":"u",')}]}`;

  test('are attributes like any other and reach no prototype', async () => {
    const braze = await startBraze();
    expect((await braze.post('/users/track', body)).status).toBe(201);
    expect(JSON.stringify(braze.user('u')?.customAttributes)).toBe(hostile);
    expect(Object.getPrototypeOf(braze.user('u')?.customAttributes)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
    expect(braze.violations()).toEqual([]);
  });

  test('merge, are removed, exported, logged and saved as such', async () => {
    const statePath = join(mkdtempSync(join(tmpdir(), 'braze-proto-')), 'state.json');
    const braze = await startBraze({}, { statePath });
    await braze.post('/users/track', `{"attributes":[{"external_id":"u","o":{"__proto__":{"a":1}}}]}`);
    await braze.post(
      '/users/track',
      `{"attributes":[{"external_id":"u","_merge_objects":true,"o":{"__proto__":{"b":2}}}]}`,
    );
    expect(JSON.stringify(braze.user('u')?.customAttributes)).toBe('{"o":{"__proto__":{"a":1,"b":2}}}');
    await braze.post('/users/track', body);
    const exported = await braze.post('/users/export/ids', { external_ids: ['u'] });
    expect(exported.text).toContain('"__proto__":{"polluted":1}');
    expect(JSON.stringify(braze.requests())).toContain('"__proto__":{"polluted":1}');
    await braze.close();
    const again = await startBraze({}, { statePath });
    expect(again.users()).toEqual(braze.users());
    expect(JSON.stringify(again.users())).toContain('"__proto__":{"polluted":1}');
    await again.post('/users/track', '{"attributes":[{"external_id":"u","__proto__":null,"constructor":null}]}');
    expect(Object.keys(again.user('u')?.customAttributes ?? {})).toEqual(['o', 'toString', 'hasOwnProperty']);
    rmSync(join(statePath, '..'), { recursive: true, force: true });
  });

  test('are ids and top-level keys without effect', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: '__proto__', vip: true }, { external_id: 'constructor' });
    expect(braze.users().map(({ externalId }) => externalId)).toEqual(['__proto__', 'constructor']);
    expect((await braze.post('/users/track', '{"__proto__":{"attributes":[{"external_id":"x"}]}}')).status).toBe(400);
    expect(braze.user('x')).toBeUndefined();
  });
});

describe('whatever is sent', () => {
  const names = fc.constantFrom(
    'external_id',
    'user_alias',
    'email',
    'phone',
    'country',
    'subscription_groups',
    'o',
    '_merge_objects',
  );
  const objects = fc.array(fc.dictionary(fc.oneof(names, fc.string()), fc.jsonValue()), { maxLength: 3 });

  test.each([true, false])('is accepted or refused, and breaks nothing (strict: %s)', async (strict) => {
    const braze = await startBraze({ strict });
    const property = fc.asyncProperty(objects, fc.jsonValue(), async (attributes, value) => {
      expect([201, 400]).toContain((await braze.post('/users/track', { attributes })).status);
      const paths = ['/users/delete', '/users/export/ids', '/v2/subscription/status/set'];
      for (const path of paths) {
        for (const body of [value, { external_ids: value }, { subscription_groups: value }]) {
          expect([200, 201, 400]).toContain((await braze.post(path, JSON.stringify(body))).status);
        }
      }
    });
    await fc.assert(property, { numRuns: 40, seed: 1 });
    expect(braze.violations().filter(({ rule }) => rule === 0)).toEqual([]);
  });

  test('a body nested beyond all reason is refused', async () => {
    const braze = await startBraze();
    const deep = `{"attributes":[{"external_id":"u","o":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`;
    expect((await braze.post('/users/track', deep)).status).toBe(400);
    expect(braze.violations()).toEqual([]);
  });
});

describe('the emulator as an object', () => {
  test('what it returns are copies', async () => {
    const braze = await startBraze();
    await braze.set({ tags: ['a'] });
    const [user] = braze.users();
    Object.assign(user?.customAttributes ?? {}, { tags: 'changed' });
    braze.requests().pop();
    Object.assign(Object(braze.requests()[0]?.body), { attributes: 'changed' });
    expect(braze.requests()[0]?.body).toEqual({ attributes: [{ external_id: 'u', tags: ['a'] }] });
    expect(braze.user('u')?.customAttributes).toEqual({ tags: ['a'] });
    expect(braze.requests()).toHaveLength(1);
  });

  test('a seeded user replaces the one with its id', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'a', attributes: { email: 'old@example.com' } });
    braze.putUser({ externalId: 'a', attributes: { email: 'new@example.com' } });
    await braze.track({ email: 'old@example.com' });
    expect(braze.users()).toMatchObject([{ externalId: 'a', attributes: { email: 'new@example.com' } }, {}]);
  });

  test('reset forgets everything but the settings', async () => {
    const braze = await startBraze({ applyDelayMs: 10, limits: { '/users/track': [{ requests: 1, perMs: 60_000 }] } });
    braze.fault({ kind: 'status', status: 500, path: '/users/delete' });
    await braze.track({ external_id: '' });
    await braze.track({ external_id: 'a' });
    braze.reset();
    expect([braze.users(), braze.requests(), braze.violations(), braze.dataPoints()]).toEqual([[], [], [], 0]);
    expect((await braze.track({ external_id: 'a' })).status).toBe(201);
    expect((await braze.post('/users/delete', { external_ids: ['b'] })).status).toBe(200);
    expect(braze.settings.applyDelayMs).toBe(10);
  });

  test('it listens on the loopback address and on the port that it is given', async () => {
    const braze = await startBraze();
    expect(braze.url).toBe(`http://127.0.0.1:${braze.port}`);
    await expect(startBrazeEmulator({ keys: [{ key: KEY }], port: braze.port })).rejects.toThrow('EADDRINUSE');
  });

  test('closing does not wait for answers that are held back', async () => {
    const braze = await startBraze();
    braze.fault({ kind: 'slow', delayMs: 60_000 });
    braze.fault({ kind: 'slow', until: new Promise(() => {}) });
    const outcomes = Promise.allSettled([braze.track({ external_id: 'a' }), braze.track({ external_id: 'b' })]);
    while (braze.users().length < 2) await new Promise((resolve) => setImmediate(resolve));
    await braze.close();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
