import { type DecideContext, type Decision, decide, NO_HOLDS } from '../../../shared/diff/decide.ts';
import type { Row } from '../../../shared/diff/row.ts';
import { dictionaryNames } from '../../../shared/diff/row.ts';
import type { Entry } from '../../../shared/ledger/entry.ts';
import { decodeFingerprint, digestOf, encodeFingerprint, UNKNOWN_PRINT } from '../../../shared/ledger/fingerprint.ts';
import { dictionaryWith } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import type { SyncMode } from '../../../shared/parameters/schema.ts';
import { DAY_MS } from '../../../shared/time.ts';
import { START_MS } from '../fake-clock.ts';
import { refusalOf } from '../ledger/refusals.ts';
import { destinationOf, rowOf, textShape } from './destinations.ts';

const GROUP = '8f2b5c1e-0000-4000-8000-000000000001';
const OLD_GROUP = '8f2b5c1e-0000-4000-8000-000000000002';

const destination = destinationOf({
  mapping: { email: 'email', email_subscribe: 'consent' },
  customAttributes: { ltv: 'ltv' },
  subscriptionGroups: { vip: GROUP.toUpperCase() },
  invalidValues: 'omit',
});
/** `a:gone` and the old group were sent once and are no longer mapped. */
const dictionary = dictionaryWith(
  dictionaryWith(undefined, ['a:gone', `g:${OLD_GROUP}`]),
  dictionaryNames(destination),
);
const shape = textShape(destination, dictionary);
const idOf = (name: string): number => dictionary.idByName.get(name) ?? 0;

type Values = Readonly<Record<string, string | null>>;
const row = (values: Values, vip = false): Row => rowOf(destination, shape, 'ann', { values, groups: { vip } });
const HASH = recordHash('ann');

const contextOf = (syncMode: SyncMode, more: Partial<DecideContext> = {}): DecideContext => ({
  shape,
  syncMode,
  dictionary,
  nowMs: START_MS,
  askAgainBeforeMs: START_MS - DAY_MS,
  retryRejections: false,
  holds: NO_HOLDS,
  resync: false,
  ...more,
});

/** The entry that a row leaves, with further fields that only Braze has. */
function entryOf(before: Row, more: Partial<Entry> = {}, further: readonly string[] = []): Entry {
  const prints = [
    ...decodeFingerprint(before.fingerprint),
    ...further.map((name) => ({ id: idOf(name), print: '1'.repeat(16) })),
  ];
  return { hash: HASH, primaryKey: 'ann', fingerprint: encodeFingerprint(prints.sort((a, b) => a.id - b.id)), ...more };
}

const decided = (
  row: Row,
  entry: Entry | undefined,
  syncMode: SyncMode = 'sync',
  more: Partial<DecideContext> = {},
): Decision => decide({ kind: 'row', row, entry }, contextOf(syncMode, more));

/** What is sent, in short; the names of the fields stand for their ids. */
function sent(decision: Decision) {
  if (decision.kind !== 'added' && decision.kind !== 'changed') return { kind: decision.kind };
  const { attributes, subscriptions, fields, lookup } = decision.upsert;
  return {
    kind: decision.kind,
    attributes: Object.fromEntries(attributes),
    subscriptions: Object.fromEntries(subscriptions),
    fields: fields.map((id) => dictionary.nameById.get(id)).sort(),
    lookup,
  };
}

const ANN = { email: 'ann@example.com', consent: 'subscribed', ltv: '12' };

describe('a row without an entry', () => {
  test.each([
    ['sync', false],
    ['additive', false],
    ['enrich', true],
  ] as const)('is sent whole in %s; looked up first: %p', (syncMode, lookup) => {
    expect(sent(decided(row({ ...ANN, ltv: null }, true), undefined, syncMode))).toEqual({
      kind: 'added',
      attributes: { email: 'ann@example.com', email_subscribe: 'subscribed' },
      subscriptions: { [GROUP]: 'subscribed' },
      fields: ['a:email', 'a:email_subscribe', `g:${GROUP}`].sort(),
      lookup,
    });
  });

  test('is sent with its primary key alone when it has nothing else', () => {
    expect(sent(decided(row({}), undefined))).toEqual({
      kind: 'added',
      attributes: {},
      subscriptions: {},
      fields: [],
      lookup: false,
    });
  });
});

