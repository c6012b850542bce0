import fc from 'fast-check';
import { NEVER_NULL } from '../../../shared/braze/attributes.ts';
import { decide, NO_HOLDS } from '../../../shared/diff/decide.ts';
import { dictionaryNames } from '../../../shared/diff/row.ts';
import { type Entry, mayBeInBraze, wasRefused, withPossibleWrite } from '../../../shared/ledger/entry.ts';
import { decodeFingerprint, digestOf, encodeFingerprint, UNKNOWN_PRINT } from '../../../shared/ledger/fingerprint.ts';
import { dictionaryWith } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { destinationOf, rowOf, textShape } from '../diff/destinations.ts';
import { START_MS } from '../fake-clock.ts';
import { refusalOf } from './refusals.ts';

const HASH = recordHash('ann');
const GROUP = '8f2b5c1e-0000-4000-8000-000000000001';
const destination = destinationOf({
  mapping: { first_name: 'p', email_subscribe: 's' },
  customAttributes: { a: 'p', b: 'q' },
  subscriptionGroups: { one: GROUP },
});
const dictionary = dictionaryWith(
  dictionaryWith(undefined, ['a:unmapped', 'g:unlisted']),
  dictionaryNames(destination),
);
const shape = textShape(destination, dictionary);
const IDS = [...dictionary.nameById.keys()];

const print = fc.constantFrom('1'.repeat(16), '2'.repeat(16), UNKNOWN_PRINT);
const fingerprint = fc
  .subarray(IDS)
  .chain((ids) => fc.tuple(...ids.map((id) => print.map((print) => ({ id, print })))))
  .map((fields) => encodeFingerprint([...fields].sort((a, b) => a.id - b.id)));
const flags = { gone: fc.constant(true), uncertain: fc.constant(true) };
const refused = fc.constant(refusalOf({ digest: 'x' }));
const entry: fc.Arbitrary<Entry | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({ hash: fc.constant(HASH), primaryKey: fc.constant('ann'), absentAt: fc.constant(START_MS) }),
  fc.record({ hash: fc.constant(HASH), primaryKey: fc.constant('ann'), refused }),
  fc.record(
    { hash: fc.constant(HASH), primaryKey: fc.constant('ann'), fingerprint, ...flags, refused },
    { requiredKeys: ['hash', 'primaryKey', 'fingerprint'] },
  ),
);
const write = (fields: readonly number[], deletes: boolean) => ({ hash: HASH, primaryKey: 'ann', fields, deletes });
const person = fc.record({
  values: fc.record({
    p: fc.constantFrom(null, '', 'x'),
    q: fc.constantFrom(null, 'x', 'y'),
    s: fc.constantFrom(null, 'subscribed', 'unsubscribed'),
  }),
  groups: fc.record({ one: fc.boolean() }),
});
const fieldsOf = (entry: Entry | undefined) => (entry?.fingerprint ? decodeFingerprint(entry.fingerprint) : []);

describe('after a lost answer', () => {
  test('what the request named is unknown, and the rest stands as it was', () => {
    fc.assert(
      fc.property(entry, fc.subarray(IDS), (before, fields) => {
        const after = withPossibleWrite(before, write(fields, false));
        const expected = new Map(fieldsOf(before).map(({ id, print }) => [id, print]));
        for (const id of fields) expected.set(id, UNKNOWN_PRINT);
        const byId = [...expected].map(([id, print]) => ({ id, print })).sort((a, b) => a.id - b.id);
        expect(fieldsOf(after)).toEqual(byId);
        expect(after).toMatchObject({ hash: HASH, primaryKey: 'ann' });
        // Of a user that Braze had, the existence stays known unless it was not before.
        const wasSure = before !== undefined && mayBeInBraze(before) && before.uncertain !== true;
        expect(after?.uncertain).toBe(!wasSure);
        expect(after?.gone).toBe(before?.gone);
        expect(after?.absentAt).toBeUndefined();
        expect(after?.refused).toBeUndefined();
      }),
    );
  });

  test('of a deletion everything is unknown, the existence too; a deletion that was committed leaves nothing', () => {
    fc.assert(
      fc.property(entry, fc.subarray(IDS), (before, fields) => {
        const after = withPossibleWrite(before, write(fields, true));
        if (before === undefined) {
          expect(after).toBeUndefined();
          return;
        }
        expect(fieldsOf(after)).toEqual(fieldsOf(before).map(({ id }) => ({ id, print: UNKNOWN_PRINT })));
        expect(after?.uncertain).toBe(true);
      }),
    );
  });

  test('the same loss twice is the same as once', () => {
    fc.assert(
      fc.property(entry, fc.subarray(IDS), fc.boolean(), (before, fields, deletes) => {
        const once = withPossibleWrite(before, write(fields, deletes));
        expect(withPossibleWrite(once, write(fields, deletes))).toEqual(once);
      }),
    );
  });

  test('every field that was lost is sent again, whatever the row says now, or is null', () => {
    const context = {
      shape,
      dictionary,
      nowMs: START_MS,
      askAgainBeforeMs: START_MS,
      retryRejections: false,
      holds: NO_HOLDS,
      resync: false as const,
    };
    fc.assert(
      fc.property(
        entry,
        fc.subarray(IDS),
        fc.boolean(),
        person,
        fc.constantFrom('sync', 'additive', 'enrich'),
        (before, fields, deletes, person, syncMode) => {
          const after = withPossibleWrite(before, write(fields, deletes));
          fc.pre(after !== undefined);
          const row = rowOf(destination, shape, 'ann', person);
          const decision = decide({ kind: 'row', row, entry: after }, { ...context, syncMode });
          const lost = deletes ? fieldsOf(before).map(({ id }) => id) : fields;
          // A state is never unset: where the row has none, whatever Braze has of it stays.
          const wanted = lost.filter((id) => {
            const name = (dictionary.nameById.get(id) ?? '').slice(2);
            return !NEVER_NULL.has(name) || person.values.s !== null;
          });
          const sent = decision.kind === 'changed' || decision.kind === 'added' ? decision.upsert.fields : [];
          expect(wanted.filter((id) => !sent.includes(id))).toEqual([]);
          if (after?.uncertain) expect(decision.kind).toBe('changed');
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('only an entry with a fingerprint may be in Braze', () => {
  expect(mayBeInBraze({ hash: HASH, primaryKey: 'ann', fingerprint: encodeFingerprint([]) })).toBe(true);
  expect(mayBeInBraze({ hash: HASH, primaryKey: 'ann', absentAt: START_MS })).toBe(false);
  expect(mayBeInBraze({ hash: HASH, primaryKey: 'ann', refused: refusalOf() })).toBe(false);
});

test('a state was refused when its digest is the one of the refusal', () => {
  const one = encodeFingerprint([{ id: 1, print: '1'.repeat(16) }]);
  const other = encodeFingerprint([{ id: 1, print: '2'.repeat(16) }]);
  const entry = { hash: HASH, primaryKey: 'ann', refused: refusalOf({ digest: digestOf(one) }) };
  expect([wasRefused(entry, one), wasRefused(entry, other), wasRefused(undefined, one)]).toEqual([true, false, false]);
});
