import fc from 'fast-check';
import * as z from 'zod';
import { type LocalDynamo, startDynamo } from '../../../local/dynamodb.ts';
import { FatalError } from '../../../shared/errors.ts';
import type { Entry } from '../../../shared/ledger/entry.ts';
import { decodeFingerprint, encodeFingerprint, MAX_FIELD_ID } from '../../../shared/ledger/fingerprint.ts';
import { dictionaryWith, dynamoLedger, fieldName, groupName, type Ledger } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { fakeClock, START_MS } from '../fake-clock.ts';
import { refusalOf } from './refusals.ts';

let dynamo: LocalDynamo;
let ledger: Ledger;
const clock = fakeClock();
beforeAll(async () => {
  dynamo = await startDynamo();
  await dynamo.create([
    {
      name: 'ledger',
      keys: [
        { name: 'pk', type: 'HASH' },
        { name: 'sk', type: 'RANGE' },
      ],
      attributes: [
        { name: 'pk', type: 'S' },
        { name: 'sk', type: 'S' },
      ],
    },
  ]);
  ledger = dynamoLedger(dynamo.client, 'ledger', clock);
});
afterAll(() => dynamo.close());

const BatchWrite = z.object({ RequestItems: z.object({ ledger: z.array(z.unknown()) }) });

let names = 0;
/** Each test has a destination of its own. */
const newDestination = (): string => `d${++names}`;
const ALL = { from: 0, to: 256 };

const entryOf = (primaryKey: string, more: Partial<Entry> = {}): Entry => ({
  hash: recordHash(primaryKey),
  primaryKey,
  fingerprint: encodeFingerprint([{ id: 1, print: '1'.repeat(16) }]),
  ...more,
});
const put = (destination: string, entries: readonly Entry[]) =>
  ledger.write(
    destination,
    entries.map((entry) => ({ kind: 'put', entry })),
  );
const pagesOf = async (destination: string, range = ALL, after?: string): Promise<(readonly Entry[])[]> => {
  const pages: (readonly Entry[])[] = [];
  for await (const page of ledger.entries(destination, range, after)) pages.push(page);
  return pages;
};
const all = async (destination: string, range = ALL, after?: string): Promise<Entry[]> =>
  (await pagesOf(destination, range, after)).flat();
/** What comes back has its bytes in another kind of array. */
const plain = (entry: Entry | undefined) =>
  entry && { ...entry, ...(entry.fingerprint ? { fingerprint: [...entry.fingerprint] } : {}) };

describe('the entries of a destination', () => {
  test('come in record hash order over all partitions, and no one else’s among them', async () => {
    const [destination, other] = [newDestination(), newDestination()];
    const entries = Array.from({ length: 300 }, (_, n) => entryOf(`user ${n}`));
    await Promise.all([put(destination, entries), put(other, [entryOf('stranger')])]);
    await ledger.ensureFields(destination, ['a:x']);
    const found = await all(destination);
    const expected = entries.map((entry) => entry.hash).sort();
    expect(found.map((entry) => entry.hash)).toEqual(expected);
    expect(found.every(({ hash, primaryKey }) => hash === recordHash(primaryKey))).toBe(true);

    const bounds = [...expected.slice(0, 300).filter((_, n) => n % 37 === 0), '', '7f', '0'.repeat(32), 'f'.repeat(32)];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...bounds),
        fc.constantFrom([0, 256], [0, 128], [128, 256], [64, 128], [255, 256]),
        async (after, [from = 0, to = 256]) => {
          const inRange = (hash: string) =>
            Number.parseInt(hash.slice(0, 2), 16) >= from && Number.parseInt(hash.slice(0, 2), 16) < to;
          const found = await all(destination, { from, to }, after === '' ? undefined : after);
          expect(found.map(({ hash }) => hash)).toEqual(expected.filter((hash) => inRange(hash) && hash > after));
        },
      ),
      { numRuns: 5 },
    );
  });

  test('come whole when a partition is larger than the 1 MB that a query gives, after any of them too', async () => {
    const destination = newDestination();
    const hashes = Array.from({ length: 60 }, (_, n) => `ab${n.toString(16).padStart(30, '0')}`);
    const fingerprint = encodeFingerprint(
      Array.from({ length: 3000 }, (_, id) => ({ id: id + 1, print: 'a'.repeat(16) })),
    );
    await put(
      destination,
      hashes.map((hash, n) => ({ hash, primaryKey: `user ${n}`, fingerprint })),
    );
    const range = { from: 0xab, to: 0xac };
    const pages = await pagesOf(destination, range);
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flat().map(({ hash }) => hash)).toEqual(hashes);
    expect(pages.every((page) => page.length > 0)).toBe(true);
    expect((await all(destination, range, hashes[20])).map(({ hash }) => hash)).toEqual(hashes.slice(21));
  });

  test('may be left early', async () => {
    const destination = newDestination();
    await put(destination, [entryOf('a'), entryOf('b'), entryOf('c')]);
    const entries = ledger.entries(destination, ALL);
    expect((await entries.next()).value).toHaveLength(1);
    expect(await entries.return(undefined)).toEqual({ done: true, value: undefined });
  });

  test('are none for a destination that never had a run', async () => {
    expect(await pagesOf(newDestination())).toEqual([]);
  });
});

