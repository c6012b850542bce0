import { START_MS, startBraze } from './braze.ts';

const alias = (name: string) => ({ alias_name: name, alias_label: 'crm' });

describe('identifiers', () => {
  test.each([
    [{ first_name: 'Ada' }],
    [{ first_name: 'Ada', email: null }],
    [{ user_alias: { alias_name: 'a' }, first_name: 'Ada' }],
    [{ user_alias: 'a' }],
    [{ braze_id: 7 }],
  ])('13: %j has no identifier and is refused', async (object) => {
    const braze = await startBraze();
    expect(await braze.track(object, { external_id: 'ok' })).toMatchObject({
      status: 201,
      body: { errors: [{ index: 0 }] },
    });
    expect(braze.users()).toHaveLength(1);
    expect(braze.violations()).toEqual([]);
  });

  test('13: a push token import needs no identifier and makes no profile', async () => {
    const braze = await startBraze();
    const object = { push_token_import: true, push_tokens: [{ app_id: 'app', token: 't', device_id: '12345678' }] };
    expect((await braze.track(object)).status).toBe(201);
    expect(braze.users()).toEqual([]);
  });

  test.each([
    [{ external_id: 'a', user_alias: alias('a') }],
    [{ external_id: 'a', braze_id: 'b' }],
    [{ braze_id: 'b', user_alias: alias('a') }],
    [{ external_id: 'a', braze_id: null }],
  ])('14: %j has two primary identifiers and is refused', async (object) => {
    const braze = await startBraze();
    expect(await braze.track(object)).toMatchObject({ status: 400, body: { errors: [{ index: 0 }] } });
    expect(braze.users()).toEqual([]);
  });

  test.each([[12], [null], [true], [['a']], [{}]])('15: external_id %j is no string and is refused', async (id) => {
    const braze = await startBraze();
    expect((await braze.track({ external_id: id, email: 'ada@example.com' })).status).toBe(400);
    expect(braze.violations()).toEqual([]);
  });

  test('15: an empty external_id is a finding', async () => {
    const braze = await startBraze();
    expect((await braze.track({ external_id: '' })).body).toMatchObject({
      errors: [{ type: expect.stringMatching(/^STRICT:/) }],
    });
    expect(braze.findings()).toEqual([15]);
  });

  test.each([
    ['ASCII', 'a'.repeat(987), 'a'.repeat(988)],
    ['two-byte letters', `${'é'.repeat(493)}a`, 'é'.repeat(494)],
    ['emoji', `${'😀'.repeat(246)}abc`, `${'😀'.repeat(247)}`],
  ])('16: external_id of 987 bytes is accepted and of 988 refused, counted in bytes (%s)', async (_, fits, tooLong) => {
    expect([Buffer.byteLength(fits), Buffer.byteLength(tooLong)]).toEqual([987, 988]);
    const braze = await startBraze();
    const reply = await braze.track({ external_id: fits }, { external_id: tooLong });
    expect(reply.body).toMatchObject({ attributes_processed: 1, errors: [{ index: 1 }] });
    expect(braze.users().map(({ externalId }) => externalId)).toEqual([fits]);
  });

  test('17: a blocked external_id is refused', async () => {
    const braze = await startBraze({ blockedExternalIds: ['dummy'], errorTypes: 'code' });
    const reply = await braze.track({ external_id: 'dummy' }, { external_id: 'Dummy' });
    expect(reply.body).toMatchObject({ errors: [{ type: 'BLACKLISTED_EXTERNAL_USER_ID', index: 0 }] });
    expect(braze.users()).toHaveLength(1);
  });
});

