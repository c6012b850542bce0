import { type DecideContext, type Decision, decide, NO_HOLDS, nextRefusal } from '../../../shared/diff/decide.ts';
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

  test('is not sent again when a guard holds a part of it: its row has not changed', () => {
    const empty = row({ ...ANN, email: 'anna@example.com', ltv: null });
    const held = { holds: { field: (id: number) => id === idOf('a:ltv'), removal: () => false } };
    const entry = refusedBefore(row(ANN), empty);
    expect(decided(empty, entryOf(row(ANN)), 'sync', held)).toMatchObject({ kind: 'changed' });
    expect(decided(empty, entry, 'sync', held)).toMatchObject({ kind: 'rejected', refusal: entry.refused });
    expect(decided(row({ ...ANN, email: 'ada@example.com', ltv: null }), entry, 'sync', held)).toMatchObject({
      kind: 'changed',
    });
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

  test.each(['additive', 'enrich'] as const)('is still known in %s by when its fields were last sent', (syncMode) => {
    const sentAt = new Map([[idOf('a:ltv'), START_MS]]);
    expect(removal({ ...member, sentAt }, syncMode)).toMatchObject({ kind: 'removed', removal: { sentAt } });
  });

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

const ALL_HELD = { holds: { field: () => true, removal: () => true } };
const heldFields = (...names: readonly string[]) => ({
  holds: {
    field: (id: number, hash: string) => hash === HASH && names.some((name) => idOf(name) === id),
    removal: () => false,
  },
});
const VIP = `g:${GROUP}`;
/** What the ledger gets, by name. */
const printsOf = (fingerprint: Uint8Array | undefined) =>
  Object.fromEntries(
    decodeFingerprint(fingerprint ?? encodeFingerprint([])).map(({ id, print }) => [
      dictionary.nameById.get(id),
      print,
    ]),
  );
const upsertOf = (decision: Decision) =>
  decision.kind === 'added' || decision.kind === 'changed' ? decision.upsert : undefined;

describe('what is held', () => {
  const before = row(ANN, true);
  const beforePrints = printsOf(before.fingerprint);

  test.each<[string, Row, string, object]>([
    ['a NULL', row({ ...ANN, ltv: null, email: 'new@example.com' }, true), 'a:ltv', { email: 'new@example.com' }],
    ['a leave', row({ ...ANN, ltv: '13' }), VIP, { ltv: '13' }],
  ])('stays as it was while everything else of the record goes: %s', (_, now, name, attributes) => {
    const decision = decided(now, entryOf(before), 'sync', heldFields(name));
    expect(sent(decision)).toMatchObject({ kind: 'changed', attributes, subscriptions: {} });
    expect(decision).toMatchObject({ heldBack: [idOf(name)], upsert: { ended: [] } });
    expect(printsOf(upsertOf(decision)?.fingerprint)).toEqual({
      ...printsOf(now.fingerprint),
      [name]: beforePrints[name],
    });
  });

  test.each([
    ['a NULL', row({ ...ANN, ltv: null }, true), 'a:ltv'],
    ['a leave', row(ANN), VIP],
  ])('leaves a record unchanged of which nothing else differs: %s', (_, now, name) => {
    expect(decided(now, entryOf(before), 'sync', heldFields(name))).toEqual({
      kind: 'unchanged',
      omitted: [],
      heldBack: [idOf(name)],
      note: undefined,
    });
  });

  test('goes once it is held no more, from the ledger that the held run has left', () => {
    const now = row({ ...ANN, ltv: null, email: 'new@example.com' });
    const held = upsertOf(decided(now, entryOf(before), 'sync', heldFields('a:ltv', VIP)));
    const entry = { hash: HASH, primaryKey: 'ann', fingerprint: held?.fingerprint };
    const later = decided(now, entry);
    expect(sent(later)).toMatchObject({ attributes: { ltv: null }, subscriptions: { [GROUP]: 'unsubscribed' } });
    expect(upsertOf(later)).toMatchObject({
      ended: [idOf('a:ltv'), idOf(VIP)],
      fingerprint: now.fingerprint,
    });
  });

  test('is only what ends: other values, joins and new records go', () => {
    const now = row({ email: 'new@example.com', consent: 'unsubscribed', ltv: '13' }, true);
    const decision = decided(now, entryOf(row(ANN)), 'sync', ALL_HELD);
    expect(sent(decision)).toMatchObject({
      attributes: { email: 'new@example.com', email_subscribe: 'unsubscribed', ltv: '13' },
      subscriptions: { [GROUP]: 'subscribed' },
    });
    expect(decision).toMatchObject({ heldBack: [] });
    expect(sent(decided(row(ANN, true), undefined, 'sync', ALL_HELD))).toEqual(
      sent(decided(row(ANN, true), undefined)),
    );
  });

  test('says nothing of what stays in Braze anyway: an omitted value keeps its print without being held', () => {
    const decision = decided(row({ ...ANN, email: 'nowhere', ltv: '13' }), entryOf(row(ANN)), 'sync', heldFields());
    expect(decision).toMatchObject({ kind: 'changed', heldBack: [] });
  });

  test.each(['sync', 'additive', 'enrich'] as const)(
    'may be a removal in %s, which then changes nothing',
    (syncMode) => {
      const match = { kind: 'entry', entry: entryOf(before) } as const;
      expect(decide(match, contextOf(syncMode, ALL_HELD))).toEqual({ kind: 'held', hash: HASH });
    },
  );

  test('is no removal of a record that Braze never had, nor of one that left before', () => {
    const never = { hash: HASH, primaryKey: 'ann', absentAt: START_MS };
    expect(decide({ kind: 'entry', entry: never }, contextOf('sync', ALL_HELD)).kind).toBe('forgotten');
    const left = entryOf(row(ANN), { gone: true });
    expect(decide({ kind: 'entry', entry: left }, contextOf('additive', ALL_HELD)).kind).toBe('kept');
  });

  test('is sent even so when an answer was lost, without what is held', () => {
    const decision = decided(row({ ...ANN, ltv: null }, true), entryOf(before, { uncertain: true }), 'sync', ALL_HELD);
    expect(sent(decision)).toMatchObject({ kind: 'changed', attributes: {}, fields: [] });
    expect(decision).toMatchObject({ heldBack: [idOf('a:ltv')] });
  });
});

describe('a resync', () => {
  const everything = { email: 'ann@example.com', email_subscribe: 'subscribed', ltv: '12' };

  test('sends every attribute again although nothing differs, and no subscription state', () => {
    const decision = decided(row(ANN, true), entryOf(row(ANN, true)), 'sync', { resync: 'attributes' });
    expect(sent(decision)).toMatchObject({ kind: 'changed', attributes: everything, subscriptions: {}, lookup: false });
    expect(upsertOf(decision)?.fingerprint).toEqual(row(ANN, true).fingerprint);
  });

  test('with groups sends the states of its groups too', () => {
    const decision = decided(row(ANN, true), entryOf(row(ANN, true)), 'sync', { resync: 'groups' });
    expect(sent(decision)).toMatchObject({ attributes: everything, subscriptions: { [GROUP]: 'subscribed' } });
  });

  test('sends no NULL of which Braze was never told, and no leave of a group that it was never in', () => {
    const poor = row({ email: 'ann@example.com' });
    for (const resync of ['attributes', 'groups'] as const) {
      expect(sent(decided(poor, entryOf(poor), 'sync', { resync }))).toMatchObject({
        attributes: { email: 'ann@example.com' },
        subscriptions: {},
      });
    }
  });

  test('tells what differs as ever: joins, leaves, NULLs and what is no longer mapped', () => {
    const decision = decided(row({ ...ANN, ltv: null }), entryOf(row(ANN, true), {}, ['a:gone']), 'sync', {
      resync: 'attributes',
    });
    expect(sent(decision)).toMatchObject({
      attributes: { email: 'ann@example.com', email_subscribe: 'subscribed', ltv: null, gone: null },
      subscriptions: { [GROUP]: 'unsubscribed' },
    });
  });

  test('sends nothing of what is carried: held, omitted, or never unset', () => {
    const now = row({ email: 'nowhere', consent: null, ltv: null });
    for (const resync of ['attributes', 'groups'] as const) {
      const decision = decided(now, entryOf(row(ANN, true)), 'sync', { resync, ...ALL_HELD });
      expect(decision).toMatchObject({ kind: 'unchanged', heldBack: [idOf('a:ltv'), idOf(VIP)] });
    }
  });

  test('has nothing to send of a record without any attribute', () => {
    expect(decided(row({}), entryOf(row({})), 'sync', { resync: 'groups' }).kind).toBe('unchanged');
  });

  test('does not ask again about a user that Braze did not know a short time ago', () => {
    const absent = { hash: HASH, primaryKey: 'ann', absentAt: START_MS };
    expect(decided(row(ANN), absent, 'enrich', { resync: 'groups' }).kind).toBe('unchanged');
  });
});

describe('a field with a least interval', () => {
  const slow = destinationOf({
    mapping: { email: 'email' },
    customAttributes: { ltv: { property: 'ltv', minInterval: '1 day' } },
  });
  const shape = textShape(slow, dictionary);
  const LTV = idOf('a:ltv');
  const slowRow = (values: Values): Row => rowOf(slow, shape, 'ann', { values, groups: {} });
  const decidedSlow = (now: Row, entry: Entry | undefined, more: Partial<DecideContext> = {}) =>
    decided(now, entry, 'sync', { shape, ...more });
  const sentAt = (ms: number): Partial<Entry> => ({ sentAt: new Map([[LTV, ms]]) });
  const before = slowRow({ email: 'ann@example.com', ltv: '12' });
  const YOUNG = START_MS - DAY_MS + 1;
  const OLD = START_MS - DAY_MS;

  test.each([
    ['a value', '13'],
    ['a NULL', null],
  ])('waits with %s until its time has come, and then goes', (_, ltv) => {
    const now = slowRow({ email: 'ann@example.com', ltv });
    expect(decidedSlow(now, entryOf(before, sentAt(YOUNG)))).toMatchObject({ kind: 'unchanged', heldBack: [] });
    expect(sent(decidedSlow(now, entryOf(before, sentAt(OLD))))).toMatchObject({ attributes: { ltv } });
    expect(sent(decidedSlow(now, entryOf(before)))).toMatchObject({ attributes: { ltv } });
  });

  test('waits with a value that follows a NULL too', () => {
    const emptied = slowRow({ email: 'ann@example.com', ltv: null });
    expect(decidedSlow(before, entryOf(emptied, sentAt(YOUNG)))).toMatchObject({ kind: 'unchanged' });
    expect(sent(decidedSlow(before, entryOf(emptied, sentAt(OLD))))).toMatchObject({ attributes: { ltv: '12' } });
  });

  test('does not keep other fields waiting, and stays in the ledger as it was', () => {
    for (const ltv of ['13', null]) {
      const now = slowRow({ email: 'new@example.com', ltv });
      const decision = decidedSlow(now, entryOf(before, sentAt(YOUNG)));
      expect(sent(decision)).toMatchObject({ attributes: { email: 'new@example.com' }, fields: ['a:email'] });
      expect(upsertOf(decision)?.sentAt).toEqual(new Map([[LTV, YOUNG]]));
      expect(printsOf(upsertOf(decision)?.fingerprint)).toEqual({
        ...printsOf(now.fingerprint),
        'a:ltv': printsOf(before.fingerprint)['a:ltv'],
      });
    }
  });

  test('that is sent says when; one without an interval never does', () => {
    expect(upsertOf(decidedSlow(before, undefined))?.sentAt).toEqual(new Map([[LTV, START_MS]]));
    const now = slowRow({ email: 'ann@example.com', ltv: '13' });
    expect(upsertOf(decidedSlow(now, entryOf(before, sentAt(OLD))))?.sentAt).toEqual(new Map([[LTV, START_MS]]));
    expect(upsertOf(decided(row({ ...ANN, ltv: '13' }), entryOf(row(ANN), sentAt(OLD))))?.sentAt).toEqual(new Map());
  });

  test('of which an answer was lost goes at once, a value as well as a NULL', () => {
    const prints = [
      ...decodeFingerprint(before.fingerprint).filter(({ id }) => id !== LTV),
      { id: LTV, print: UNKNOWN_PRINT },
    ];
    const fingerprint = encodeFingerprint(prints.sort((a, b) => a.id - b.id));
    for (const ltv of ['12', null]) {
      const decision = decidedSlow(
        slowRow({ email: 'ann@example.com', ltv }),
        entryOf(before, { ...sentAt(YOUNG), fingerprint }),
      );
      expect(sent(decision)).toMatchObject({ attributes: { ltv } });
    }
  });

  test('waits in a resync too', () => {
    const decision = decidedSlow(before, entryOf(before, sentAt(YOUNG)), { resync: 'attributes' });
    expect(sent(decision)).toMatchObject({ attributes: { email: 'ann@example.com' }, fields: ['a:email'] });
  });

  test('is unset at once when it is no longer mapped', () => {
    const unmapped = destinationOf({ mapping: { email: 'email' } });
    const shape = textShape(unmapped, dictionary);
    const now = rowOf(unmapped, shape, 'ann', { values: { email: 'ann@example.com' }, groups: {} });
    expect(sent(decided(now, entryOf(before, sentAt(YOUNG)), 'sync', { shape }))).toMatchObject({
      attributes: { ltv: null },
    });
  });
});

describe('a record that is not even sent', () => {
  const strict = destinationOf({ mapping: { email: 'email' }, customAttributes: { ltv: 'ltv' } });
  const shape = textShape(strict, dictionary);
  const strictRow = (values: Values): Row => rowOf(strict, shape, 'ann', { values, groups: {} });
  const decidedStrict = (now: Row, entry: Entry | undefined, nowMs = START_MS) =>
    decided(now, entry, 'sync', { shape, nowMs });
  const bad = strictRow({ email: 'nowhere', ltv: '1' });
  const rejectedOf = (decision: Decision) => {
    if (decision.kind !== 'rejected') throw new Error(`the record is ${decision.kind}`);
    return decision;
  };
  const noted = (decision: Decision, before?: Entry): Entry => {
    const { note } = rejectedOf(decision);
    if (note?.kind !== 'refuse') throw new Error('nothing is noted');
    return { ...before, hash: note.hash, primaryKey: note.primaryKey, refused: note.refusal };
  };

  test('is noted once for each state of it, with the number of tries and the time of the first', () => {
    const first = decidedStrict(bad, undefined);
    const refusal = { reason: 'is no valid email address', field: 'email', tries: 1, since: START_MS };
    expect(first).toMatchObject({ hash: HASH, rows: 1, refusal, note: { kind: 'refuse', primaryKey: 'ann', refusal } });
    const entry = noted(first);
    expect(decidedStrict(bad, entry, START_MS + DAY_MS)).toEqual({
      ...{ kind: 'rejected', hash: HASH, rows: 1, note: undefined, refusal: entry.refused },
      problem: { field: 'email', reason: 'is no valid email address' },
    });
    const other = strictRow({ email: 'nowhere', ltv: '2' });
    const second = decidedStrict(other, entry, START_MS + DAY_MS);
    expect(second).toMatchObject({
      refusal: { ...refusal, tries: 2 },
      note: { refusal: { tries: 2, since: START_MS } },
    });
    const third = decidedStrict(bad, noted(second, entry), START_MS + 2 * DAY_MS);
    expect(third).toMatchObject({ refusal: { ...refusal, tries: 3 } });
  });

  test('is noted anew when the same state fails for another reason', () => {
    const entry = noted(decidedStrict(bad, undefined));
    const twice = decide({ kind: 'duplicate', row: bad, rows: 2, entry }, contextOf('sync', { shape }));
    expect(twice).toMatchObject({ rows: 2, refusal: { field: 'external_id', tries: 2, since: START_MS } });
    const again = decide(
      { kind: 'duplicate', row: bad, rows: 2, entry: noted(twice, entry) },
      contextOf('sync', { shape }),
    );
    expect(again).toMatchObject({ note: undefined, refusal: { tries: 2 } });
    const thrice = decide(
      { kind: 'duplicate', row: bad, rows: 3, entry: noted(twice, entry) },
      contextOf('sync', { shape }),
    );
    expect(thrice).toMatchObject({ note: { refusal: { tries: 3 } } });
  });

  test('is cleared when it is fine again and Braze has it already', () => {
    const good = strictRow({ email: 'ann@example.com', ltv: '1' });
    const before = entryOf(good);
    const entry = noted(decidedStrict(bad, before), before);
    expect(decidedStrict(good, entry)).toEqual({
      ...{ kind: 'unchanged', omitted: [], heldBack: [] },
      note: { kind: 'clear', hash: HASH },
    });
    expect(decidedStrict(good, before)).toMatchObject({ kind: 'unchanged', note: undefined });
  });

  test('carries its history along when it is sent after all', () => {
    const entry = noted(decidedStrict(bad, undefined));
    const good = decidedStrict(strictRow({ email: 'ann@example.com', ltv: '1' }), entry);
    expect(good).toMatchObject({ kind: 'added', upsert: { refusedBefore: { tries: 1, since: START_MS } } });
  });

  test('keeps what Braze has of it: neither a removal nor a change', () => {
    const before = entryOf(strictRow({ email: 'ann@example.com', ltv: '1' }));
    const { fingerprint, refused } = noted(decidedStrict(bad, before), before);
    expect([fingerprint, refused?.tries]).toEqual([before.fingerprint, 1]);
  });

  test.each([
    ['is empty', ' '],
    ['is too long', 'k'.repeat(988)],
    ['holds a NUL', 'a\0'],
  ])('is noted without a key that %s, which no request will need', (_, key) => {
    const now = rowOf(strict, shape, key, { values: {}, groups: {} });
    expect(decidedStrict(now, undefined)).toMatchObject({ note: { hash: recordHash(key), primaryKey: '' } });
  });

  test('is not noted without a primary key, as nobody can tell which record it is', () => {
    const none = { ...bad, hash: '', primaryKey: '' };
    for (const match of [{ kind: 'row' as const }, { kind: 'duplicate' as const, rows: 4 }]) {
      const decision = decide({ ...match, row: none, entry: undefined } as const, contextOf('sync', { shape }));
      expect(decision).toMatchObject({ kind: 'rejected', hash: '', refusal: undefined, note: undefined });
    }
  });
});

describe('a refusal of Braze', () => {
  test('is told with its field, tries and first time for as long as the state is the same', () => {
    const bad = row({ ...ANN, ltv: '13' });
    const refused = refusalOf({ digest: digestOf(bad.fingerprint), field: 'ltv', tries: 4 });
    const decision = decided(bad, entryOf(row(ANN), { refused }), 'sync', { nowMs: START_MS + DAY_MS });
    expect(decision).toMatchObject({ kind: 'rejected', problem: { field: 'ltv' }, refusal: refused, note: undefined });
  });

  test('does not return when a hold makes another state of it', () => {
    const now = row({ ...ANN, ltv: null, email: 'new@example.com' });
    const held = upsertOf(decided(now, entryOf(row(ANN)), 'sync', heldFields('a:ltv')));
    const refused = refusalOf({ digest: digestOf(held?.fingerprint ?? now.fingerprint) });
    const entry = entryOf(row(ANN), { refused });
    expect(decided(now, entry, 'sync', heldFields('a:ltv')).kind).toBe('rejected');
    expect(sent(decided(now, entry))).toMatchObject({ attributes: { ltv: null, email: 'new@example.com' } });
  });

  test('grows with each state that is refused, from the time of the first', () => {
    const one = nextRefusal(undefined, { digest: 'a', reason: 'x', field: '' }, START_MS);
    const two = nextRefusal(one, { digest: 'b', reason: 'y', field: 'email' }, START_MS + DAY_MS);
    expect(one).toEqual({ digest: 'a', reason: 'x', field: '', tries: 1, since: START_MS });
    expect(two).toEqual({ digest: 'b', reason: 'y', field: 'email', tries: 2, since: START_MS });
  });
});
