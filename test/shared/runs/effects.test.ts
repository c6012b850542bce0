import fc from 'fast-check';
import { type DecideContext, decide } from '../../../shared/diff/decide.ts';
import { dictionaryNames } from '../../../shared/diff/row.ts';
import type { Entry } from '../../../shared/ledger/entry.ts';
import { decodeFingerprint, encodeFingerprint } from '../../../shared/ledger/fingerprint.ts';
import { dictionaryWith } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import {
  DELETIONS,
  type Decided,
  decidedOf,
  effectKey,
  effectOf,
  effectTally,
  guardedIds,
  heldBudget,
  heldEffects,
  heldPoints,
  holdsOf,
  NOTHING_DECIDED,
  SENT,
  sumEffects,
} from '../../../shared/runs/effects.ts';
import { type Approval, EffectCounts, type Held, type Run } from '../../../shared/runs/model.ts';
import { type Person, rowOf, textShape } from '../diff/destinations.ts';
import { START_MS } from '../fake-clock.ts';
import { destinationWith, GROUP } from './deps.ts';

const OLD_GROUP = '8f2b5c1e-0000-4000-8000-000000000002';
const destination = destinationWith();
/** `a:gone` and the old group were sent once and are no longer mapped. */
const dictionary = dictionaryWith(
  dictionaryWith(undefined, ['a:gone', `g:${OLD_GROUP}`]),
  dictionaryNames(destination),
);
const shape = textShape(destination, dictionary);
const guarded = guardedIds(shape);
const keyOf = (name: string): string => String(dictionary.idByName.get(name));
const LTV = keyOf('a:ltv');
const VIP = keyOf(`g:${GROUP}`);
const NONE = EffectCounts.parse({});

const row = (key: string, person: Person) => rowOf(destination, shape, key, person);
/** The entry that a person leaves, with a field and a group that are no longer mapped. */
function entryOf(key: string, person: Person, more: Partial<Entry> = {}): Entry {
  const { hash, fingerprint } = row(key, person);
  const further = ['a:gone', `g:${OLD_GROUP}`].map((name) => ({ id: Number(keyOf(name)), print: '1'.repeat(16) }));
  const prints = [...decodeFingerprint(fingerprint), ...further].sort((a, b) => a.id - b.id);
  return { hash, primaryKey: key, fingerprint: encodeFingerprint(prints), ...more };
}

type Change = { readonly before: Person | undefined; readonly after: Person | undefined; readonly gone: boolean };

/** Counts changes as a counting reading does. */
function counted(
  changes: Readonly<Record<string, Change>>,
  { decided = NOTHING_DECIDED, syncMode = 'sync', parts = 1 }: CountOptions = {},
): EffectCounts {
  const context: DecideContext = {
    ...{ shape, syncMode, dictionary, nowMs: START_MS, askAgainBeforeMs: START_MS },
    ...{ retryRejections: false, resync: false, holds: holdsOf(guarded, decided, new Set()) },
  };
  const entries = Object.entries(changes);
  const sums = Array.from({ length: parts }, (_, part) => {
    const tally = effectTally(NONE, guarded, decided);
    for (const [key, { before, after, gone }] of entries.filter((_, index) => index % parts === part)) {
      const entry = before && entryOf(key, before, gone ? { gone } : {});
      if (after) {
        tally.add(decide({ kind: 'row', row: row(key, after), entry }, context), entry, recordHash(key));
      } else if (entry) tally.add(decide({ kind: 'entry', entry }, context), entry, entry.hash);
    }
    return tally.counts();
  });
  return sumEffects(sums);
}
type CountOptions = {
  readonly decided?: Decided;
  readonly syncMode?: 'sync' | 'additive';
  readonly parts?: number;
};

const ANN: Person = { values: { email: 'a@example.com', consent: 'subscribed', ltv: '1' }, groups: { vip: true } };
const with_ = (values: Person['values'], vip = true): Person => ({
  values: { ...ANN.values, ...values },
  groups: { vip },
});
const change = (before: Person | undefined, after: Person | undefined): Change => ({ before, after, gone: false });