describe('creation and lookup', () => {
  test('27: an unknown external_id makes a profile, case included', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: 'Ada', first_name: 'Ada' });
    await braze.track({ external_id: 'ada' });
    expect(braze.users()).toEqual([
      {
        brazeId: expect.any(String),
        externalId: 'Ada',
        aliases: [],
        attributes: { first_name: 'Ada' },
        customAttributes: {},
        subscriptionGroups: {},
        createdAt: new Date(START_MS).toISOString(),
        updatedAt: new Date(START_MS).toISOString(),
      },
      expect.objectContaining({ externalId: 'ada' }),
    ]);
  });

  test('28: update-only for an unknown user is a counted success that makes no profile', async () => {
    const braze = await startBraze();
    const reply = await braze.track({ external_id: 'a', _update_existing_only: true, vip: true });
    expect(reply).toMatchObject({ status: 201, body: { attributes_processed: 1 } });
    expect(reply.body).not.toHaveProperty('errors');
    expect(braze.users()).toEqual([]);
    expect(braze.dataPoints()).toBe(0);
  });

  test('28: update-only for a known user updates', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'a' });
    await braze.track({ external_id: 'a', _update_existing_only: true, vip: true });
    expect(braze.user('a')?.customAttributes).toEqual({ vip: true });
  });

  test('29: an unknown alias makes a profile only when update-only is denied', async () => {
    const braze = await startBraze();
    expect((await braze.track({ user_alias: alias('a'), vip: true })).status).toBe(201);
    expect(braze.users()).toEqual([]);
    await braze.track({ user_alias: alias('a'), _update_existing_only: false, vip: true });
    await braze.track({ user_alias: alias('a'), score: 1 });
    expect(braze.users()).toMatchObject([{ aliases: [alias('a')], customAttributes: { vip: true, score: 1 } }]);
  });

  test('30: an update-only flag that is no boolean is a finding', async () => {
    const braze = await startBraze();
    expect((await braze.track({ external_id: 'a', _update_existing_only: 'true' })).status).toBe(400);
    expect(braze.findings()).toEqual([30]);
    braze.settings.strict = false;
    expect((await braze.track({ external_id: 'a', _update_existing_only: 'true' })).status).toBe(201);
  });

  test('31: a new external_id with an email in use makes a second profile', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: 'a', email: 'ada@example.com' });
    await braze.track({ external_id: 'b', email: 'ada@example.com' });
    expect(braze.users().map(({ attributes }) => attributes.email)).toEqual(['ada@example.com', 'ada@example.com']);
  });

  test('32: with an external_id, the email is an attribute and finds nobody', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'a', attributes: { email: 'ada@example.com' } });
    braze.putUser({ externalId: 'b', attributes: { email: 'bob@example.com' } });
    await braze.track({ external_id: 'b', email: 'ada@example.com', vip: true });
    expect(braze.user('a')?.customAttributes).toEqual({});
    expect(braze.user('b')).toMatchObject({
      attributes: { email: 'ada@example.com' },
      customAttributes: { vip: true },
    });
  });

  test('33: a lookup by email takes the last updated profile that has an external_id', async () => {
    const braze = await startBraze();
    const attributes = { email: 'ada@example.com' };
    braze.putUser({ brazeId: 'old', externalId: 'old', attributes, updatedAt: '2025-01-01T00:00:00.000Z' });
    braze.putUser({ brazeId: 'new', externalId: 'new', attributes, updatedAt: '2025-06-01T00:00:00.000Z' });
    braze.putUser({ brazeId: 'anonymous', attributes, updatedAt: '2025-12-01T00:00:00.000Z' });
    await braze.track({ email: 'ada@example.com', vip: true });
    expect(braze.users().filter(({ customAttributes }) => customAttributes.vip)).toMatchObject([{ brazeId: 'new' }]);
  });

  test('33: without any external_id it takes the last updated', async () => {
    const braze = await startBraze();
    const attributes = { email: 'ada@example.com' };
    braze.putUser({ brazeId: 'new', attributes, updatedAt: '2025-06-01T00:00:00.000Z' });
    braze.putUser({ brazeId: 'old', attributes, updatedAt: '2025-01-01T00:00:00.000Z' });
    await braze.track({ email: 'ada@example.com', vip: true });
    expect(braze.users().filter(({ customAttributes }) => customAttributes.vip)).toMatchObject([{ brazeId: 'new' }]);
  });

  test('33: an unknown email makes an email-only profile, and wins over a phone', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'p', attributes: { phone: '+14155550100' } });
    await braze.track({ email: 'ada@example.com', phone: '+14155550100', vip: true });
    expect(braze.user('p')?.customAttributes).toEqual({});
    expect(braze.users()[1]).toMatchObject({ attributes: { email: 'ada@example.com', phone: '+14155550100' } });
    expect(braze.users()[1]).not.toHaveProperty('externalId');
  });

  test('33: a lookup by phone reads ten digits as a number of the US', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'p', attributes: { phone: '+14155550100' } });
    await braze.track({ phone: '(415) 555-0100', vip: true });
    expect(braze.user('p')).toMatchObject({ attributes: { phone: '+14155550100' }, customAttributes: { vip: true } });
  });

  test('33: a braze_id finds its profile and makes none', async () => {
    const braze = await startBraze();
    braze.putUser({ brazeId: 'b1', externalId: 'a' });
    await braze.track({ braze_id: 'b1', vip: true }, { braze_id: 'b2', vip: true });
    expect(braze.users()).toMatchObject([{ externalId: 'a', customAttributes: { vip: true } }]);
  });
});
