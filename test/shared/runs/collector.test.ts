import fc from 'fast-check';
import type { Decision, Upsert } from '../../../shared/diff/decide.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { type Collected, collector, MAX_RECORD_BYTES } from '../../../shared/runs/collector.ts';
import { BatchMessage, textBytes } from '../../../shared/runs/messages.ts';
import { HeldList, ShardCounts } from '../../../shared/runs/model.ts';
import { refusalOf } from '../ledger/refusals.ts';

/** A message of SQS. */
const MAX_MESSAGE_BYTES = 1_048_576;
/** Above this, a batch has one record only. */
const MAX_SHARED_BYTES = 100_000;
/** Records in one batch, whatever the app allows. */
const LIMITS = { remove: 50, note: 75 } as const;

type Kind = Decision['kind'];
/** A decision in short: the number of records is its key. */
type Short = {
  readonly kind: Kind;
  readonly bytes: number;
  readonly lookup: boolean;
  readonly rows: number;
  readonly omitted: number;
  readonly known: boolean;
  /** Fields that would end, but are held. */
  readonly heldBack: readonly number[];
  readonly noted: boolean;
};

const problem = { field: 'a', reason: 'is no number' };
const pad = 'x'.repeat(MAX_MESSAGE_BYTES);

const upsertOf = (key: string, bytes: number, lookup: boolean): Upsert => ({
  hash: recordHash(key),
  primaryKey: key,
  attributes: new Map([['a', pad.slice(0, bytes)]]),
  subscriptions: new Map(),
  fields: [1],
  fingerprint: new Uint8Array([1]),
  lookup,
  ended: [],
  sentAt: new Map(),
  refusedBefore: undefined,
});

function decisionOf(short: Short, key: string): Decision {
  const { kind, bytes, lookup, rows, omitted, heldBack, noted } = short;
  const hash = recordHash(key);
  const problems = Array.from({ length: omitted }, (_, n) => ({ field: `f${n}`, reason: 'is no number' }));
  switch (kind) {
    case 'added':
    case 'changed':
      return { kind, upsert: upsertOf(key, bytes, lookup), omitted: problems, heldBack };
    case 'unchanged':
      return { kind, omitted: problems, heldBack, note: noted ? { kind: 'clear', hash } : undefined };
    case 'rejected': {
      const refusal = refusalOf({ tries: rows });
      const note = noted ? ({ kind: 'refuse', hash, primaryKey: key, refusal } as const) : undefined;
      return { kind, hash, rows, problem, refusal, note };
    }
    case 'removed': {
      const fingerprint = lookup ? new Uint8Array(Math.min(bytes, 100_000)) : undefined;
      return { kind, removal: { hash, primaryKey: key, leaves: [], fields: [1], fingerprint } };
    }
    case 'unremoved':
      return { kind, hash, refusal: refusalOf({ tries: rows }) };
    case 'held':
    case 'forgotten':
      return { kind, hash };
    case 'kept':
      return { kind };
  }
}

const short: fc.Arbitrary<Short> = fc.record({
  kind: fc.constantFrom<Kind[]>('added', 'changed', 'unchanged', 'rejected', 'removed', 'held', 'forgotten', 'kept'),
  bytes: fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 50 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1000, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 90_000, max: 120_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(MAX_RECORD_BYTES - 500, MAX_RECORD_BYTES + 1) },
  ),
  lookup: fc.boolean(),
  rows: fc.integer({ min: 1, max: 3 }),
  omitted: fc.constantFrom(0, 0, 0, 1, 2),
  known: fc.boolean(),
  heldBack: fc.constantFrom([], [], [], [7], [7, 9]),
  noted: fc.boolean(),
});

const NONE = ShardCounts.parse({});
const START = { shard: 5, batches: 0, held: 0, counts: NONE };
const newCollector = (maxUsersPerRequest: number, shard = START, does = { makes: true, lists: true }) =>
  collector({ run: 'r', destination: { syncMode: 'sync' }, name: 'd', maxUsersPerRequest, epoch: 'e', shard, ...does });

const hashesIn = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString('hex').match(/.{32}/g) ?? [];

const parsed = (all: readonly Collected[]) => {
  const texts = all.flatMap(({ texts }) => texts);
  return {
    texts,
    batches: texts.map((text) => BatchMessage.parse(JSON.parse(text))),
    held: all.flatMap(({ held }) => held).map((list) => HeldList.parse(list)),
    rejections: all.flatMap(({ rejections }) => rejections),
  };
};

