import fc from 'fast-check';
import { dictionaryNames, readRow, selectedGroups, selectedProperties, shapeOf } from '../../../shared/diff/row.ts';
import { FatalError } from '../../../shared/errors.ts';
import { decodeFingerprint } from '../../../shared/ledger/fingerprint.ts';
import { dictionaryWith } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import type { RawValue } from '../../../shared/values/converted.ts';
import { destinationOf, rowOf, textShape } from './destinations.ts';

const GROUPS = { vip: '8F2B5C1E-0000-4000-8000-000000000001', fan: '8f2b5c1e-0000-4000-8000-000000000002' };
const parts = {
  mapping: { first_name: 'name', email: 'mail' },
  customAttributes: { again: 'name', ltv: 'ltv' },
  subscriptionGroups: GROUPS,
} as const;
const destination = destinationOf(parts);
const dictionary = dictionaryWith(undefined, dictionaryNames(destination));
const shape = textShape(destination, dictionary);

test('a property that fills two attributes is selected once, and fills both', () => {
  expect(selectedProperties(destination)).toHaveLength(3);
  const row = rowOf(destination, shape, 'ann', {
    values: { name: 'Ann', mail: 'a@b.co', ltv: '1' },
    groups: { fan: true },
  });
  const byAttribute = Object.fromEntries(shape.fields.map(({ attribute }, index) => [attribute, row.values[index]]));
  expect(byAttribute).toEqual({ first_name: 'Ann', again: 'Ann', email: 'a@b.co', ltv: '1' });
});

test('the order of the file is of no account: a run goes on with statements of before it was changed', () => {
  const reversed = <T extends object>(part: T): T => Object.fromEntries(Object.entries(part).reverse()) as T;
  const other = destinationOf({
    mapping: reversed(parts.mapping),
    customAttributes: reversed(parts.customAttributes),
    subscriptionGroups: reversed(GROUPS),
  });
  expect(selectedProperties(other)).toEqual(selectedProperties(destination));
  expect(selectedGroups(other)).toEqual(selectedGroups(destination));
  expect(textShape(other, dictionary)).toMatchObject({
    fields: shape.fields.map(({ id, position }) => ({ id, position })),
    memberships: shape.memberships,
  });
});

test('groups go by the id of their subscription group in lower case', () => {
  expect(selectedGroups(destination)).toEqual(['fan', 'vip']);
  expect(dictionaryNames(destination)).toContain(`g:${GROUPS.vip.toLowerCase()}`);
  const row = rowOf(destination, shape, 'ann', { values: {}, groups: { vip: true } });
  const members = shape.memberships.flatMap(({ subscriptionGroupId }, index) =>
    row.members[index] ? [subscriptionGroupId] : [],
  );
  expect(members).toEqual([GROUPS.vip.toLowerCase()]);
});

test('whatever order the dictionary gives, values stand where the shape says and prints are in order of ids', () => {
  const names = dictionaryNames(destination);
  fc.assert(
    fc.property(fc.shuffledSubarray(names, { minLength: names.length }), (order) => {
      const dictionary = dictionaryWith(undefined, order);
      const shape = textShape(destination, dictionary);
      const person = { values: { name: 'Ann', mail: 'a@b.co', ltv: '7' }, groups: { vip: true, fan: true } };
      const row = rowOf(destination, shape, 'ann', person);
      const wanted = { first_name: 'Ann', again: 'Ann', email: 'a@b.co', ltv: '7' };
      expect(Object.fromEntries(shape.fields.map(({ attribute }, index) => [attribute, row.values[index]]))).toEqual(
        wanted,
      );
      const ids = decodeFingerprint(row.fingerprint).map(({ id }) => id);
      expect(ids).toEqual(Array.from({ length: names.length }, (_, index) => index + 1));
    }),
  );
});

test('the fingerprint tells the fields that are neither NULL nor invalid, and the groups of a member', () => {
  const omitting = destinationOf({ ...parts, invalidValues: 'omit' });
  const row = rowOf(omitting, textShape(omitting, dictionary), 'ann', {
    values: { name: null, mail: 'no address', ltv: '' },
    groups: { fan: true, vip: false },
  });
  const names = decodeFingerprint(row.fingerprint).map(({ id }) => dictionary.nameById.get(id));
  expect(names).toEqual(['a:ltv', `g:${GROUPS.fan}`]);
  expect(row).toMatchObject({
    rejection: undefined,
    omitted: [{ field: 'email' }],
    carried: [dictionary.idByName.get('a:email')],
  });
});

test('an invalid value rejects the record when it is not to be omitted', () => {
  const row = rowOf(destination, shape, 'ann', { values: { mail: 'no address' }, groups: {} });
  expect(row).toMatchObject({ rejection: { field: 'email', reason: 'is no valid email address' }, omitted: [] });
});

test('equal values of two people, and of two attributes, leave different prints', () => {
  const print = (key: string) => {
    const row = rowOf(destination, shape, key, { values: { name: 'Ann' }, groups: {} });
    return decodeFingerprint(row.fingerprint).map(({ print }) => print);
  };
  expect(new Set([...print('ann'), ...print('bob')]).size).toBe(4);
});

const plain = (record: readonly RawValue[]) =>
  readRow({ fields: [], memberships: [], omitInvalid: false }, record, 'page');

test.each([
  ['of 987 bytes', `${'é'.repeat(493)}x`, undefined],
  ['of 988 bytes', 'é'.repeat(494), 'longer than 987 bytes (988)'],
  ['that is empty', '', 'the primary key is empty'],
  ['of white space', ' \n', 'the primary key is empty'],
])('a primary key %s is taken or refused for what Braze takes', (_, key, reason) => {
  const row = plain([recordHash(key), key]);
  expect(row.rejection?.reason).toEqual(reason === undefined ? undefined : expect.stringContaining(reason));
  expect(row).toMatchObject({ hash: recordHash(key), primaryKey: key, pageToken: 'page' });
});

test('a row without a primary key is rejected, under no hash', () => {
  expect(plain(['', null])).toMatchObject({
    hash: '',
    primaryKey: '',
    rejection: { reason: 'the primary key is NULL' },
  });
});

test('a number as primary key is its text', () => {
  expect(plain([recordHash('42'), 42])).toMatchObject({ hash: recordHash('42'), primaryKey: '42' });
});

test('a hash that is not the md5 of the primary key is a fatal error that does not show the key', () => {
  const read = () => plain([recordHash('bob'), 'ann-secret']);
  expect(read).toThrow(FatalError);
  expect(read).not.toThrow('ann-secret');
});

test('a shape needs an id for everything', () => {
  expect(() => shapeOf(destination, (name) => ({ name, type: 'text' }), dictionaryWith(undefined, []))).toThrow(
    'lacks',
  );
});
