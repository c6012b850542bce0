import { scenarios } from './support.ts';

const { cloud, scenario } = scenarios();

const QUERY = 'SELECT * FROM all_types';

const COLUMNS = [
  'small',
  'big',
  'price',
  'ratio',
  'yes',
  'name',
  'fixed',
  'day',
  'at_local',
  'at_zone',
  'tags',
  'address',
  'nothing',
];
const allTypes = {
  name: 'types',
  model: { table: undefined, query: QUERY },
  destination: {
    mapping: { external_id: 'id', dob: 'at_local', email_open_tracking_disabled: 'yes', current_location: 'place' },
    customAttributes: {
      ...Object.fromEntries(COLUMNS.map((column) => [column, column])),
      big_text: { property: 'huge', type: 'string' },
      price_text: { property: 'price', type: 'string' },
      flag_text: { property: 'flag', type: 'boolean' },
      number_text: { property: 'digits', type: 'integer' },
      list_text: { property: 'list', type: 'array' },
    },
    subscriptionGroups: {},
  },
} as const;

scenario('every type of the warehouse reaches Braze with its own meaning', allTypes, async (it) => {
  await cloud().warehouse.exec(`
    CREATE TABLE all_types (id bigint, small smallint, big bigint, huge bigint, price decimal(12, 2), ratio float8, yes boolean,
      name varchar(50), fixed char(5), day date, at_local timestamp, at_zone timestamptz, tags super, address super, place super,
      nothing varchar(10), flag varchar(5), digits varchar(10), list varchar(50), id_unused int, first_name varchar(1),
      email varchar(1), country varchar(1), score int, joined timestamp, vip boolean, notes varchar(1));
    INSERT INTO all_types (id, small, big, huge, price, ratio, yes, name, fixed, day, at_local, at_zone, tags, address, place, flag, digits, list)
    VALUES (9007199254740993, -5, 9007199254740991, 9223372036854775807, 19.90, 0.1, false, 'Zoë "Z" O''Hara \\ 日本 🚗', 'ab', '2024-02-29',
      '1990-12-31 23:59:59.999', '2026-03-01 01:00:00+02', '["a", 1, true]', '{"city": "Köln", "no": 7}',
      '{"longitude": 6.96, "latitude": 50.94}', 't', '0042', '["x","y"]')`);
  expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { added: 1, accepted: 1 } });
  expect(it.users()).toEqual({
    '9007199254740993': {
      standard: {
        dob: '1990-12-31',
        email_open_tracking_disabled: false,
        current_location: { longitude: 6.96, latitude: 50.94 },
      },
      custom: {
        small: -5,
        big: 9007199254740991,
        price: 19.9,
        ratio: 0.1,
        yes: false,
        name: 'Zoë "Z" O\'Hara \\ 日本 🚗',
        fixed: 'ab',
        day: '2024-02-29T00:00:00.000Z',
        at_local: '1990-12-31T23:59:59.999Z',
        at_zone: '2026-02-28T23:00:00.000Z',
        tags: ['a', 1, true],
        address: { city: 'Köln', no: 7 },
        big_text: '9223372036854775807',
        price_text: '19.90',
        flag_text: true,
        number_text: 42,
        list_text: ['x', 'y'],
      },
      groups: {},
    },
  });
  expect((await it.run()).totals).toMatchObject({ unchanged: 1, requests: 0 });
});

scenario(
  'an integer beyond 2^53 that is not typed as a text is rejected with that advice',
  {
    name: 'too_big',
    model: {
      table: undefined,
      query: 'SELECT id, CAST(9007199254740993 AS bigint) AS score, vip FROM too_big',
    },
    destination: { mapping: { external_id: 'id' }, customAttributes: ['score'], subscriptionGroups: {} },
  },
  async (it) => {
    await it.insert({ id: 'ann' });
    const run = await it.run();
    expect(run).toMatchObject({ status: 'partial', totals: { rejected: 1, requests: 0 } });
    const [rejection] = await cloud().runs().rejections(run.run, 1);
    expect(rejection).toMatchObject({ field: 'score', reason: expect.stringContaining("the type 'string'") });
  },
);

scenario(
  'names that collide with the insides of objects are names like any other',
  {
    name: 'strange_names',
    destination: {
      mapping: { external_id: 'id' },
      customAttributes: { constructor: 'first_name', toString: 'email', hasOwnProperty: 'score' },
    },
  },
  async (it) => {
    await it.insert(
      { id: '__proto__', first_name: 'P', email: 'p@example.com', score: 3 },
      { id: 'constructor', first_name: 'C' },
    );
    expect(await it.run()).toMatchObject({ status: 'succeeded', totals: { accepted: 2 } });
    const users = cloud()
      .braze()
      .users()
      .map(({ externalId, customAttributes }) => [externalId ?? '', Object.entries(customAttributes)] as const);
    expect(new Map(users)).toEqual(
      new Map<string, unknown>([
        [
          '__proto__',
          [
            ['constructor', 'P'],
            ['toString', 'p@example.com'],
            ['hasOwnProperty', 3],
          ],
        ],
        ['constructor', [['constructor', 'C']]],
      ]),
    );
  },
);