test('every decision comes out once and in order, in batches within all limits, and the counts add up', () => {
  fc.assert(
    fc.property(
      fc.array(short, { maxLength: 400, size: 'max' }),
      fc.integer({ min: 1, max: 75 }),
      fc.boolean(),
      (shorts, most, restarts) => {
        let collect = newCollector(most);
        const all: Collected[] = [];
        for (const [n, each] of shorts.entries()) {
          collect.add(decisionOf(each, `k${n}`), { hash: recordHash(`k${n}`), known: each.known });
          if (!collect.isFull()) continue;
          all.push(collect.take());
          // Another invocation goes on where the cursor stands.
          if (restarts) collect = newCollector(most, { shard: 5, counts: collect.counts(), ...collect.made() });
        }
        all.push(collect.take());
        const { texts, batches, held, rejections } = parsed(all);

        const isTooLarge = ({ bytes }: Short) => bytes > MAX_RECORD_BYTES;
        const keysOf = (fits: (short: Short) => boolean) => shorts.flatMap((each, n) => (fits(each) ? [`k${n}`] : []));
        const isUpsert = ({ kind }: Short) => kind === 'added' || kind === 'changed';
        const sent = (lookup: boolean) =>
          batches.flatMap((batch) =>
            batch.kind === 'upsert' ? batch.records.filter(({ l = false }) => l === lookup).map(({ k }) => k) : [],
          );
        expect(sent(false)).toEqual(keysOf((each) => isUpsert(each) && !each.lookup && !isTooLarge(each)));
        expect(sent(true)).toEqual(keysOf((each) => isUpsert(each) && each.lookup && !isTooLarge(each)));
        const hashesOf = (fits: (short: Short) => boolean) => keysOf(fits).map(recordHash);
        expect(batches.flatMap((batch) => (batch.kind === 'note' ? batch.records.map(({ h }) => h) : []))).toEqual(
          hashesOf(
            ({ kind, noted }) => kind === 'forgotten' || ((kind === 'unchanged' || kind === 'rejected') && noted),
          ),
        );
        expect(batches.flatMap((batch) => (batch.kind === 'remove' ? batch.records.map(({ k }) => k) : []))).toEqual(
          keysOf(({ kind }) => kind === 'removed'),
        );
        const isRow = ({ kind }: Short) => isUpsert({ kind } as Short) || kind === 'unchanged';
        const heldOf = (effect: string) =>
          held.filter((list) => list.effect === effect).flatMap(({ hashes }) => hashesIn(hashes));
        expect(heldOf('deletions')).toEqual(hashesOf(({ kind }) => kind === 'held'));
        for (const id of [7, 9]) {
          expect(heldOf(`${id}`)).toEqual(hashesOf((each) => isRow(each) && each.heldBack.includes(id)));
        }

        expect(batches.map(({ seq, shard, epoch }) => ({ seq, shard, epoch }))).toEqual(
          batches.map((_, seq) => ({ seq, shard: 5, epoch: 'e' })),
        );
        expect(held.map(({ seq, shard }) => ({ seq, shard }))).toEqual(held.map((_, seq) => ({ seq, shard: 5 })));
        expect(collect.made()).toEqual({ batches: batches.length, held: held.length });
        for (const [index, batch] of batches.entries()) {
          const isLookup = batch.kind === 'upsert' && batch.records.some(({ l }) => l);
          if (isLookup) expect(batch.records.every((record) => 'l' in record && record.l)).toBe(true);
          const limit = batch.kind === 'upsert' ? (isLookup ? Math.min(50, most) : most) : LIMITS[batch.kind];
          expect(batch.records.length).toBeLessThanOrEqual(limit);
          const bytes = textBytes(texts[index] ?? '');
          expect(bytes).toBeLessThan(batch.records.length > 1 ? MAX_SHARED_BYTES + 1000 : MAX_MESSAGE_BYTES);
        }
        expect(held.every(({ hashes }) => hashes.length > 0)).toBe(true);

        const count = (fits: (short: Short) => boolean, of: (short: Short) => number = () => 1) =>
          shorts.filter(fits).reduce((sum, each) => sum + of(each), 0);
        const { due, ...counts } = collect.counts();
        expect(due > 0).toBe(batches.length + held.length > 0);
        expect(counts).toEqual({
          extracted:
            count(isRow) +
            count(
              ({ kind }) => kind === 'rejected',
              ({ rows }) => rows,
            ),
          unchanged: count(({ kind }) => kind === 'unchanged'),
          added: count((each) => each.kind === 'added' && !isTooLarge(each)),
          changed: count((each) => each.kind === 'changed' && !isTooLarge(each)),
          removed: count(({ kind }) => kind === 'removed' || kind === 'held'),
          unremoved: count(({ kind }) => kind === 'unremoved'),
          held: count(({ kind }) => kind === 'held') + count(isRow, ({ heldBack }) => heldBack.length),
          sent:
            count((each) => isUpsert(each) && !isTooLarge(each)) +
            count(({ kind, lookup }) => kind === 'removed' && !lookup),
          dataPoints: count((each) => isUpsert(each) && !isTooLarge(each)),
          rejected:
            count((each) => isUpsert(each) && isTooLarge(each)) +
            count(
              ({ kind }) => kind === 'rejected',
              ({ rows }) => rows,
            ),
          omitted: count(isRow, ({ omitted }) => omitted),
          known: count(({ known }) => known),
          listed: rejections.length,
        });
        expect(counts.extracted).toBe(counts.unchanged + counts.added + counts.changed + counts.rejected);
        expect(rejections.length).toBe(
          count(({ kind }) => kind === 'rejected') +
            count(isRow, ({ omitted }) => omitted) +
            count((each) => isUpsert(each) && isTooLarge(each)),
        );
      },
    ),
    { numRuns: 25, endOnFailure: true },
  );
});

