import { GROUP, OTHER_GROUP, startBraze } from './braze.ts';

const long = (characters: number): string => 'x'.repeat(characters);

describe('standard attributes', () => {
  test.each([
    'plain',
    'a@b',
    'a b@example.com',
    '@example.com',
    'a@@example.com',
    'a..b@example.com',
    '.a@example.com',
    'a@example..com',
    'a@-example.com',
    'a@example.com ',
    '',
    7,
    true,
  ])('18: email %j is refused', async (email) => {
    const braze = await startBraze();
    expect((await braze.track({ external_id: 'u', email })).status).toBe(400);
    expect(braze.users()).toEqual([]);
    expect(braze.violations()).toEqual([]);
  });

  test.each(['ada@example.com', "o'neil+tag@mail.example.co.uk", 'a_b-c.d@xn--bcher-kva.example'])(
    '18: email %s is stored',
    async (email) => {
      const braze = await startBraze();
      expect(await braze.set({ email })).toMatchObject({ attributes: { email } });
    },
  );

  test('18: letters beyond ASCII are taken unless that is set otherwise', async () => {
    const braze = await startBraze();
    const email = 'jörg@bücher.example';
    expect(await braze.set({ email })).toMatchObject({ attributes: { email } });
    braze.settings.unicodeEmails = false;
    expect((await braze.track({ external_id: 'u', email })).status).toBe(400);
  });

  describe.each(['email_subscribe', 'push_subscribe'])('%s', (name) => {
    test.each(['opted_in', 'subscribed', 'unsubscribed'])(`19: ${name} %s is stored`, async (state) => {
      const braze = await startBraze();
      expect((await braze.set({ [name]: state }))?.attributes).toEqual({ [name]: state });
    });

    test.each(['', 'Subscribed', 'yes', true, 1])(`19: ${name} %j is refused`, async (state) => {
      const braze = await startBraze();
      expect(await braze.set({ [name]: state })).toBeUndefined();
      expect(braze.violations()).toEqual([]);
    });

    test(`19: null as ${name} is a finding, and what it does otherwise is set`, async () => {
      const braze = await startBraze();
      await braze.set({ [name]: 'opted_in' });
      await braze.set({ [name]: null });
      expect(braze.findings()).toEqual([19]);
      braze.settings.strict = false;
      expect((await braze.set({ [name]: null }))?.attributes).toEqual({ [name]: 'opted_in' });
      braze.settings.nullConsent = 'refused';
      expect((await braze.track({ external_id: 'u', [name]: null })).status).toBe(400);
      braze.settings.nullConsent = 'removed';
      expect((await braze.set({ [name]: null }))?.attributes).toEqual({});
    });
  });

  test('20: four faults of subscription_groups are told apart', async () => {
    const braze = await startBraze({ errorTypes: 'code' });
    const good = { subscription_group_id: GROUP, subscription_state: 'subscribed' };
    const faults = [
      good,
      [GROUP],
      [{ ...good, subscription_group_id: 'not-a-uuid' }],
      [good, { ...good, subscription_state: 'opted_in' }],
    ];
    const reply = await braze.track(
      ...faults.map((groups, index) => ({ external_id: `u${index}`, subscription_groups: groups })),
    );
    expect(reply).toMatchObject({
      status: 400,
      body: {
        errors: [
          { type: 'BAD_SUBSCRIPTION_GROUP_ARRAY', index: 0 },
          { type: 'BAD_SUBSCRIPTION_GROUP_HASH', index: 1 },
          { type: 'BAD_SUBSCRIPTION_GROUP_ID', index: 2 },
          { type: 'BAD_SUBSCRIPTION_GROUP_STATE', index: 3 },
        ],
      },
    });
    expect(braze.violations()).toEqual([]);
  });

  test('20: well-formed groups are stored, and a group that does not exist is refused when the known are listed', async () => {
    const braze = await startBraze({ knownSubscriptionGroups: [GROUP] });
    const group = (id: string) => [{ subscription_group_id: id, subscription_state: 'subscribed' }];
    const user = await braze.set({ subscription_groups: group(GROUP) });
    expect(user?.subscriptionGroups).toEqual({ [GROUP]: 'subscribed' });
    expect((await braze.track({ external_id: 'u', subscription_groups: group(OTHER_GROUP) })).status).toBe(400);
  });

  test('20: null as subscription_groups is a finding', async () => {
    const braze = await startBraze();
    await braze.set({ subscription_groups: null });
    expect(braze.findings()).toEqual([20]);
  });

  test.each([
    ['current_location', 'Berlin'],
    ['current_location', {}],
    ['current_location', { longitude: 13.4 }],
    ['current_location', { longitude: '13.4', latitude: '52.5' }],
    ['current_location', { longitude: 13.4, latitude: 91 }],
    ['current_location', { longitude: 181, latitude: 0 }],
    ['email_subscription_info', {}],
    ['push_tokens', 'token'],
    ['push_tokens', [{ app_id: 'a' }]],
    ['push_tokens', [{ app_id: 'a', token: 't', device_id: 'short' }]],
  ])('21: %s %j is refused', async (name, value) => {
    const braze = await startBraze();
    expect(await braze.set({ [name]: value })).toBeUndefined();
    expect(braze.violations()).toEqual([]);
  });

  test('21: a location is stored', async () => {
    const braze = await startBraze();
    const current_location = { longitude: 13.4, latitude: 52.5 };
    expect((await braze.set({ current_location }))?.attributes).toEqual({ current_location });
  });

  test('34: null removes standard and custom attributes and is nothing for absent ones', async () => {
    const braze = await startBraze();
    await braze.set({ first_name: 'Ada', email: 'ada@example.com', vip: true, address: { city: 'London' } });
    const user = await braze.set({ email: null, last_name: null, vip: null, address: null, never: null });
    expect(user).toMatchObject({ attributes: { first_name: 'Ada' }, customAttributes: {} });
    expect(user?.attributes).toEqual({ first_name: 'Ada' });
    expect(user?.customAttributes).toEqual({});
    expect(braze.violations()).toEqual([]);
  });

  test('34: an email that was removed is found no more', async () => {
    const braze = await startBraze();
    await braze.set({ email: 'ada@example.com' });
    await braze.set({ email: null });
    await braze.track({ email: 'ada@example.com' });
    expect(braze.users()).toHaveLength(2);
  });

  test('35: the empty string is stored, apart from absence', async () => {
    const braze = await startBraze();
    const user = await braze.set({ first_name: '', note: '' });
    expect(user).toMatchObject({ attributes: { first_name: '' }, customAttributes: { note: '' } });
  });

  test.each(['First_Name', 'EMAIL', 'Country', 'External_ID', 'Subscription_Groups'])(
    '36: %s is a finding, and a custom attribute without strict mode',
    async (name) => {
      const braze = await startBraze();
      expect(await braze.set({ [name]: 'x' })).toBeUndefined();
      expect(braze.findings()).toEqual([36]);
      braze.settings.strict = false;
      expect((await braze.set({ [name]: 'x' }))?.customAttributes).toEqual({ [name]: 'x' });
    },
  );

  test.each([
    ['de', 'DE'],
    ['Germany', 'DE'],
    ['USA', undefined],
    ['UK', undefined],
    ['XX', undefined],
    ['', undefined],
    [49, undefined],
  ])('37: country %j is a finding, and is stored as %j without strict mode', async (country, expected) => {
    const braze = await startBraze();
    await braze.set({ country: 'FR' });
    await braze.set({ country });
    expect(braze.findings()).toEqual([37]);
    expect(braze.user('u')?.attributes).toEqual({ country: 'FR' });
    braze.settings.strict = false;
    expect((await braze.set({ country }))?.attributes).toEqual(expected === undefined ? {} : { country: expected });
  });

  test.each(['DE', 'GB', 'US', 'XK'])('37: country %s passes only if ISO has assigned it', async (country) => {
    const braze = await startBraze();
    await braze.set({ country });
    expect(braze.findings()).toEqual(country === 'XK' ? [37] : []);
  });

  test.each(['Mars/Olympus', 'europe/berlin', '+01:00', 'CET+1', '', 1])(
    '38: time_zone %j is a finding, and is not set without strict mode',
    async (time_zone) => {
      const braze = await startBraze();
      await braze.set({ time_zone: 'Europe/Berlin' });
      await braze.set({ time_zone });
      expect(braze.findings()).toEqual([38]);
      braze.settings.strict = false;
      expect((await braze.set({ time_zone }))?.attributes).toEqual({ time_zone: 'Europe/Berlin' });
    },
  );

  test.each(['Europe/Berlin', 'America/New_York', 'US/Eastern', 'Asia/Kolkata', 'Asia/Calcutta', 'UTC', 'Etc/GMT+5'])(
    '38: time_zone %s is stored',
    async (time_zone) => {
      const braze = await startBraze();
      expect((await braze.set({ time_zone }))?.attributes).toEqual({ time_zone });
    },
  );

  test('38: the known names can be listed, and Rails-style names are stored without strict mode', async () => {
    const braze = await startBraze({ ianaTimeZones: ['Europe/Berlin'] });
    await braze.set({ time_zone: 'Europe/Paris' });
    await braze.set({ time_zone: 'Eastern Time (US & Canada)' });
    expect(braze.findings()).toEqual([38, 38]);
    braze.settings.strict = false;
    const user = await braze.set({ time_zone: 'Eastern Time (US & Canada)' });
    expect(user?.attributes).toEqual({ time_zone: 'Eastern Time (US & Canada)' });
  });

  test.each([
    ['gender', 'f'],
    ['gender', 'Female'],
    ['gender', ''],
    ['dob', '2000-02-30'],
    ['dob', '01/02/2000'],
    ['dob', '2000-01-01T00:00:00Z'],
    ['language', 'EN'],
    ['language', 'en-US'],
    ['language', 'xx'],
    ['phone', '12345'],
    ['phone', '+1 415 555 0100 ext 5'],
    ['phone', '+123456'],
    ['phone', '+1234567890123456'],
    ['phone', 14155550100],
    ['first_name', 7],
    ['email_open_tracking_disabled', 'true'],
    ['date_of_first_session', 'yesterday'],
    ['image_url', 'no url'],
    ['image_url', `https://example.com/${long(1005)}`],
    ['facebook', 'ada'],
  ])('39: %s %j is a finding, and is not stored without strict mode', async (name, value) => {
    const braze = await startBraze();
    expect(await braze.set({ [name]: value })).toBeUndefined();
    expect(braze.findings()).toEqual([39]);
    braze.settings.strict = false;
    expect((await braze.set({ [name]: value }))?.attributes).toEqual({});
  });

  test.each([
    ['gender', 'N', 'N'],
    ['dob', '2000-02-29', '2000-02-29'],
    ['language', 'en', 'en'],
    ['phone', '+1 (415) 555-0100', '+14155550100'],
    ['phone', '415.555.0100', '4155550100'],
    ['phone', '+1234567', '+1234567'],
    ['home_city', 'São Paulo', 'São Paulo'],
    ['email_click_tracking_disabled', false, false],
    ['date_of_last_session', '2026-01-02', '2026-01-02T00:00:00.000Z'],
    ['image_url', `https://example.com/${long(1004)}`, `https://example.com/${long(1004)}`],
    ['twitter', { id: 5 }, { id: 5 }],
  ])('39: %s %j is stored', async (name, value, expected) => {
    const braze = await startBraze();
    expect((await braze.set({ [name]: value }))?.attributes).toEqual({ [name]: expected });
    expect(braze.violations()).toEqual([]);
  });
});

