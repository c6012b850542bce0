import { GROUP, ids, OTHER_GROUP, startBraze } from './braze.ts';

const EMAIL = 'ada@example.com';
const groups = (...changes: Record<string, unknown>[]) => ({
  subscription_groups: changes.map((change) => ({
    subscription_group_id: GROUP,
    subscription_state: 'subscribed',
    ...change,
  })),
});

describe('/users/delete', () => {
  test('47: 50 ids pass and 51 do not', async () => {
    const braze = await startBraze();
    expect((await braze.post('/users/delete', { external_ids: ids(50) })).status).toBe(200);
    const refused = await braze.post('/users/delete', { external_ids: ids(51) });
    expect(refused).toMatchObject({ status: 400, body: { message: expect.stringContaining('max number of ids') } });
  });

  test('47: two kinds of ids are a finding', async () => {
    const braze = await startBraze();
    const body = { external_ids: ['a'], braze_ids: ['b'] };
    expect((await braze.post('/users/delete', body)).status).toBe(400);
    expect((await braze.post('/users/delete', { external_id: ['a'] })).status).toBe(400);
    expect(braze.findings()).toEqual([47, 47]);
    braze.settings.strict = false;
    expect((await braze.post('/users/delete', body)).status).toBe(200);
  });

  test.each([
    [{}],
    [{ external_ids: [] }],
    [{ external_ids: 'a' }],
    [{ external_ids: [1] }],
    [{ external_ids: [''] }],
    [{ braze_ids: [''] }],
    [{ braze_ids: [7] }],
    [{ user_aliases: ['a'] }],
    [{ email_addresses: ['a@b.co'] }],
    [{ email_addresses: [{ email: 'a@b.co', prioritization: ['newest'] }] }],
    [{ phone_numbers: [{ phone: '12' }] }],
  ])('47: %j is a bad request', async (body) => {
    const braze = await startBraze();
    expect((await braze.post('/users/delete', body)).status).toBe(400);
  });

  test.each([
    ['sent', 3],
    ['existing', 1],
  ] as const)('47: deleted counts the ids that are %s', async (deletedCount, deleted) => {
    const braze = await startBraze({ deletedCount, deleteStatus: 202 });
    braze.putUser({ externalId: 'a' });
    const reply = await braze.post('/users/delete', { external_ids: ['a', 'a', 'unknown'] });
    expect(reply).toMatchObject({ status: 202, body: { message: 'success', deleted } });
    expect(braze.users()).toEqual([]);
  });

  test('47: aliases and Braze ids delete as well', async () => {
    const braze = await startBraze();
    const alias = { alias_name: 'a', alias_label: 'crm' };
    braze.putUser({ brazeId: 'b1' });
    braze.putUser({ aliases: [alias] });
    await braze.post('/users/delete', { braze_ids: ['b1'] });
    await braze.post('/users/delete', { user_aliases: [alias] });
    expect(braze.users()).toEqual([]);
  });

  test.each([
    [[], ['new', 'old', 'anonymous']],
    [['identified'], ['new', 'old', 'anonymous']],
    [['unidentified'], ['new', 'old']],
    [['most_recently_updated'], ['old', 'anonymous']],
    [
      ['unidentified', 'most_recently_updated'],
      ['new', 'old'],
    ],
  ])('47: an email with prioritization %j leaves %j', async (prioritization, left) => {
    const braze = await startBraze();
    const attributes = { email: EMAIL };
    for (const brazeId of ['new', 'old']) {
      braze.putUser({
        brazeId,
        externalId: brazeId,
        attributes,
        updatedAt: `202${brazeId.length}-01-01T00:00:00.000Z`,
      });
    }
    braze.putUser({ brazeId: 'anonymous', attributes });
    await braze.track({ external_id: 'new', vip: true });
    await braze.post('/users/delete', { email_addresses: [{ email: EMAIL, prioritization }] });
    expect(braze.users().map(({ brazeId }) => brazeId)).toEqual(left);
  });

  test('48: deleting an unknown id succeeds, and a profile disappears after the delay', async () => {
    const braze = await startBraze({ deleteDelayMs: 1000 });
    braze.putUser({ externalId: 'a' });
    expect((await braze.post('/users/delete', { external_ids: ['a', 'unknown'] })).status).toBe(200);
    braze.clock.advance(999);
    expect(braze.users()).toHaveLength(1);
    braze.clock.advance(1);
    expect(braze.users()).toEqual([]);
    expect(braze.violations()).toEqual([]);
  });

  test('48: an upsert after a deletion makes a new, empty profile', async () => {
    const braze = await startBraze();
    await braze.track({ external_id: 'a', vip: true });
    const before = braze.user('a')?.brazeId;
    await braze.post('/users/delete', { external_ids: ['a'] });
    await braze.track({ external_id: 'a', score: 1 });
    expect(braze.user('a')?.customAttributes).toEqual({ score: 1 });
    expect(braze.user('a')?.brazeId).not.toBe(before);
  });
});