describe('an entry', () => {
  const kinds: [string, Partial<Entry>][] = [
    ['plain', {}],
    ['without a field', { fingerprint: encodeFingerprint([]) }],
    ['absent', { fingerprint: undefined, absentAt: START_MS }],
    ['gone', { gone: true }],
    ['uncertain', { uncertain: true }],
    ['gone and uncertain', { gone: true, uncertain: true }],
    ['refused', { refused: refusalOf() }],
    ['refused for the third time, for a field', { refused: refusalOf({ field: 'email', tries: 3 }) }],
    ['never accepted', { fingerprint: undefined, refused: refusalOf({ reason: '' }) }],
    [
      'sent with fields of a least interval',
      {
        sentAt: new Map([
          [1, START_MS],
          [65_535, START_MS + 1000],
        ]),
      },
    ],
  ];
  test.each(kinds)('that is %s comes back as it was written', async (kind, more) => {
    const destination = newDestination();
    const { fingerprint, ...entry } = entryOf(`é😀 ${kind}`, more);
    const written: Entry = fingerprint ? { ...entry, fingerprint } : entry;
    await put(destination, [written]);
    expect(plain(await ledger.get(destination, written.hash))).toEqual(plain(written));
    const byte = Number.parseInt(written.hash.slice(0, 2), 16);
    expect((await all(destination, { from: byte, to: byte + 1 })).map(plain)).toEqual([plain(written)]);
  });

  test('is what was written last, and nothing of what was there before', async () => {
    const destination = newDestination();
    const first = entryOf('ann', {
      gone: true,
      uncertain: true,
      refused: refusalOf(),
      sentAt: new Map([[1, START_MS]]),
    });
    await put(destination, [first]);
    await put(destination, [entryOf('ann')]);
    expect(plain(await ledger.get(destination, first.hash))).toEqual(plain(entryOf('ann')));
  });

  test('that is deleted is no more, however often', async () => {
    const destination = newDestination();
    const { hash } = entryOf('ann');
    await put(destination, [entryOf('ann'), entryOf('bob')]);
    await ledger.write(destination, [{ kind: 'delete', hash }]);
    await ledger.write(destination, [{ kind: 'delete', hash }]);
    expect(await ledger.get(destination, hash)).toBeUndefined();
    expect((await all(destination)).map(({ primaryKey }) => primaryKey)).toEqual(['bob']);
  });

  test('keeps what Braze has when another state is refused; a new one has the refusal alone', async () => {
    const destination = newDestination();
    const known = entryOf('ann', { gone: true, uncertain: true });
    const refusal = refusalOf({ field: 'email', tries: 2 });
    await put(destination, [known]);
    await ledger.write(destination, [
      { kind: 'refuse', hash: known.hash, primaryKey: 'ann', refusal },
      { kind: 'refuse', hash: recordHash('new'), primaryKey: 'new', refusal },
    ]);
    expect(plain(await ledger.get(destination, known.hash))).toEqual(plain({ ...known, refused: refusal }));
    expect(await ledger.get(destination, recordHash('new'))).toEqual({
      hash: recordHash('new'),
      primaryKey: 'new',
      refused: refusal,
    });
  });

  test('is refused no more once that is cleared, and nothing else of it changes; one that is gone stays gone', async () => {
    const destination = newDestination();
    const known = entryOf('ann', { gone: true, uncertain: true, sentAt: new Map([[1, START_MS]]) });
    await put(destination, [{ ...known, refused: refusalOf({ field: 'email', tries: 2 }) }]);
    await ledger.write(destination, [
      { kind: 'clear', hash: known.hash },
      { kind: 'clear', hash: recordHash('bob') },
    ]);
    expect((await all(destination)).map(plain)).toEqual([plain(known)]);
  });

  test('is written with every other of its call, of all kinds at once', async () => {
    const destination = newDestination();
    const old = Array.from({ length: 30 }, (_, n) => entryOf(`old ${n}`));
    const refused = entryOf('refused', { refused: refusalOf() });
    await put(destination, [...old, refused]);
    const refusal = refusalOf();
    await ledger.write(destination, [
      ...Array.from({ length: 76 }, (_, n) => ({ kind: 'put' as const, entry: entryOf(`new ${n}`) })),
      ...old.map(({ hash }) => ({ kind: 'delete' as const, hash })),
      ...Array.from({ length: 10 }, (_, n) => ({
        kind: 'refuse' as const,
        hash: recordHash(`bad ${n}`),
        primaryKey: `bad ${n}`,
        refusal,
      })),
      { kind: 'clear', hash: refused.hash },
    ]);
    expect(plain(await ledger.get(destination, refused.hash))).toEqual(plain(entryOf('refused')));
    const keys = (await all(destination)).map(({ primaryKey }) => primaryKey);
    expect(keys.filter((key) => key.startsWith('new'))).toHaveLength(76);
    expect(keys.filter((key) => key.startsWith('bad'))).toHaveLength(10);
    expect(keys).toHaveLength(87);
  });

  test('is written in the end when DynamoDB takes a call only in part', async () => {
    const destination = newDestination();
    const asked: number[] = [];
    const slow = fakeClock();
    dynamo.client.middlewareStack.add(
      (next) => async (args) => {
        const batch = BatchWrite.safeParse(args.input).data?.RequestItems.ledger;
        if (!batch) return next(args);
        asked.push(batch.length);
        Object.assign(args.input, { RequestItems: { ledger: batch.slice(0, 10) } });
        const result = await next(args);
        if (batch.length > 10) Object.assign(result.output, { UnprocessedItems: { ledger: batch.slice(10) } });
        return result;
      },
      { step: 'initialize', name: 'part', priority: 'low' },
    );
    await dynamoLedger(dynamo.client, 'ledger', slow).write(
      destination,
      Array.from({ length: 25 }, (_, n) => ({ kind: 'put', entry: entryOf(`user ${n}`) })),
    );
    dynamo.client.middlewareStack.remove('part');
    expect(asked).toEqual([25, 15, 5]);
    expect(slow.slept).toHaveLength(2);
    expect(await all(destination)).toHaveLength(25);
  });
});

