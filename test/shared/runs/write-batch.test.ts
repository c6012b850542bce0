import fc from 'fast-check';
import { verdictOf } from '../../../shared/braze/answers.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import type { BatchMessage } from '../../../shared/runs/messages.ts';
import { RUN_STATUSES, type Run, Shard } from '../../../shared/runs/model.ts';
import type { BatchView } from '../../../shared/runs/store.ts';
import { judge, withoutValues } from '../../../shared/runs/write-batch.ts';
import { START_MS } from '../fake-clock.ts';
import { runOf } from './runs.ts';

/** Two readings made the batches of this shard: e1 the first three, e2 the next two. */
const shard = Shard.parse({
  shard: 0,
  from: 0,
  to: 256,
  statementId: 's',
  batches: 5,
  epochs: [
    { epoch: 'e1', from: 0 },
    { epoch: 'e2', from: 3 },
  ],
});
const done = { ...shard, done: true };
const batch = (kind: BatchMessage['kind'], seq: number, epoch: string): BatchMessage => ({
  kind,
  run: 'r',
  destination: 'd',
  shard: 0,
  seq,
  epoch,
  records: [],
});
const view = (run: Partial<Run> | undefined, more: Partial<BatchView> = {}): BatchView => ({
  run: run && runOf(run),
  shard,
  settled: 'no',
  ...more,
});
const kindOf = (found: ReturnType<typeof judge>): string => found.kind;

describe('a batch', () => {
  test.each<[string, string, BatchView, BatchMessage]>([
    ['due', 'of the reading that made it', view({}), batch('upsert', 0, 'e1')],
    ['due', 'that is the last of its reading', view({}), batch('upsert', 2, 'e1')],
    ['due', 'of a later reading', view({}), batch('upsert', 3, 'e2')],
    ['due', 'of notes', view({}), batch('note', 4, 'e2')],
    ['due', 'of removals', view({}), batch('remove', 1, 'e1')],
    ['due', 'of a shard that is done', view({}, { shard: done }), batch('upsert', 4, 'e2')],
    ['void', 'of a reading that another one overtook', view({}), batch('upsert', 3, 'e1')],
    ['void', 'of a reading that is too late for it', view({}), batch('upsert', 2, 'e2')],
    ['void', 'of a reading that never moved the cursor', view({}), batch('upsert', 1, 'e0')],
    ['early', 'that came before the cursor moved', view({}), batch('upsert', 5, 'e2')],
    ['early', 'of a new reading, before the cursor moved', view({}), batch('upsert', 5, 'e3')],
    [
      'early',
      'of a shard without any move',
      view({}, { shard: { ...shard, batches: 0, epochs: [] } }),
      batch('upsert', 0, 'e1'),
    ],
    ['void', 'that a shard which is done never made', view({}, { shard: done }), batch('upsert', 5, 'e3')],
    ['void', 'of removals that a shard which is done never made', view({}, { shard: done }), batch('remove', 5, 'e2')],
    ['void', 'of removals of another reading', view({}), batch('remove', 0, 'e2')],
    ['void', 'of an unknown run', view(undefined), batch('upsert', 0, 'e1')],
    ['void', 'of an unknown shard', view({}, { shard: undefined }), batch('upsert', 0, 'e1')],
    ['failing', 'of a run that has failed meanwhile', view({ status: 'failing' }), batch('upsert', 0, 'e1')],
    ['failing', 'of removals of a run that has failed', view({ status: 'failing' }), batch('remove', 0, 'e1')],
    ['failing', 'of notes of a run that has failed', view({ status: 'failing' }), batch('note', 4, 'e2')],
    ['void', 'of a failing run that another reading overtook', view({ status: 'failing' }), batch('upsert', 3, 'e1')],
    [
      'early',
      'of a failing run that came before the cursor moved',
      view({ status: 'failing' }),
      batch('upsert', 5, 'e2'),
    ],
  ])('is %s: one %s', (kind, _, view, message) => {
    expect(kindOf(judge(view, message))).toBe(kind);
  });

  test('that is due brings its run', () => {
    expect(judge(view({ syncMode: 'enrich' }), batch('upsert', 0, 'e1'))).toMatchObject({
      run: { syncMode: 'enrich' },
    });
  });

  test.each(RUN_STATUSES.filter((status) => status !== 'running' && status !== 'failing'))(
    'of a run that ended as %s is void',
    (status) => {
      for (const message of [batch('upsert', 0, 'e1'), batch('remove', 0, 'e1'), batch('note', 0, 'e1')]) {
        expect(judge(view({ status }), message)).toEqual({ kind: 'void' });
      }
    },
  );

  test.each([
    ['resolved', true],
    ['unresolved', false],
  ] as const)('that is settled as %s is so whatever its run has come to', (settled, resolved) => {
    for (const status of RUN_STATUSES) {
      expect(judge(view({ status }, { settled }), batch('upsert', 0, 'e1'))).toEqual({ kind: 'settled', resolved });
    }
  });
});

describe('a reason of Braze', () => {
  const texts = fc.array(fc.stringMatching(/^[A-Z][a-z]{3,30}[0-9]{3}$/), { minLength: 1, maxLength: 5 });

  test('comes without the key and every value that it quotes, wherever they stood in the record', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1000, max: 1e9 }), (words, number) => {
        const [key = '', ...others] = words;
        const values = [key, ...others, String(number)];
        const reason = `user ${key}: ${others.join(' and ')} with ${number} is no good`;
        const a: [string, string | number | { list: (string | { deep: string })[] }][] = [
          ['number', number],
          ['top', others[0] ?? ''],
          ['nested', { list: [others[1] ?? '', { deep: others[2] ?? '' }, others[3] ?? ''] }],
        ];
        const found = withoutValues(reason, { k: key, a });
        for (const value of values) if (value !== '') expect(found).not.toContain(value);
        expect(found).toContain('is no good');
      }),
    );
  });

  test('that was cut within a value comes without the beginning of it', () => {
    const email = `${'someone.private.'.repeat(10)}@example.com`;
    const body = JSON.stringify({
      message: 'success',
      errors: [{ type: `${'x'.repeat(100)} ${email} is no address`, input_array: 'attributes', index: 0 }],
    });
    const verdict = verdictOf({ status: 201, headers: {}, body }, 1, 'attributes', START_MS);
    const reason = 'refused' in verdict ? (verdict.refused.get(0) ?? '') : '';
    expect(reason).toContain('someone.private.');
    expect(withoutValues(reason, { k: 'ann', a: [['email', email]] })).toBe(`${'x'.repeat(100)} …`);
  });

  test('keeps its words when values are as short as parts of words', () => {
    expect(
      withoutValues('gender is not one of M, F', {
        k: recordHash('a'),
        a: [
          ['gender', 'X'],
          ['a', 'is'],
          ['b', null],
          ['c', true],
        ],
      }),
    ).toBe('gender is not one of M, F');
  });
});