const add = (collect: ReturnType<typeof newCollector>, more: Partial<Short>, count: number): void => {
  const plain = { kind: 'added', bytes: 1, lookup: false, rows: 1, omitted: 0, known: false } as const;
  const each = { ...plain, heldBack: [], noted: false, ...more };
  for (let n = 0; n < count; n++) collect.add(decisionOf(each, `k${n}`), { hash: recordHash(`k${n}`), known: false });
};

test.each([
  ['ten batches of upserts', { kind: 'added' }, 750, 749],
  ['ten batches of lookups', { kind: 'added', lookup: true }, 500, 499],
  ['ten batches of entries to forget', { kind: 'forgotten' }, 750, 749],
  ['ten lists of held removals', { kind: 'held' }, 50_000, 49_999],
  ['ten lists of held NULLs', { kind: 'unchanged', heldBack: [7] }, 50_000, 49_999],
  ['ten batches of removals', { kind: 'removed' }, 500, 499],
  ['two hundred rejections', { kind: 'rejected' }, 200, 199],
  ['two hundred omitted values', { kind: 'unchanged', omitted: 2 }, 100, 99],
] as const)('%s are worth a move of the cursor, and fewer are not', (_, more, enough, tooFew) => {
  for (const [count, isFull] of [
    [enough, true],
    [tooFew, false],
  ] as const) {
    const collect = newCollector(75);
    add(collect, more, count);
    expect(collect.isFull()).toBe(isFull);
    collect.take();
    expect(collect.isFull()).toBe(false);
  }
});

test('a thousand rejections of a shard are listed, all of them are counted', () => {
  const collect = newCollector(75, { ...START, counts: { ...NONE, listed: 990, rejected: 990, extracted: 990 } });
  add(collect, { kind: 'rejected', rows: 2 }, 30);
  expect(collect.take().rejections).toHaveLength(10);
  expect(collect.counts()).toMatchObject({ listed: 1000, rejected: 1050, extracted: 1050 });
});

test('a record counts with the bytes that its text has on the queue', () => {
  const collect = newCollector(75);
  const upsert = { ...upsertOf('ann', 0, false), attributes: new Map([['a', '😀'.repeat(90_000)]]) };
  collect.add({ kind: 'added', upsert, omitted: [], heldBack: [] }, { hash: upsert.hash, known: false });
  const { texts, rejections } = collect.take();
  expect(texts).toEqual([]);
  expect(rejections).toMatchObject([{ reason: expect.stringContaining('larger than') }]);
});

test('what is taken out is gone: a second taking gives nothing', () => {
  const collect = newCollector(10);
  add(collect, {}, 3);
  add(collect, { kind: 'held' }, 3);
  const first = collect.take();
  expect([first.texts.length, first.held.length]).toEqual([1, 1]);
  expect(collect.take()).toEqual({ texts: [], held: [], rejections: [] });
  expect(collect.made()).toEqual({ batches: 1, held: 1 });
});

test('a reading that only counts counts the same, and makes nothing', () => {
  fc.assert(
    fc.property(fc.array(short, { maxLength: 100, size: 'max' }), fc.boolean(), (shorts, lists) => {
      const [makes, counts] = [true, false].map((makes) => newCollector(10, START, { makes, lists }));
      for (const [n, each] of shorts.entries()) {
        const record = { hash: recordHash(`k${n}`), known: each.known };
        makes?.add(decisionOf(each, `k${n}`), record);
        counts?.add(decisionOf(each, `k${n}`), record);
      }
      const rejections = makes?.take().rejections;
      expect(counts?.take()).toEqual({ texts: [], held: [], rejections });
      if (!lists) expect(rejections).toEqual([]);
      expect(counts?.made()).toEqual({ batches: 0, held: 0 });
      expect(counts?.counts()).toEqual(makes?.counts());
    }),
    { numRuns: 25 },
  );
});

test('a list of held records fits an item of DynamoDB, and goes on to be numbered by the next reading', () => {
  const collect = newCollector(10, { ...START, held: 3 });
  add(collect, { kind: 'held' }, 5001);
  const { held } = collect.take();
  expect(held.map(({ effect, shard, seq, hashes }) => [effect, shard, seq, hashes.length])).toEqual([
    ['deletions', 5, 3, 5000 * 16],
    ['deletions', 5, 4, 16],
  ]);
  expect(collect.made()).toEqual({ batches: 0, held: 5 });
});
