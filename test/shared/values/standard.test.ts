import fc from 'fast-check';
import { STANDARD_ATTRIBUTES, type StandardKind } from '../../../shared/braze/attributes.ts';
import { Invalid } from '../../../shared/values/converted.ts';
import { flag, standardValue } from '../../../shared/values/standard.ts';

const KINDS = [...new Set(Object.values(STANDARD_ATTRIBUTES))];

type Table = { readonly kept: readonly (readonly [string, unknown])[]; readonly refused: readonly string[] };
const asTheyAre = (...texts: string[]): [string, string][] => texts.map((text) => [text, text]);

/** For every kind: texts with what is sent for them, and texts that Braze would refuse or lose. */
const TABLES: Readonly<Record<StandardKind, Table>> = {
  text: {
    kept: asTheyAre('', ' ', 'José', 'x'.repeat(255), '😀'.repeat(255), 'a\nb', "O'Brien", 'null', '﷽'),
    refused: ['x'.repeat(256), '😀'.repeat(256), 'a\0b', '\ud83d', 'a\udc00'],
  },
  email: {
    kept: asTheyAre(
      'a@b.co',
      'first.last+tag@sub.example.com',
      'ünï@exämple.de',
      "o'brien@example.ie",
      'x_y-z@ex-ample.museum',
      '用户@例子.广告',
      'a@123.com',
      '1@2.co',
      'UPPER@EXAMPLE.COM',
      `${'a'.repeat(64)}@b.co`,
    ),
    refused: [
      '',
      ' ',
      'a',
      'a@',
      '@b.co',
      'a@b',
      'a@b.',
      'a@.co',
      'a@@b.co',
      'a b@c.co',
      'a@b c.co',
      ' a@b.co',
      'a@b.co ',
      'a@b.co\n',
      '.a@b.co',
      'a.@b.co',
      'a..b@c.co',
      'a@b..co',
      'a@-b.co',
      'a@b-.co',
      'a@b.c',
      'Ann <a@b.co>',
      'a@b.co, c@d.co',
      'a@b.co;c@d.co',
      'a"b@c.co',
      'a@b.co\0',
      `${'a'.repeat(251)}@b.co`,
      'a@[127.0.0.1]',
    ],
  },
  phone: {
    kept: [
      ['+33612345678', '+33612345678'],
      ['+1 (415) 555-0123', '+14155550123'],
      ['+44.20.7946.0018', '+442079460018'],
      ['4155550123', '4155550123'],
      ['(415) 555-0123', '4155550123'],
      ['+1234567', '+1234567'],
      ['+123456789012345', '+123456789012345'],
    ],
    refused: [
      '',
      '+',
      '123456789',
      '0612345678901',
      '33612345678',
      '+123456',
      '+1234567890123456',
      '1+4155550123',
      '++33612345678',
      '+33612345678 ext 5',
      'call me',
      '+3361234567a',
      '٠٦١٢٣٤٥٦٧٨',
    ],
  },
  country: {
    kept: [
      ['FR', 'FR'],
      ['fr', 'FR'],
      ['Us', 'US'],
      ['ZW', 'ZW'],
    ],
    refused: ['', 'France', 'FRA', 'UK', 'EU', 'XX', 'F', ' FR', 'FR ', 'ﬀ', 'ß', 'ıt'],
  },
  language: {
    kept: [
      ['en', 'en'],
      ['EN', 'en'],
      ['pt', 'pt'],
      ['Zu', 'zu'],
    ],
    refused: ['', 'en-US', 'en_US', 'eng', 'English', 'xx', ' en', 'İt'],
  },
  gender: {
    kept: [
      ['M', 'M'],
      ['f', 'F'],
      ['O', 'O'],
      ['n', 'N'],
      ['P', 'P'],
    ],
    refused: ['', 'male', 'X', 'MF', ' M', 'M\n', 'm '],
  },
  birth_date: {
    kept: [
      ['1980-02-29', '1980-02-29'],
      ['1980-12-21 00:00:00', '1980-12-21'],
      ['1980-12-21T23:30:00-02:00', '1980-12-22'],
      ['0000-01-01', '0000-01-01'],
    ],
    refused: ['', '1981-02-29', '21/12/1980', '1980', '3001-01-01', '80-12-21', 'infinity'],
  },
  time_zone: {
    kept: [
      ...asTheyAre('Europe/Paris', 'UTC', 'Etc/GMT+5', 'US/Eastern', 'America/Argentina/Buenos_Aires', 'Asia/Kolkata'),
      ['europe/paris', 'Europe/Paris'],
      ['AMERICA/NEW_YORK', 'America/New_York'],
      ['utc', 'UTC'],
      ['us/eastern', 'America/New_York'],
      ['US/EASTERN', 'America/New_York'],
      ['etc/gmt+5', 'Etc/GMT+5'],
    ],
    refused: [
      '',
      'Paris',
      '+02:00',
      '-0500',
      'Europe/Atlantis',
      'Europe/Paris ',
      'Eastern Time (US & Canada)',
      'GMT+5',
    ],
  },
  subscription_state: {
    kept: [
      ['opted_in', 'opted_in'],
      ['subscribed', 'subscribed'],
      ['unsubscribed', 'unsubscribed'],
      ['Opted_In', 'opted_in'],
    ],
    refused: ['', 'true', 'opted-in', 'optedin', 'yes', 'subscribed ', 'subscribed\n'],
  },
  flag: {
    kept: [
      ['true', true],
      ['TRUE', true],
      ['t', true],
      ['1', true],
      ['false', false],
      ['False', false],
      ['f', false],
      ['0', false],
    ],
    refused: ['', 'yes', 'no', '2', '-1', '1.0', ' true', 'true\n', 'null'],
  },
  location: {
    kept: [
      ['{"longitude":-180,"latitude":90}', { longitude: -180, latitude: 90 }],
      ['{"latitude":0,"longitude":2.3522}', { latitude: 0, longitude: 2.3522 }],
      ['null', new Invalid('is no JSON object with longitude and latitude')],
    ],
    refused: [
      '',
      '{}',
      '[2.3,48.8]',
      '{"longitude":2.3}',
      '{"longitude":"2.3","latitude":"48.8"}',
      '{"longitude":180.01,"latitude":0}',
      '{"longitude":0,"latitude":-90.5}',
      '{"longitude":null,"latitude":0}',
      '{"longitude":0,"latitude":0,"altitude":3}',
      '{"longitude":0.12345678901234567,"latitude":0}',
      'POINT(1 2)',
    ],
  },
  time: {
    kept: [
      ['2026-01-31 10:11:12.5+01', '2026-01-31T09:11:12.500Z'],
      ['2026-01-31', '2026-01-31'],
    ],
    refused: ['', 'yesterday', '1769853600', '2026-02-30', '3001-01-01 00:00:00'],
  },
  url: {
    kept: asTheyAre('https://example.com/a.png', 'http://example.com/ü?q=1#f', `https://e.co/${'x'.repeat(1011)}`),
    refused: ['', 'example.com/a.png', '/a.png', 'https://', 'not a url', `https://e.co/${'x'.repeat(1012)}`],
  },
  profile: {
    kept: [
      ['{"id":"12","likes":["a"],"num_friends":3}', { id: '12', likes: ['a'], num_friends: 3 }],
      ['{}', {}],
    ],
    refused: ['', '[]', '"id"', '12', '{"id":', '{"num_friends":12345678901234567890}'],
  },
};