describe('the field dictionary', () => {
  test('is none before the first run, and gives each name one id for good', async () => {
    const destination = newDestination();
    expect(await ledger.dictionary(destination)).toBeUndefined();
    const first = await ledger.ensureFields(destination, ['a:x', 'g:y']);
    const second = await ledger.ensureFields(destination, ['a:z', 'g:y', 'a:__proto__']);
    expect([...first.idByName]).toEqual([
      ['a:x', 1],
      ['g:y', 2],
    ]);
    expect(second.idByName).toEqual(
      new Map([
        ['a:x', 1],
        ['g:y', 2],
        ['a:z', 3],
        ['a:__proto__', 4],
      ]),
    );
    expect(second.nameById.get(4)).toBe('a:__proto__');
    expect((await ledger.dictionary(destination))?.idByName).toEqual(second.idByName);
    expect((await ledger.ensureFields(destination, ['a:x'])).idByName).toEqual(second.idByName);
  });

  test('holds every name once, and gives no id twice, when many add to it at the same time', async () => {
    const destination = newDestination();
    const wanted = Array.from({ length: 8 }, (_, n) => [`a:own ${n}`, 'a:common', `a:pair ${n >> 1}`]);
    const answers = await Promise.all(wanted.map((names) => ledger.ensureFields(destination, names)));
    const last = await ledger.dictionary(destination);
    const ids = [...(last?.idByName.values() ?? [])];
    expect(new Set(ids).size).toBe(ids.length);
    expect([...(last?.idByName.keys() ?? [])].sort()).toEqual([...new Set(wanted.flat())].sort());
    for (const [n, { idByName }] of answers.entries()) {
      for (const name of wanted[n] ?? []) expect(idByName.get(name)).toBe(last?.idByName.get(name));
    }
  });

  test('has names for the same words as attribute and as group', () => {
    expect(fieldName('x')).not.toBe(groupName('x'));
    const { idByName, nameById } = dictionaryWith(undefined, [fieldName('x'), groupName('x'), fieldName('x')]);
    expect([...idByName.values()]).toEqual([1, 2]);
    expect([...nameById.values()]).toEqual(['a:x', 'g:x']);
  });

  test('is full after as many names as a fingerprint can tell apart', () => {
    const names = Array.from({ length: MAX_FIELD_ID }, (_, n) => `a:${n}`);
    const full = dictionaryWith(undefined, names);
    expect(full.idByName.get(`a:${MAX_FIELD_ID - 1}`)).toBe(MAX_FIELD_ID);
    expect(() => dictionaryWith(full, ['a:one more'])).toThrow(FatalError);
  });
});

test('a fingerprint from the table is read like any other', async () => {
  const destination = newDestination();
  await put(destination, [entryOf('ann')]);
  const entry = await ledger.get(destination, recordHash('ann'));
  expect(entry?.fingerprint && decodeFingerprint(entry.fingerprint)).toEqual([{ id: 1, print: '1'.repeat(16) }]);
});
