import fc from 'fast-check';
import type { Note, Removal, Upsert } from '../../../shared/diff/decide.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import {
  BatchMessage,
  ExtractMessage,
  fingerprintBytes,
  messageText,
  noteRecord,
  removalRecord,
  textBytes,
  upsertRecord,
} from '../../../shared/runs/messages.ts';
import { calls, MAX_CALL_BYTES } from '../../../shared/runs/queue.ts';
import type { JsonValue } from '../../../shared/values/json.ts';
import { refusalOf } from '../ledger/refusals.ts';

const HEAD = { run: 'r1', destination: 'd1', shard: 3, seq: 7, epoch: 'e1' };
/** Characters that JSON or SQS treat in their own way, lone surrogates among them. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\ufffe', '\uffff', '\ud800', '\udfff', '😀', '\u0000', '\u2028', '\\', '\\ufffe', '"', 'é'))
    .map((parts) => parts.join('')),
);
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON'));
const value = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 3 }).map((members) => Object.fromEntries(members)),
  ),
})).json;
const upsert: fc.Arbitrary<Upsert> = fc.record({
  primaryKey: text.filter((key) => key !== ''),
  attributes: fc.array(fc.tuple(key, value), { maxLength: 4 }).map((entries) => new Map(entries)),
  subscriptions: fc
    .array(fc.tuple(fc.uuid(), fc.constantFrom('subscribed' as const, 'unsubscribed' as const)), { maxLength: 3 })
    .map((entries) => new Map(entries)),
  fields: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 5 }),
  fingerprint: fc.uint8Array({ maxLength: 40 }),
  lookup: fc.boolean(),
  hash: fc.string().map(recordHash),
  ended: fc.constant([]),
  sentAt: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 65_535 }), fc.nat()), { maxLength: 3 })
    .map((times) => new Map(times)),
  refusedBefore: fc.option(
    fc.record({ tries: fc.integer({ min: 1, max: 99 }), since: fc.nat() }).map((history) => refusalOf(history)),
    { nil: undefined },
  ),
});

/** Source: Amazon SQS API Reference, 'SendMessage'. */
const SQS_TAKES = /^[ -\ud7ff\ue000-\ufffd]*$/;

test('an upsert comes out of a queue as it went in, in characters that SQS takes', () => {
  fc.assert(
    fc.property(fc.array(upsert, { minLength: 1, maxLength: 4 }), (upserts) => {
      const body = messageText({ kind: 'upsert', ...HEAD, records: upserts.map(upsertRecord) });
      expect(body).toMatch(SQS_TAKES);
      const message = BatchMessage.parse(JSON.parse(body));
      expect(message).toMatchObject({ kind: 'upsert', ...HEAD });
      const records = message.kind === 'upsert' ? message.records : [];
      expect(
        records.map(({ h, k, a, s, i, f, l, t, p }) => ({
          hash: h,
          primaryKey: k,
          attributes: new Map(a),
          subscriptions: new Map(s),
          fields: i,
          fingerprint: fingerprintBytes(f),
          lookup: l === true,
          sentAt: new Map(t),
          refusedBefore: p,
        })),
      ).toEqual(
        upserts.map(({ ended: _, refusedBefore: before, ...each }) => ({
          ...each,
          fingerprint: new Uint8Array(each.fingerprint),
          refusedBefore: before && [before.tries, before.since],
        })),
      );
      for (const [index, { a }] of records.entries()) {
        // Members that toEqual may overlook, such as an own __proto__.
        expect(JSON.stringify(a)).toBe(JSON.stringify([...(upserts[index]?.attributes ?? [])]));
      }
    }),
    { numRuns: 300 },
  );
});

test.each<[string, Removal]>([
  ['a deletion', { hash: recordHash('a'), primaryKey: 'a', leaves: [], fields: [1, 2], fingerprint: undefined }],
  [
    'a leave',
    { hash: recordHash('\uffff'), primaryKey: '\uffff', leaves: ['g'], fields: [9], fingerprint: new Uint8Array([1]) },
  ],
  [
    'a leave by somebody whose fields wait for their intervals',
    {
      ...{ hash: recordHash('d'), primaryKey: 'd', leaves: ['g'], fields: [9], fingerprint: new Uint8Array([1]) },
      sentAt: new Map([[3, 1_700_000_000_000]]),
    },
  ],
  [
    'a leave of nothing',
    { hash: recordHash('c'), primaryKey: 'c', leaves: [], fields: [], fingerprint: new Uint8Array([1, 0, 2]) },
  ],
])('%s comes out of a queue as it went in', (_, removal) => {
  const body = messageText({ kind: 'remove', ...HEAD, records: [removalRecord(removal)] });
  const message = BatchMessage.parse(JSON.parse(body));
  const [record] = message.kind === 'remove' ? message.records : [];
  expect(record).toEqual({
    h: removal.hash,
    k: removal.primaryKey,
    s: removal.leaves,
    i: removal.fields,
    ...(removal.fingerprint ? { f: expect.any(String) } : {}),
    ...(removal.sentAt ? { t: [...removal.sentAt] } : {}),
  });
  expect(record?.f === undefined ? undefined : fingerprintBytes(record.f)).toEqual(removal.fingerprint);
});