describe('custom attributes', () => {
  test.each([
    ['a name of 256 characters', { [long(256)]: 1 }],
    ['an empty name', { '': 1 }],
    ['a nested key with a space', { o: { 'a b': 1 } }],
    ['a nested key with a dot', { o: { inner: { 'a.b': 1 } } }],
    ['a nested key with $', { o: [{ $a: 1 }] }],
    ['a nested key of 256 characters', { o: { [long(256)]: 1 } }],
    ['an empty nested key', { o: { '': 1 } }],
  ])('40: %s is a finding, and is not stored without strict mode', async (_, attributes) => {
    const braze = await startBraze();
    expect(await braze.set(attributes)).toBeUndefined();
    expect(braze.findings()).toEqual([40]);
    braze.settings.strict = false;
    expect((await braze.set(attributes))?.customAttributes).toEqual({});
  });

  test.each([[long(255)], ['Größe (cm)'], ['a.b $ c'], ['😀'.repeat(255)]])(
    '40: the name %s is taken',
    async (name) => {
      const braze = await startBraze();
      expect((await braze.set({ [name]: 1 }))?.customAttributes).toEqual({ [name]: 1 });
      expect(braze.violations()).toEqual([]);
    },
  );

  test.each([
    ['standard', { first_name: long(256) }],
    ['custom', { note: long(256) }],
    ['in an array', { notes: ['a', long(256)] }],
    ['nested', { o: { note: long(256) } }],
  ])(
    '41: a string of 256 characters is a finding, and is not stored without strict mode (%s)',
    async (_, attributes) => {
      const braze = await startBraze();
      expect(await braze.set(attributes)).toBeUndefined();
      expect(braze.findings()).toEqual([41]);
      braze.settings.strict = false;
      expect(await braze.set(attributes)).toMatchObject({ attributes: {}, customAttributes: {} });
    },
  );

  test('41: 255 characters pass, counted as characters and not as bytes or code units', async () => {
    const braze = await startBraze();
    const note = '😀'.repeat(255);
    expect((await braze.set({ note }))?.customAttributes).toEqual({ note });
    await braze.set({ note: `${note}x` });
    expect(braze.findings()).toEqual([41]);
  });

  test.each([
    ['dropped', 201, 'before'],
    ['truncated', 201, long(255)],
    ['refused', 400, 'before'],
  ] as const)(
    '41: without strict mode an over-long string is %s when so set',
    async (overLongStrings, status, stored) => {
      const braze = await startBraze({ strict: false, overLongStrings });
      await braze.set({ note: 'before' });
      expect((await braze.track({ external_id: 'u', note: long(300) })).status).toBe(status);
      expect(braze.user('u')?.customAttributes).toEqual({ note: stored });
    },
  );

  test.each([
    ['2026-09-15', '2026-09-15T00:00:00.000Z'],
    ['2026-09-15T10:20:30Z', '2026-09-15T10:20:30.000Z'],
    ['2026-09-15T10:20:30.123456+02:00', '2026-09-15T08:20:30.123Z'],
    ['2026-09-15T23:30:00-0130', '2026-09-16T01:00:00.000Z'],
    ['2026-09-15T23:59:59Z', '2026-09-15T23:59:59.000Z'],
    ['2026-09-15T10:20', '2026-09-15T10:20:00.000Z'],
    ['2026-09-15T10:20:30:456Z', '2026-09-15T10:20:30.456Z'],
    ['2026-09-15T10:20:30', '2026-09-15T10:20:30.000Z'],
    ['2026-09-15 10:20:30', '2026-09-15T10:20:30.000Z'],
    ['09/15/2026', '2026-09-15T00:00:00.000Z'],
    ['Tue 09 15 10:20:30.+01:00 2026', '2026-09-15T09:20:30.000Z'],
    ['3000-12-31', '3000-12-31T00:00:00.000Z'],
    ['0000-01-01', '0000-01-01T00:00:00.000Z'],
  ])('42: the string %s reads back as the time %s', async (text, time) => {
    const braze = await startBraze();
    expect((await braze.set({ at: text }))?.customAttributes).toEqual({ at: time });
  });

  test.each([
    '2026-9-15',
    '15.09.2026',
    '15/09/2026',
    '2026-02-29',
    '2026-13-01',
    '2026-09-15T24:00:00Z',
    '2026-09-15T10:60:00Z',
    '2026-09-15T10:20:60Z',
    '2026-09-15 10:20',
    '2026-09-15T10:20:30+99:00',
    '3001-01-01',
    '-0001-01-01',
    '20260915',
    '1757894400',
    '2026-W38-2',
    ' 2026-09-15',
    'yesterday',
  ])('42: the string %s stays a string', async (text) => {
    const braze = await startBraze();
    expect((await braze.set({ at: text }))?.customAttributes).toEqual({ at: text });
  });

  test('43: an array loses repetitions, the last keeping its place', async () => {
    const braze = await startBraze();
    const user = await braze.set({ tags: ['a', 'b', 'a', 1, '1', 'c', 'b', 1] });
    expect(user?.customAttributes).toEqual({ tags: ['a', '1', 'c', 'b', 1] });
    expect(braze.violations()).toEqual([]);
  });

  test('43: an array is cut to 500 elements, or to the length that is set', async () => {
    const braze = await startBraze();
    const tags = Array.from({ length: 501 }, (_, index) => index);
    expect((await braze.set({ tags }))?.customAttributes.tags).toEqual(tags.slice(0, 500));
    braze.settings.maxArrayLength = 2;
    expect((await braze.set({ tags }))?.customAttributes.tags).toEqual([0, 1]);
  });

  test('43: an empty array is stored', async () => {
    const braze = await startBraze();
    expect((await braze.set({ tags: [] }))?.customAttributes).toEqual({ tags: [] });
  });

  const big = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`k${index}`, long(250)]));
  test.each([
    ['an object over 100 KB', big],
    ['an array of objects over 100 KB', [big]],
    ['an array of scalars over 100 KB', Array.from({ length: 500 }, (_, index) => `${index}${long(200)}`)],
    ['a bad $time', { at: { $time: 'yesterday' } }],
    ['a $time of a year beyond 3000', { at: { $time: '3001-01-01' } }],
    ['a null $time', { at: { $time: null } }],
    ['$time beside another key', { at: { $time: '2026-01-01', zone: 'UTC' } }],
    ['null in an object', { a: 1, b: null }],
    ['null deeper', { a: { b: [{ c: null }] } }],
    ['null in an array', ['a', null]],
    ['an array in an array', [['a']]],
    ['scalars beside objects', ['a', { b: 1 }]],
  ])('44: %s is a finding, and leaves the attribute as it was without strict mode', async (_, value) => {
    const braze = await startBraze();
    await braze.set({ o: 'before' });
    expect((await braze.track({ external_id: 'u', o: value })).status).toBe(400);
    expect(braze.findings()).toEqual([44]);
    braze.settings.strict = false;
    expect((await braze.track({ external_id: 'u', o: value })).status).toBe(201);
    expect(braze.user('u')?.customAttributes).toEqual({ o: 'before' });
  });

  test('44: a number beyond doubles is a finding, integers beyond 2^53-1 when that is set', async () => {
    const braze = await startBraze();
    const send = (number: string) => braze.post('/users/track', `{"attributes":[{"external_id":"u","n":${number}}]}`);
    await send('1e400');
    expect(braze.findings()).toEqual([44]);
    expect((await send('9007199254740993')).status).toBe(201);
    braze.settings.largeIntegers = 'finding';
    await send('9007199254740993');
    await send('9007199254740991');
    expect(braze.findings()).toEqual([44, 44]);
  });

  test('44: an object of exactly the limit passes', async () => {
    const braze = await startBraze({ maxValueBytes: 11 });
    expect((await braze.set({ o: { a: 'xxx' } }))?.customAttributes).toEqual({ o: { a: 'xxx' } });
    await braze.set({ o: { a: 'xxxx' } });
    expect(braze.findings()).toEqual([44]);
  });

  test('44: a nested $time becomes a time, a nested date-shaped string stays a string', async () => {
    const braze = await startBraze();
    const user = await braze.set({ o: { at: { $time: '2026-01-01' }, text: '2026-01-01', list: [1, 2] } });
    expect(user?.customAttributes.o).toEqual({ at: '2026-01-01T00:00:00.000Z', text: '2026-01-01', list: [1, 2] });
  });

  test('45: an object replaces the one before, and merges into it at every depth only when told to', async () => {
    const braze = await startBraze();
    const before = { a: 1, deep: { b: 2, list: [1] } };
    await braze.set({ o: before });
    expect((await braze.set({ o: { a: 3 } }))?.customAttributes.o).toEqual({ a: 3 });
    await braze.set({ o: before });
    const patch = { deep: { c: 4, list: [2] } };
    await braze.set({ o: patch, _merge_objects: false });
    expect(braze.user('u')?.customAttributes.o).toEqual(patch);
    await braze.set({ o: before });
    const user = await braze.set({ o: patch, _merge_objects: true });
    expect(user?.customAttributes.o).toEqual({ a: 1, deep: { b: 2, c: 4, list: [2] } });
  });

  test('45: a merge beyond 100 KB leaves the object as it was', async () => {
    const braze = await startBraze({ maxValueBytes: 20 });
    await braze.set({ o: { a: 'xxxxx' } });
    await braze.set({ o: { b: 'xxxxx' }, _merge_objects: true });
    expect(braze.user('u')?.customAttributes.o).toEqual({ a: 'xxxxx' });
  });

  test('45: a merge flag that is no boolean is a finding', async () => {
    const braze = await startBraze();
    await braze.set({ _merge_objects: 1 });
    expect(braze.findings()).toEqual([45]);
  });

  test.each([
    [{ add: ['a'] }],
    [{ remove: ['a'] }],
    [{ inc: 1 }],
    [{ $add: [{ id: 1 }] }],
    [{ $remove: [{ $identifier_key: 'id', $identifier_value: 1 }] }],
    [{ $update: [{ $identifier_key: 'id', $identifier_value: 1, $new_object: { id: 1 } }] }],
  ])('46: the operator %j is a finding', async (value) => {
    const braze = await startBraze();
    expect(await braze.set({ o: value })).toBeUndefined();
    expect(braze.findings()).toEqual([46]);
  });

  test('46: without strict mode add moves a repeated element to the end and the oldest leave', async () => {
    const braze = await startBraze({ strict: false, maxArrayLength: 3 });
    await braze.set({ tags: ['a', 'b', 'c'] });
    expect((await braze.set({ tags: { add: ['a', 'd'] } }))?.customAttributes.tags).toEqual(['c', 'a', 'd']);
    expect((await braze.set({ tags: { remove: ['a', 'x'] } }))?.customAttributes.tags).toEqual(['c', 'd']);
    expect((await braze.set({ fresh: { add: ['a'] } }))?.customAttributes.fresh).toEqual(['a']);
  });

  test('46: without strict mode inc adds integers', async () => {
    const braze = await startBraze({ strict: false });
    expect((await braze.set({ n: { inc: 2 } }))?.customAttributes.n).toBe(2);
    expect((await braze.set({ n: { inc: -5 } }))?.customAttributes.n).toBe(-3);
    expect((await braze.set({ n: { inc: 0.5 } }))?.customAttributes.n).toBe(-3);
  });

  test('46: without strict mode $add, $remove and $update run in this order', async () => {
    const braze = await startBraze({ strict: false });
    await braze.set({
      pets: [
        { id: 1, name: 'Rex' },
        { id: 2, name: 'Tom' },
      ],
    });
    const user = await braze.set({
      _merge_objects: true,
      pets: {
        $update: [{ $identifier_key: 'id', $identifier_value: 2, $new_object: { age: 3 } }],
        $remove: [{ $identifier_key: 'id', $identifier_value: 1 }],
        $add: [
          { id: 1, name: 'again' },
          { id: 2, name: 'twin' },
        ],
      },
    });
    // Whoever removes and adds the same id in one request loses it.
    expect(user?.customAttributes.pets).toEqual([
      { id: 2, name: 'Tom', age: 3 },
      { id: 2, name: 'twin', age: 3 },
    ]);
    const replaced = await braze.set({
      pets: { $update: [{ $identifier_key: 'id', $identifier_value: 2, $new_object: { id: 3 } }] },
    });
    expect(replaced?.customAttributes.pets).toEqual([{ id: 3 }, { id: 3 }]);
  });

  test('a blocked attribute is discarded without an error, whatever its value', async () => {
    const braze = await startBraze({ blockedAttributes: ['secret', 'first_name'] });
    const user = await braze.set({ secret: { a: null }, first_name: 'Ada', vip: true });
    expect(user).toMatchObject({ attributes: {}, customAttributes: { vip: true } });
    expect(user?.attributes).toEqual({});
    expect(braze.dataPoints()).toBe(1);
    expect(braze.violations()).toEqual([]);
  });

  test.each([
    ['boolean', 'T', true],
    ['boolean', 0, false],
    ['boolean', 'f', false],
    ['boolean', '1', true],
    ['string', { a: 1 }, 'before'],
    ['boolean', 'maybe', 'before'],
    ['number', '12.5', 12.5],
    ['number', '', 'before'],
    ['number', 'twelve', 'before'],
    ['string', 12, '12'],
    ['time', '2026-01-01', '2026-01-01T00:00:00.000Z'],
    ['time', 12, 'before'],
    ['array', ['a'], ['a']],
    ['array', 'a', 'before'],
  ] as const)('an attribute forced to %s makes %j to %j', async (type, value, expected) => {
    const braze = await startBraze();
    await braze.set({ x: 'before' });
    braze.settings.forcedTypes = { x: type };
    expect((await braze.set({ x: value }))?.customAttributes).toEqual({ x: expected });
    expect(braze.dataPoints()).toBe(expected === 'before' ? 1 : 2);
    expect(braze.violations()).toEqual([]);
  });
});