describe('/v2/subscription/status/set', () => {
  test.each([
    ['51 users', groups({ external_ids: ids(51) })],
    ['emails with phones', groups({ emails: [EMAIL], phones: ['+14155550100'] })],
    ['emails and phones in two groups', groups({ emails: [EMAIL] }, { phones: ['+14155550100'] })],
    ['a bad state', groups({ external_ids: ['a'], subscription_state: 'opted_in' })],
    ['a bad UUID', groups({ external_ids: ['a'], subscription_group_id: 'vip' })],
    ['a phone that is not E.164', groups({ phones: ['4155550100'] })],
    ['no users', groups({})],
    ['empty lists', groups({ external_ids: [] })],
    ['a number as id', groups({ external_ids: [1] })],
    ['a flag that is no boolean', groups({ external_ids: ['a'], use_double_opt_in_logic: 'no' })],
    ['no groups', groups()],
    ['no array', { subscription_groups: {} }],
  ])('49: %s is a bad request and changes nothing', async (_, body) => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'a', attributes: { email: EMAIL, phone: '+14155550100' } });
    expect((await braze.post('/v2/subscription/status/set', body)).status).toBe(400);
    expect(braze.user('a')?.subscriptionGroups).toEqual({});
    expect(braze.violations()).toEqual([]);
  });

  test('49: an unknown key is a finding', async () => {
    const braze = await startBraze();
    await braze.post('/v2/subscription/status/set', groups({ external_id: ['a'], external_ids: ['a'] }));
    expect(braze.findings()).toEqual([49]);
  });

  test('49: 50 users pass in each list, or in the whole request when so set', async () => {
    const braze = await startBraze();
    const body = groups({ external_ids: ids(50) }, { external_ids: ids(50), subscription_group_id: OTHER_GROUP });
    expect((await braze.post('/v2/subscription/status/set', body)).status).toBe(201);
    braze.settings.subscriptionUsersLimit = 'request';
    expect((await braze.post('/v2/subscription/status/set', body)).status).toBe(400);
  });

  test.each([
    ['accepted', 201],
    ['refused', 400],
  ] as const)('49: unknown users are %s when so set, and are not created', async (unknownSubscriptionUsers, status) => {
    const braze = await startBraze({ unknownSubscriptionUsers });
    expect((await braze.post('/v2/subscription/status/set', groups({ external_ids: ['a'] }))).status).toBe(status);
    expect(braze.users()).toEqual([]);
  });

  test('50: a change by email or phone reaches every profile that shares it, one by external_id only its own', async () => {
    const braze = await startBraze();
    const states = () => braze.users().map(({ subscriptionGroups }) => subscriptionGroups[GROUP]);
    for (const externalId of ['a', 'b']) {
      braze.putUser({ externalId, attributes: { email: EMAIL, phone: '+14155550100' } });
    }
    braze.putUser({ externalId: 'c', attributes: { email: 'other@example.com' } });
    await braze.post('/v2/subscription/status/set', groups({ external_ids: ['a'] }));
    expect(states()).toEqual(['subscribed', undefined, undefined]);
    await braze.post('/v2/subscription/status/set', groups({ emails: [EMAIL] }));
    expect(states()).toEqual(['subscribed', 'subscribed', undefined]);
    const off = groups({ phones: ['+14155550100'], subscription_state: 'unsubscribed' });
    await braze.post('/v2/subscription/status/set', off);
    expect(states()).toEqual(['unsubscribed', 'unsubscribed', undefined]);
  });

  test('50: a change in /users/track reaches the profiles that share the new email, and makes the user', async () => {
    const braze = await startBraze();
    braze.putUser({ externalId: 'a', attributes: { email: EMAIL } });
    await braze.track({ external_id: 'b', email: EMAIL, ...groups({}) });
    expect(braze.users().map(({ subscriptionGroups }) => subscriptionGroups)).toEqual([
      { [GROUP]: 'subscribed' },
      { [GROUP]: 'subscribed' },
    ]);
    expect(braze.dataPoints()).toBe(1);
  });
});