describe('a counting reading finds', () => {
  test.each<[string, Change, Readonly<Record<string, number>>]>([
    ['nothing of a new record', change(undefined, ANN), {}],
    ['nothing of a record that stays', change(ANN, ANN), {}],
    ['nothing of another value', change(ANN, with_({ ltv: '2' })), {}],
    ['nothing of a state that Braze never unsets', change(ANN, with_({ consent: null })), {}],
    ['a NULL of a mapped attribute', change(ANN, with_({ ltv: null })), { [LTV]: 1 }],
    ['who leaves a listed group', change(ANN, with_({}, false)), { [VIP]: 1 }],
    ['a removal, and nothing of its fields', change(ANN, undefined), { [DELETIONS]: 1 }],
    [
      'nothing of a NULL that stays NULL',
      change(with_({ ltv: null }), with_({ ltv: null, email: 'x@example.com' })),
      {},
    ],
  ])('%s', (_, change, found) => {
    expect(counted({ ann: change }).found).toEqual(found);
  });

  test('nothing of attributes that are no longer mapped and groups that are no longer listed', () => {
    const { found, of } = counted({ ann: change(ANN, with_({ ltv: '2' })) });
    expect(found).toEqual({});
    expect(of).not.toHaveProperty(keyOf('a:gone'));
    expect(of).not.toHaveProperty(keyOf(`g:${OLD_GROUP}`));
  });

  test('at most ten samples of each effect, and of what would be sent', () => {
    const drop = Object.fromEntries(
      Array.from({ length: 25 }, (_, n) => [`k${n}`, change(ANN, n < 12 ? with_({ ltv: null }) : undefined)]),
    );
    for (const parts of [1, 3]) {
      const { samples } = counted(drop, { parts });
      expect([samples[LTV], samples[DELETIONS], samples[SENT]].map((some) => new Set(some).size)).toEqual([10, 10, 10]);
    }
    const { samples } = counted({ ann: change(ANN, with_({ ltv: null })), bob: change(ANN, undefined) });
    expect(samples).toEqual({
      [LTV]: [recordHash('ann')],
      [DELETIONS]: [recordHash('bob')],
      [SENT]: [recordHash('ann')],
    });
  });

  test('what somebody who compares before and after by hand finds, in any number of shards', () => {
    const person: fc.Arbitrary<Person> = fc.record({
      values: fc.record({
        email: fc.constantFrom(null, 'a@example.com', 'b@example.com'),
        consent: fc.constantFrom(null, 'subscribed'),
        ltv: fc.constantFrom(null, '1', '2'),
      }),
      groups: fc.record({ vip: fc.boolean() }),
    });
    const maybe = fc.option(person, { nil: undefined });
    const choice = fc.constantFrom('nothing', 'approved', 'discarded');
    const change = fc.record({
      before: maybe,
      after: maybe,
      gone: fc.boolean(),
      choices: fc.tuple(choice, choice, choice),
    });
    const keys = [DELETIONS, LTV, VIP];
    const was = ({ before }: Change, key: string): boolean => {
      if (before === undefined) return false;
      if (key === DELETIONS) return true;
      return key === LTV ? before.values.ltv !== null : before.groups.vip === true;
    };
    const ends = (each: Change, key: string): boolean => {
      if (!was(each, key)) return false;
      if (each.after === undefined || key === DELETIONS) return key === DELETIONS && each.after === undefined;
      return key === LTV ? each.after.values.ltv === null : each.after.groups.vip !== true;
    };
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), (changes, parts) => {
        const choices = new Map(changes.map(({ choices }, n) => [recordHash(`k${n}`), choices]));
        const choiceOf = (key: string, hash: string) => choices.get(hash)?.[keys.indexOf(key)] ?? 'nothing';
        const decided: Decided = {
          isApproved: (key, hash) => choiceOf(key, hash) === 'approved',
          isDiscarded: (key, hash) => choiceOf(key, hash) === 'discarded',
        };
        const byKey = Object.fromEntries(changes.map((each, n) => [`k${n}`, each]));
        const { of, found, leftOut } = counted(byKey, { decided, parts });
        for (const [index, key] of keys.entries()) {
          const count = (choice: string) =>
            changes.filter((each) => ends(each, key) && each.choices[index] === choice).length;
          expect([key, found[key] ?? 0]).toEqual([key, count('nothing')]);
          expect([key, leftOut[key] ?? 0]).toEqual([key, count('discarded')]);
          const could = changes.filter(
            (each) => was(each, key) && (!each.gone || (key === DELETIONS && ends(each, key))),
          ).length;
          expect([key, of[key] ?? 0]).toEqual([key, could]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('the same whether or not it was interrupted', () => {
    const leaves = decide(
      { kind: 'entry', entry: entryOf('ann', ANN) },
      {
        ...{ shape, syncMode: 'sync', dictionary, nowMs: START_MS, askAgainBeforeMs: START_MS },
        ...{ retryRejections: false, resync: false, holds: holdsOf(guarded, NOTHING_DECIDED, new Set()) },
      },
    );
    const once = effectTally(NONE, guarded, NOTHING_DECIDED);
    let counts = NONE;
    for (const key of ['ann', 'bob', 'cy']) {
      once.add(leaves, entryOf(key, ANN), recordHash(key));
      const again = effectTally(counts, guarded, NOTHING_DECIDED);
      again.add(leaves, entryOf(key, ANN), recordHash(key));
      counts = again.counts();
    }
    expect(counts).toEqual(once.counts());
    expect(NONE).toEqual(EffectCounts.parse({}));
  });
});

describe('the guards hold', () => {
  const countsOf = (key: string, more: { found: number; of?: number; leftOut?: number; samples?: string[] }) =>
    EffectCounts.parse({
      found: { [key]: more.found },
      of: { [key]: more.of ?? 100 },
      leftOut: { [key]: more.leftOut ?? 0 },
      samples: { [key]: more.samples ?? [] },
    });
  const heldOf = (key: string, more: Parameters<typeof countsOf>[1], extracted = 100, guards = {}) =>
    heldEffects(destinationWith(guards), dictionary, extracted, countsOf(key, more)).map(
      ({ effect, records, because }) => [effect, records, because],
    );
  const of100 = 'of the 100 records in the ledger';

  test.each<[string, [string, Parameters<typeof countsOf>[1], number?, object?], unknown[]]>([
    ['no ten removals of a hundred', [DELETIONS, { found: 10 }], []],
    [
      'eleven removals of a hundred',
      [DELETIONS, { found: 11 }],
      [['deletions', 11, `11 removals are held: more than maxPercent (10) ${of100}`]],
    ],
    ['no half of a group', [VIP, { found: 50 }], []],
    [
      'more than half of a group',
      [VIP, { found: 51 }],
      [[`group:${GROUP}`, 51, `51 leavers of group 'vip' are held: more than maxPercent (50) ${of100}`]],
    ],
    [
      'an attribute that more than half of the records lose',
      [LTV, { found: 51 }],
      [['attribute:ltv', 51, `51 NULLs of 'ltv' are held: more than maxPercent (50) ${of100}`]],
    ],
    ['no nine records of a small group', [VIP, { found: 9, of: 9 }], []],
    ['ten records of a small group', [VIP, { found: 10, of: 10 }], [[`group:${GROUP}`, 10, expect.any(String)]]],
    ['no nine NULLs of a rare attribute', [LTV, { found: 9, of: 9 }], []],
    [
      'one removal too many, however few they are',
      [DELETIONS, { found: 1, of: 2 }],
      [['deletions', 1, expect.any(String)]],
    ],
    [
      'one removal after an empty extract, whatever the limits',
      [DELETIONS, { found: 1 }, 0, { deletionGuard: { maxPercent: 100 } }],
      [['deletions', 1, '1 removals are held: the extract had no rows at all']],
    ],
    [
      'by the limits of its own guard',
      [LTV, { found: 2 }, 100, { nullGuard: { maxRecords: 1, minRecords: 0 } }],
      [['attribute:ltv', 2, expect.stringContaining('maxRecords (1)')]],
    ],
    [
      'nothing that the other guards forbid',
      [VIP, { found: 2 }, 100, { nullGuard: { maxRecords: 0, minRecords: 0 } }],
      [],
    ],
    ['nothing of what was discarded alone', [LTV, { found: 0, leftOut: 80 }], []],
    ['no few more after many were discarded', [LTV, { found: 9, leftOut: 80 }], []],
    [
      'what was discarded too, once new ones go beyond the limits',
      [LTV, { found: 51, leftOut: 40 }],
      [['attribute:ltv', 91, expect.stringContaining('51 NULLs')]],
    ],
  ])('%s', (_, [key, more, extracted, guards], held) => {
    expect(heldOf(key, more, extracted, guards)).toEqual(held);
  });

  test('each effect on its own, with samples', () => {
    const both = sumEffects([
      countsOf(LTV, { found: 60, samples: ['a', 'b'] }),
      countsOf(VIP, { found: 60, samples: ['c'] }),
      countsOf(DELETIONS, { found: 3 }),
    ]);
    expect(heldEffects(destination, dictionary, 100, both)).toMatchObject([
      { effect: 'attribute:ltv', records: 60, of: 100, samples: ['a', 'b'] },
      { effect: `group:${GROUP}`, records: 60, of: 100, samples: ['c'] },
    ]);
  });

  test('a NULL for a data point each, and deletions and leavers for none', () => {
    const held = (effect: Held['effect'], records: number): Held => ({
      effect,
      records,
      of: 9,
      because: '',
      samples: [],
    });
    expect(heldPoints([])).toBe(0);
    expect(
      heldPoints([held('attribute:ltv', 3), held('attribute:email', 2), held('deletions', 9), held('group:x', 9)]),
    ).toBe(5);
  });
});

describe('an effect', () => {
  test.each([
    ['deletions', DELETIONS],
    ['attribute:ltv', LTV],
    [`group:${GROUP}`, VIP],
    ['attribute:gone', keyOf('a:gone')],
  ] as const)('%s has a key in the ledger, and is found by it again', (effect, key) => {
    expect(effectKey(effect, dictionary)).toBe(key);
    expect(effectOf(key, dictionary)).toBe(effect);
  });

  test('that the ledger has never heard of has none', () => {
    expect(effectKey('attribute:never', dictionary)).toBeUndefined();
    expect(effectKey('budget', dictionary)).toBeUndefined();
    expect(() => effectOf('999', dictionary)).toThrow('999');
  });
});

describe('what persons have decided', () => {
  const approval = (effect: Approval['effect'], shownIn?: string): Approval => ({
    ...{ effect, by: 'ann' },
    ...(shownIn === undefined ? {} : { shownIn }),
  });
  const [a, b] = [recordHash('a'), recordHash('b')];
  const lists: Readonly<Record<string, readonly string[]>> = {
    [`r1 ${LTV}`]: [a],
    [`r2 ${VIP}`]: [b],
    [`r1 ${DELETIONS}`]: [a],
  };
  const decidedBy = (run: Pick<Run, 'approvals' | 'discards'>) =>
    decidedOf({ heldHashes: async (run, key) => new Set(lists[`${run} ${key}`]) }, run, dictionary);

  test('is about the records that they were shown, or about all where none were', async () => {
    const { isApproved, isDiscarded } = await decidedBy({
      approvals: [
        approval('attribute:ltv', 'r1'),
        approval('deletions'),
        approval('budget'),
        approval('attribute:never'),
      ],
      discards: [{ effect: `group:${GROUP}`, shownIn: 'r2' }],
    });
    expect([isApproved(LTV, a), isApproved(LTV, b), isApproved(VIP, a)]).toEqual([true, false, false]);
    expect([isApproved(DELETIONS, a), isApproved(DELETIONS, b)]).toEqual([true, true]);
    expect([isDiscarded(VIP, a), isDiscarded(VIP, b), isDiscarded(LTV, a)]).toEqual([false, true, false]);
  });

  test('is held unless approved, and left out when discarded, of what guards watch only', async () => {
    const decided = await decidedBy({
      approvals: [approval('attribute:ltv', 'r1')],
      discards: [{ effect: `group:${GROUP}`, shownIn: 'r2' }],
    });
    const holds = holdsOf(guarded, decided, new Set([LTV, DELETIONS, keyOf('a:gone')]));
    expect([holds.field(Number(LTV), a), holds.field(Number(LTV), b)]).toEqual([false, true]);
    expect([holds.field(Number(VIP), a), holds.field(Number(VIP), b)]).toEqual([false, true]);
    expect([holds.removal(a), holds.removal(b)]).toEqual([true, true]);
    expect(holds.field(Number(keyOf('a:gone')), a)).toBe(false);
    const none = holdsOf(guarded, decided, new Set());
    expect([none.field(Number(LTV), b), none.removal(a), none.field(Number(VIP), b)]).toEqual([false, false, true]);
  });
});

describe('a run that costs', () => {
  const budget = (dataPoints?: number): Approval => ({
    ...{ effect: 'budget', by: 'ann', shownIn: 'r1' },
    ...(dataPoints === undefined ? {} : { dataPoints }),
  });
  const cost = { records: 7, dataPoints: 101, spentToday: 0, samples: ['a'] };

  test.each<[string, object | undefined, Partial<typeof cost>, Approval[], object | undefined]>([
    ['what nobody limits goes', undefined, {}, [], undefined],
    ['as much as it may goes', { dataPointsPerRun: 101 }, {}, [], undefined],
    [
      'more than it may is held',
      { dataPointsPerRun: 100 },
      {},
      [],
      { of: 100, dataPoints: 101, records: 7, samples: ['a'] },
    ],
    ['more than is left of the day is held', { dataPointsPerDay: 150 }, { spentToday: 50 }, [], { of: 150 }],
    ['what a person has seen and approved goes', { dataPointsPerRun: 100 }, {}, [budget(101)], undefined],
    ['more than a person has approved is held', { dataPointsPerRun: 100 }, {}, [budget(100)], { dataPoints: 101 }],
    ['anything goes where the cost was not shown', { dataPointsPerRun: 1 }, {}, [budget()], undefined],
    [
      'more is held when other effects were approved',
      { dataPointsPerRun: 1 },
      {},
      [{ effect: 'deletions', by: 'a' }],
      {},
    ],
    ['nothing goes, whatever was spent', { dataPointsPerDay: 1 }, { dataPoints: 0, spentToday: 99 }, [], undefined],
  ])('%s', (_, limits, more, approvals, held) => {
    const found = heldBudget(destinationWith(limits ? { budget: limits } : {}), { approvals }, { ...cost, ...more });
    if (held === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject({ effect: 'budget', ...held });
  });
});