describe('a row with an entry', () => {
  test.each([
    ['nothing differs', row(ANN), {}, {}],
    ['a text changes', row({ ...ANN, ltv: '13' }), { ltv: '13' }, {}],
    ['a text becomes empty', row({ ...ANN, ltv: '' }), { ltv: '' }, {}],
    ['a value becomes NULL', row({ ...ANN, ltv: null }), { ltv: null }, {}],
    ['a state becomes NULL', row({ ...ANN, consent: null }), {}, {}],
    ['a value is omitted as invalid', row({ ...ANN, email: 'nowhere' }), {}, {}],
    ['a group is joined', row(ANN, true), {}, { [GROUP]: 'subscribed' }],
  ])('sends what differs when %s', (_, now, attributes, subscriptions) => {
    const decision = decided(now, entryOf(row(ANN)));
    const isChanged = Object.keys({ ...attributes, ...subscriptions }).length > 0;
    expect(sent(decision)).toMatchObject(
      isChanged ? { kind: 'changed', attributes, subscriptions } : { kind: 'unchanged' },
    );
  });

  test('leaves a group that it is no longer in, one that is no longer listed, and a field that is no longer mapped', () => {
    const entry = entryOf(row(ANN, true), {}, ['a:gone', `g:${OLD_GROUP}`]);
    const decision = decided(row(ANN), entry);
    expect(sent(decision)).toMatchObject({
      attributes: { gone: null },
      subscriptions: { [GROUP]: 'unsubscribed', [OLD_GROUP]: 'unsubscribed' },
    });
    expect(decision).toMatchObject({ upsert: { fingerprint: row(ANN).fingerprint } });
  });

  test('keeps in the ledger what stays in Braze: an omitted value, and a state that became NULL', () => {
    const decision = decided(row({ email: 'nowhere', consent: null, ltv: '13' }), entryOf(row(ANN)));
    const after = decision.kind === 'changed' ? decodeFingerprint(decision.upsert.fingerprint) : [];
    const before = decodeFingerprint(row(ANN).fingerprint);
    const kept = before.filter(({ id }) => id !== idOf('a:ltv'));
    expect(after.filter(({ id }) => id !== idOf('a:ltv'))).toEqual(kept);
    expect(after).toHaveLength(3);
  });

  test('sends again what is unknown, and null for what is unknown and now NULL', () => {
    const unknown = ['a:email', 'a:gone', 'a:ltv', `g:${GROUP}`].map((name) => ({
      id: idOf(name),
      print: UNKNOWN_PRINT,
    }));
    const fingerprint = encodeFingerprint(unknown.sort((a, b) => a.id - b.id));
    expect(
      sent(decided(row({ email: 'ann@example.com' }), { hash: HASH, primaryKey: 'ann', fingerprint })),
    ).toMatchObject({
      attributes: { email: 'ann@example.com', ltv: null, gone: null },
      subscriptions: { [GROUP]: 'unsubscribed' },
    });
  });

  test.each([
    ['an answer of it was lost', { uncertain: true }],
    ['it had left', { gone: true }],
  ])('is sent even when nothing differs after %s, and looked up first in enrich', (_, more) => {
    for (const syncMode of ['sync', 'additive', 'enrich'] as const) {
      expect(sent(decided(row(ANN), entryOf(row(ANN), more), syncMode))).toEqual({
        kind: 'changed',
        attributes: {},
        subscriptions: {},
        fields: [],
        lookup: syncMode === 'enrich',
      });
    }
  });
});

describe('a user that Braze did not know', () => {
  const absentAt = (ms: number): Entry => ({ hash: HASH, primaryKey: 'ann', absentAt: ms });

  test.each([
    ['not asked about again before the time', START_MS - DAY_MS + 1, 'enrich', 'unchanged'],
    ['asked about again after the time', START_MS - DAY_MS, 'enrich', 'added'],
    ['made at once in additive', START_MS, 'additive', 'added'],
    ['made at once in sync', START_MS, 'sync', 'added'],
  ] as const)('is %s', (_, at, syncMode, kind) => {
    const decision = decided(row(ANN), absentAt(at), syncMode);
    expect(decision.kind).toBe(kind);
    if (decision.kind === 'added') expect(decision.upsert.lookup).toBe(syncMode === 'enrich');
  });
});