describe('/users/export/ids', () => {
  test('57: known users and unknown ids come apart, without null, false and empty fields', async () => {
    const braze = await startBraze();
    braze.putUser({
      externalId: 'a',
      attributes: { first_name: 'Ada', last_name: '', email_open_tracking_disabled: false },
      customAttributes: { vip: true, lost: false, tags: [], note: '', address: {}, score: 0 },
    });
    const reply = await braze.post('/users/export/ids', { external_ids: ['a', 'x', 'a'] });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      message: 'success',
      users: [
        {
          external_id: 'a',
          braze_id: expect.any(String),
          created_at: expect.any(String),
          first_name: 'Ada',
          custom_attributes: { vip: true, score: 0 },
        },
      ],
      invalid_user_ids: ['x'],
    });
  });

  test('57: only unknown ids give no users', async () => {
    const braze = await startBraze();
    const reply = await braze.post('/users/export/ids', { external_ids: ['x'] });
    expect(reply.body).toEqual({ message: 'success', users: [], invalid_user_ids: ['x'] });
  });

  test('57: only the wanted fields are exported', async () => {
    const braze = await startBraze({ exportOmitsEmptyCustom: false });
    braze.putUser({ externalId: 'a', attributes: { first_name: 'Ada' }, customAttributes: { lost: false } });
    const fields = ['external_id', 'custom_attributes', 'last_name'];
    const reply = await braze.post('/users/export/ids', { external_ids: ['a'], fields_to_export: fields });
    expect(reply.body).toEqual({
      message: 'success',
      users: [{ external_id: 'a', custom_attributes: { lost: false } }],
    });
  });

  test('57: aliases are found too', async () => {
    const braze = await startBraze();
    const alias = { alias_name: 'a', alias_label: 'crm' };
    braze.putUser({ brazeId: 'b1', aliases: [alias] });
    const unknown = { alias_name: 'x', alias_label: 'crm' };
    const reply = await braze.post('/users/export/ids', {
      user_aliases: [alias, unknown],
      fields_to_export: ['braze_id'],
    });
    expect(reply.body).toEqual({ message: 'success', users: [{ braze_id: 'b1' }], invalid_user_ids: [unknown] });
  });

  test('57: 50 ids pass and 51 do not', async () => {
    const braze = await startBraze();
    expect((await braze.post('/users/export/ids', { external_ids: ids(50) })).status).toBe(201);
    expect((await braze.post('/users/export/ids', { external_ids: ids(51) })).status).toBe(400);
  });

  test.each([
    [{}],
    [{ external_ids: [] }],
    [{ external_ids: [1] }],
    [{ external_ids: ['a'], fields_to_export: 'email' }],
  ])('57: %j is a bad request', async (body) => {
    const braze = await startBraze();
    expect((await braze.post('/users/export/ids', body)).status).toBe(400);
  });

  test('57: an unknown key is a finding', async () => {
    const braze = await startBraze();
    await braze.post('/users/export/ids', { external_ids: ['a'], fields: ['email'] });
    expect(braze.findings()).toEqual([57]);
  });
});
