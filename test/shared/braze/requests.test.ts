import fc from 'fast-check';
import { dataPointsOf } from '../../../shared/braze/data-points.ts';
import { deleteBody, lookupBody, trackBody } from '../../../shared/braze/requests.ts';
import type { JsonValue } from '../../../shared/values/json.ts';

const user = (
  primaryKey: string,
  attributes: [string, JsonValue][] = [],
  groups: [string, 'subscribed' | 'unsubscribed'][] = [],
) => ({
  primaryKey,
  attributes: new Map(attributes),
  subscriptions: new Map(groups),
});

describe('the body of a track request', () => {
  test('has an object a user: its id, its attributes, and its groups when there are any', () => {
    const body = trackBody(
      [
        user(
          'ann',
          [
            ['email', 'a@b.co'],
            ['ltv', null],
          ],
          [
            ['g1', 'subscribed'],
            ['g2', 'unsubscribed'],
          ],
        ),
        user('bob'),
      ],
      false,
    );
    expect(JSON.parse(body)).toEqual({
      attributes: [
        {
          external_id: 'ann',
          email: 'a@b.co',
          ltv: null,
          subscription_groups: [
            { subscription_group_id: 'g1', subscription_state: 'subscribed' },
            { subscription_group_id: 'g2', subscription_state: 'unsubscribed' },
          ],
        },
        { external_id: 'bob' },
      ],
    });
  });

  test('asks for existing users only, in every object', () => {
    const { attributes } = JSON.parse(trackBody([user('ann'), user('bob', [['a', 1]])], true));
    expect(attributes).toEqual([
      { external_id: 'ann', _update_existing_only: true },
      { external_id: 'bob', _update_existing_only: true, a: 1 },
    ]);
  });

  test('carries every id and value as it is, whatever the attribute is called', () => {
    const name = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom('__proto__', 'constructor', 'toJSON', 'length', '0'),
    );
    fc.assert(
      fc.property(fc.string(), fc.dictionary(name, fc.jsonValue()), (key, attributes) => {
        const entries = Object.entries(attributes).filter(
          ([name]) => name !== 'external_id' && name !== 'subscription_groups',
        );
        const [object] = JSON.parse(trackBody([user(key, entries as [string, JsonValue][])], false)).attributes;
        expect(new Map(Object.entries(object))).toEqual(
          new Map<string, unknown>([
            ['external_id', key],
            ...entries.map(([name, value]): [string, unknown] => [name, JSON.parse(JSON.stringify(value))]),
          ]),
        );
      }),
    );
  });
});

test('a deletion and a lookup name the ids alone', () => {
  expect(JSON.parse(deleteBody(['ann', 'b"ob']))).toEqual({ external_ids: ['ann', 'b"ob'] });
  expect(JSON.parse(lookupBody(['ann']))).toEqual({ external_ids: ['ann'], fields_to_export: ['external_id'] });
});

test.each<[string, [string, JsonValue][], number]>([
  ['nothing', [], 0],
  [
    'texts, numbers and booleans',
    [
      ['a', 'x'],
      ['b', 1],
      ['c', false],
    ],
    3,
  ],
  ['null', [['a', null]], 1],
  ['an empty text', [['a', '']], 1],
  [
    'states of consent',
    [
      ['email_subscribe', 'opted_in'],
      ['push_subscribe', 'unsubscribed'],
    ],
    0,
  ],
  ['an array', [['a', [1, 2, 3]]], 1],
  ['an empty array', [['a', []]], 1],
  ['an object of three keys', [['a', { x: 1, y: 2, z: { w: 3 } }]], 3],
  ['an empty object', [['a', {}]], 1],
  ['an array of objects', [['a', [{ x: 1, y: 2 }, { x: 3 }, {}]]], 4],
])('the data points of %s', (_, attributes, points) => {
  expect(dataPointsOf(attributes)).toBe(points);
  expect(dataPointsOf(new Map(attributes))).toBe(points);
});