const refusal = refusalOf({ field: 'email', tries: 3 });

test.each<[string, Note, object]>([
  [
    'a refusal',
    { kind: 'refuse', hash: recordHash('a'), primaryKey: 'a', refusal },
    { h: recordHash('a'), k: 'a', r: refusal },
  ],
  [
    'a refusal of a record whose key Braze would refuse',
    { kind: 'refuse', hash: recordHash('a'), primaryKey: '', refusal },
    { h: recordHash('a'), k: '', r: refusal },
  ],
  ['the end of a refusal', { kind: 'clear', hash: recordHash('a') }, { h: recordHash('a'), clear: true }],
])('%s comes out of a queue as it went in', (_, note, record) => {
  const body = messageText({ kind: 'note', ...HEAD, records: [noteRecord(note)] });
  expect(BatchMessage.parse(JSON.parse(body))).toEqual({ kind: 'note', ...HEAD, records: [record] });
});

const record = { h: recordHash('a'), k: 'a', a: [], s: [], i: [], f: '' };

test.each<[string, unknown]>([
  ['of an unknown kind', { kind: 'update', ...HEAD, records: [] }],
  ['without a run', { kind: 'note', ...HEAD, run: '', records: [] }],
  ['of a shard beyond 255', { kind: 'note', ...HEAD, shard: 256, records: [] }],
  ['of a broken number', { kind: 'note', ...HEAD, seq: 0.5, records: [] }],
  ['with a hash that is none', { kind: 'upsert', ...HEAD, records: [{ ...record, h: 'A'.repeat(32) }] }],
  ['with an empty key', { kind: 'upsert', ...HEAD, records: [{ ...record, k: '' }] }],
  ['with another state', { kind: 'upsert', ...HEAD, records: [{ ...record, s: [['g', 'opted_in']] }] }],
  ['with a fingerprint that is no base64', { kind: 'upsert', ...HEAD, records: [{ ...record, f: '*' }] }],
  ['of a note that says nothing', { kind: 'note', ...HEAD, records: [{ h: recordHash('a') }] }],
  ['of a refusal without a reason', { kind: 'note', ...HEAD, records: [{ h: recordHash('a'), k: 'a', r: {} }] }],
  ['with an attribute without a value', { kind: 'upsert', ...HEAD, records: [{ ...record, a: [['x']] }] }],
])('a batch message %s is refused', (_, message) => {
  expect(BatchMessage.safeParse(message).success).toBe(false);
});

test.each([
  [{ kind: 'prepare', run: 'r', destination: 'd', polls: 3 }],
  [{ kind: 'shard', run: 'r', destination: 'd', shard: 0, polls: 0 }],
] as const)('the step %j comes out of a queue as it went in', (step) => {
  expect(ExtractMessage.parse(JSON.parse(messageText(step)))).toEqual(step);
});

describe('messages in calls', () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 2000 }),
    fc.integer({ min: 90_000, max: 300_000 }),
    fc.constantFrom(MAX_CALL_BYTES, MAX_CALL_BYTES / 2, MAX_CALL_BYTES / 2 + 1),
  );

  test('are ten and 1 MiB at most, in their order, and no call could take the first of the next one too', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(size, fc.constantFrom('x', 'é')), { maxLength: 40 }), (sizes) => {
        const messages = sizes.map(([bytes, character], n) => ({
          text: character.repeat(Math.ceil(bytes / textBytes(character))).slice(0, bytes),
          delaySeconds: n,
        }));
        const groups = calls(messages);
        expect(groups.flat()).toEqual(messages);
        const bytesOf = (group: readonly { text: string }[]) =>
          group.reduce((sum, { text }) => sum + textBytes(text), 0);
        for (const [index, group] of groups.entries()) {
          expect(group.length).toBeGreaterThan(0);
          expect(group.length).toBeLessThanOrEqual(10);
          if (group.length > 1) expect(bytesOf(group)).toBeLessThanOrEqual(1_048_576);
          const next = groups[index + 1]?.[0];
          if (next && group.length < 10) expect(bytesOf(group) + textBytes(next.text)).toBeGreaterThan(1_048_576);
        }
      }),
      { numRuns: 40 },
    );
  });
});
