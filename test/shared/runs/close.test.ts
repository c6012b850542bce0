import fc from 'fast-check';
import { isComplete, statusOf, totalsOf } from '../../../shared/runs/close.ts';
import { type Effect, type Held, type Run, type RunStatus, ShardCounts, Totals } from '../../../shared/runs/model.ts';
import { runOf, settlementOf, shardOf } from './runs.ts';

describe('a run is complete', () => {
  const seqs = (from: number, to: number) => new Set(Array.from({ length: to - from }, (_, n) => from + n));

  test.each([
    ['without any batch', [shardOf({ done: true })], [], true],
    ['before every shard is read', [shardOf({ done: true }), shardOf({ shard: 1 })], [], false],
    [
      'before every batch is settled',
      [shardOf({ done: true, batches: 2 })],
      [settlementOf({ settled: seqs(0, 1) })],
      false,
    ],
    [
      'when every batch is settled',
      [shardOf({ done: true, batches: 2 })],
      [settlementOf({ settled: seqs(0, 2) })],
      true,
    ],
    [
      'over many shards and items',
      [shardOf({ done: true, batches: 101 }), shardOf({ shard: 1, done: true, batches: 1 })],
      [
        settlementOf({ settled: seqs(0, 100) }),
        settlementOf({ settled: seqs(100, 101) }),
        settlementOf({ settled: seqs(0, 1) }),
      ],
      true,
    ],
    ['with lists of held records, which nobody settles', [shardOf({ done: true, held: 3 })], [], true],
  ])('%s', (_, shards, settlements, complete) => {
    expect(isComplete(shards, settlements)).toBe(complete);
  });
});

const SENDS = { pass: 'send', done: true } as const;
const held = (effect: Effect, records: number): Held => ({
  effect,
  records,
  of: 100,
  because: 'too many',
  samples: [],
});

describe('the totals of a run', () => {
  const counts = (n: number) =>
    ShardCounts.parse({
      extracted: 10 * n,
      unchanged: n,
      added: 2 * n,
      changed: 3 * n,
      removed: 4 * n,
      rejected: 4 * n,
      omitted: 5 * n,
      known: 9 * n,
      listed: n,
      held: 6 * n,
      sent: 30 * n,
      due: 7 * n,
      dataPoints: 8 * n,
    });
  const shards = [shardOf({ ...SENDS, counts: counts(1) }), shardOf({ ...SENDS, shard: 1, counts: counts(10) })];
  const settlements = [1, 10].map((n) =>
    settlementOf({
      settled: new Set([n]),
      accepted: n,
      rejected: 2 * n,
      deleted: 3 * n,
      absent: 4 * n,
      undelivered: 5 * n,
      requests: 6 * n,
      lookups: 7 * n,
      dataPoints: 8 * n,
    }),
  );

  test('are sums over its shards and its settled batches', () => {
    const run = runOf({ held: [held('deletions', 40), held('attribute:email', 4)] });
    expect(totalsOf(run, shards, settlements)).toEqual({
      extracted: 110,
      unchanged: 11,
      added: 22,
      changed: 33,
      removed: 44,
      held: 44,
      accepted: 11,
      rejected: 44 + 22,
      refused: 22,
      deleted: 33,
      omitted: 55,
      absent: 44,
      sent: 330,
      unremoved: 0,
      undelivered: 330 - 11 - 22 - 33 - 44,
      requests: 66,
      lookups: 77,
      dataPoints: 88,
    });
  });

  test('hold each row and each sent record once, whatever became of them', () => {
    const few = fc.integer({ min: 0, max: 5 });
    const row = fc.constantFrom('unchanged', 'added', 'changed', 'rejected');
    const fate = fc.constantFrom('accepted', 'deleted', 'rejected', 'absent', 'undelivered', 'never settled');
    const shard = fc.record({ rows: fc.array(row, { maxLength: 20 }), removed: few, fates: fc.array(fate) });
    fc.assert(
      fc.property(fc.array(shard, { maxLength: 4 }), (drawn) => {
        const shards = drawn.map(({ rows, removed, fates }, index) => {
          const count = (kind: string) => rows.filter((each) => each === kind).length;
          const counts = ShardCounts.parse({
            ...{ extracted: rows.length, removed, sent: fates.length },
            ...Object.fromEntries(['unchanged', 'added', 'changed', 'rejected'].map((kind) => [kind, count(kind)])),
          });
          return shardOf({ ...SENDS, shard: index, counts });
        });
        const settlements = drawn.map(({ fates }) =>
          settlementOf(Object.fromEntries(fates.filter((each) => each !== 'never settled').map((kind) => [kind, 0]))),
        );
        for (const [index, { fates }] of drawn.entries()) {
          const item = settlements[index];
          for (const each of fates) if (item && each !== 'never settled') item[each]++;
        }
        const totals = totalsOf(runOf(), shards, settlements);
        const { extracted, unchanged, added, changed, rejected, refused } = totals;
        expect(extracted).toBe(unchanged + added + changed + (rejected - refused));
        const { sent, accepted, deleted, absent, undelivered } = totals;
        expect(sent).toBe(accepted + deleted + refused + absent + undelivered);
        const lost = drawn.flatMap(({ fates }) => fates.filter((each) => /^(undelivered|never settled)$/.test(each)));
        expect(undelivered).toBe(lost.length);
      }),
    );
  });

  test('have nothing sent, nor undelivered, where shards were only counted', () => {
    const counted = shards.map((shard) => ({ ...shard, pass: 'count' as const }));
    expect(totalsOf(runOf(), counted, [])).toMatchObject({ extracted: 110, changed: 33, sent: 0, undelivered: 0 });
  });

  test('have nothing held for a run that is failing', () => {
    const run = runOf({ status: 'failing', held: [held('deletions', 40)] });
    expect(totalsOf(run, shards, settlements)).toMatchObject({ held: 0, removed: 44 });
  });

  test('are all zero for a run that found nothing', () => {
    expect(new Set(Object.values(totalsOf(runOf(), [], [])))).toEqual(new Set([0]));
  });
});

const HELD = { held: [held('deletions', 1)] };

test.each<[RunStatus, Partial<Run>, Partial<Totals>, number]>([
  ['failed', { status: 'failing' }, {}, 0],
  ['failed', { status: 'failing', ...HELD }, { rejected: 1 }, 0],
  ['failed', HELD, { undelivered: 1, rejected: 1 }, 1],
  ['failed', {}, { undelivered: 1 }, 0],
  ['failed', HELD, {}, 1],
  ['held', HELD, { rejected: 1 }, 0],
  ['held', { held: [held('budget', 1)] }, {}, 0],
  ['partial', {}, { rejected: 1 }, 0],
  ['succeeded', {}, { omitted: 1, absent: 1, accepted: 1, removed: 1, deleted: 1, sent: 3 }, 0],
  ['succeeded', {}, {}, 0],
])(
  'a run ends as %s when it is %j with %j, and %i records of batches got no answer',
  (ended, run, totals, undelivered) => {
    expect(statusOf(runOf(run), Totals.parse(totals), [{ undelivered: 0 }, { undelivered }])).toBe(ended);
  },
);