describe('a state that Braze refused', () => {
  const refusedBefore = (before: Row | undefined, refused: Row): Entry => ({
    ...(before ? entryOf(before) : { hash: HASH, primaryKey: 'ann' }),
    refused: refusalOf({ digest: digestOf(refused.fingerprint) }),
  });
  const bad = row({ ...ANN, ltv: '13' });

  test.each([
    ['of a new user', undefined],
    ['of a known user', row(ANN)],
  ])('%s is not sent again, until it changes or a person asks for it', (_, before) => {
    const entry = refusedBefore(before, bad);
    expect(decided(bad, entry)).toEqual({
      kind: 'rejected',
      hash: HASH,
      rows: 1,
      problem: { field: '', reason: 'no such address' },
      refusal: entry.refused,
      note: undefined,
    });
    expect(sent(decided(bad, entry, 'sync', { retryRejections: true }))).toMatchObject({ attributes: { ltv: '13' } });
    expect(sent(decided(row({ ...ANN, ltv: '14' }), entry))).toMatchObject({ attributes: { ltv: '14' } });
  });

  test('does not stand in the way of the state that Braze has', () => {
    expect(decided(row(ANN), refusedBefore(row(ANN), bad)).kind).toBe('unchanged');
  });
});

describe('an entry without a row', () => {
  const member = entryOf(row(ANN, true), {}, [`g:${OLD_GROUP}`]);
  const removal = (entry: Entry, syncMode: SyncMode) => decide({ kind: 'entry', entry }, contextOf(syncMode));

  test('is deleted in sync, whatever it was', () => {
    for (const entry of [member, { ...member, gone: true }, { ...member, uncertain: true }]) {
      expect(removal(entry, 'sync')).toMatchObject({
        kind: 'removed',
        removal: { leaves: [], fingerprint: undefined },
      });
    }
  });

  test.each(['additive', 'enrich'] as const)('leaves its groups in %s, and the ledger keeps its fields', (syncMode) => {
    expect(removal(member, syncMode)).toEqual({
      kind: 'removed',
      removal: {
        hash: HASH,
        primaryKey: 'ann',
        leaves: [OLD_GROUP, GROUP],
        fields: [idOf(`g:${OLD_GROUP}`), idOf(`g:${GROUP}`)],
        fingerprint: row(ANN).fingerprint,
      },
    });
  });

  test.each(['additive', 'enrich'] as const)('of no group is removed once in %s, so that it is counted', (syncMode) => {
    expect(removal(entryOf(row(ANN)), syncMode)).toMatchObject({
      kind: 'removed',
      removal: { leaves: [], fields: [], fingerprint: row(ANN).fingerprint },
    });
  });

  test.each(['additive', 'enrich'] as const)(
    'stays in %s once it has left, unless a group is left again',
    (syncMode) => {
      expect(removal(entryOf(row(ANN), { gone: true }), syncMode)).toEqual({ kind: 'kept' });
      expect(removal({ ...member, gone: true }, syncMode)).toMatchObject({ kind: 'removed' });
    },
  );

  test.each(['sync', 'additive', 'enrich'] as const)('is forgotten in %s when Braze never had it', (syncMode) => {
    const never: Entry[] = [
      { hash: HASH, primaryKey: 'ann', absentAt: START_MS },
      { hash: HASH, primaryKey: 'ann', refused: refusalOf() },
    ];
    for (const entry of never) expect(removal(entry, syncMode)).toEqual({ kind: 'forgotten', hash: HASH });
  });

  test('that names a field of no dictionary is an error, not a guess', () => {
    const entry = { ...member, fingerprint: encodeFingerprint([{ id: 999, print: '1'.repeat(16) }]) };
    expect(() => removal(entry, 'additive')).toThrow('999');
    expect(() => decided(row(ANN), entry)).toThrow('999');
  });
});

test('several rows of one key are all refused, and none of them is taken for a removal', () => {
  for (const entry of [undefined, entryOf(row(ANN))]) {
    expect(decide({ kind: 'duplicate', row: row(ANN), rows: 3, entry }, contextOf('sync'))).toMatchObject({
      kind: 'rejected',
      hash: HASH,
      rows: 3,
      problem: { field: 'external_id', reason: expect.stringContaining('3 rows') },
    });
  }
});