const cases = KINDS.map((kind) => ({ kind, ...TABLES[kind] }));

describe.each(cases)('a $kind', ({ kind, kept, refused }) => {
  test.each(kept.map(([text, value]) => ({ text, value })))('$text becomes $value', ({ text, value }) => {
    expect(standardValue(kind, text)).toEqual(value);
  });

  test.each(refused.map((text) => ({ text })))('$text is refused', ({ text }) => {
    expect(standardValue(kind, text)).toBeInstanceOf(Invalid);
  });

  test('that was sent reads the same when it is converted once more', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom(...kept.map(([text]) => text))), (text) => {
        const value = standardValue(kind, text);
        if (typeof value === 'string') expect(standardValue(kind, value)).toBe(value);
      }),
    );
  });
});

test('a country, a gender and a state are sent in the one form that Braze documents, whatever the text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.string({ maxLength: 2 })), (text) => {
      for (const [kind, form] of [
        ['country', /^[A-Z]{2}$/],
        ['language', /^[a-z]{2}$/],
        ['gender', /^[MFONP]$/],
      ] as const) {
        const value = standardValue(kind, text);
        if (!(value instanceof Invalid)) expect(value).toMatch(form);
      }
    }),
  );
});

test.each([
  ['yes', undefined],
  ['T', true],
  ['F', false],
])('as a flag, %s is %s', (text, value) => {
  expect(flag(text)).toBe(value);
});
