import fc from 'fast-check';
import { type Hashed, type Match, mergeJoin } from '../../../shared/diff/merge-join.ts';
import { FatalError } from '../../../shared/errors.ts';

type Item = Hashed & { readonly n: number };

/** Small hashes, so that both sides meet and repeat often; rows may be without one. */
const hash = fc.integer({ min: 0, max: 15 }).map((n) => n.toString(16).padStart(2, '0'));
const bySize = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const rowHashes = fc.array(fc.oneof(hash, fc.constant('')), { maxLength: 30 }).map((hashes) => hashes.sort(bySize));
const entryHashes = fc.uniqueArray(hash, { maxLength: 16 }).map((hashes) => hashes.sort(bySize));
/** Sizes of pages, over and over; empty pages among them. */
const sizes = fc
  .array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 })
  .filter((all) => all.some((n) => n > 0));

const items = (hashes: readonly string[]): Item[] => hashes.map((hash, n) => ({ hash, n }));

type Source = {
  readonly pages: AsyncGenerator<readonly Item[]>;
  readonly read: () => number;
  readonly isClosed: () => boolean;
};

/** Items in pages of the given sizes; tells how many pages were read, and whether it was closed. */
function source(all: readonly Item[], sizes: readonly number[]): Source {
  let read = 0;
  let closed = false;
  async function* pages(): AsyncGenerator<readonly Item[]> {
    try {
      for (let at = 0; at < all.length || read === 0; read++) {
        const size = sizes[read % sizes.length] ?? 1;
        yield all.slice(at, at + size);
        at += size;
      }
    } finally {
      closed = true;
    }
  }
  return { pages: pages(), read: () => read, isClosed: () => closed };
}

async function collect(matches: AsyncIterable<readonly Match<Item, Item>[]>): Promise<Match<Item, Item>[]> {
  const all: Match<Item, Item>[] = [];
  for await (const page of matches) {
    expect(page).not.toEqual([]);
    all.push(...page);
  }
  return all;
}

/** The same by sets, in hash order. */
function naive(rows: readonly Item[], entries: readonly Item[]): Match<Item, Item>[] {
  const hashes = [...new Set([...rows, ...entries].map((item) => item.hash))].sort(bySize);
  return hashes.map((hash) => {
    const [row, ...others] = rows.filter((item) => item.hash === hash);
    const entry = entries.find((item) => item.hash === hash);
    if (row && others.length > 0) return { kind: 'duplicate', row, rows: others.length + 1, entry };
    if (row) return { kind: 'row', row, entry };
    if (entry) return { kind: 'entry', entry };
    throw new Error('unreachable');
  });
}

const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

test('rows and entries meet as sets do, in hash order, whatever the pages are', async () => {
  await fc.assert(
    fc.asyncProperty(rowHashes, entryHashes, sizes, sizes, async (rowHashes, entryHashes, rowSizes, entrySizes) => {
      const [rows, entries] = [items(rowHashes), items(entryHashes)];
      const [left, right] = [source(rows, rowSizes), source(entries, entrySizes)];
      expect(await collect(mergeJoin(left.pages, right.pages))).toEqual(naive(rows, entries));
      expect([left.isClosed(), right.isClosed()]).toEqual([true, true]);
    }),
    { numRuns: 500 },
  );
});

test('a side that steps back ends the join before anything at or after that place is told', async () => {
  const swapped = fc.tuple(fc.uniqueArray(hash, { minLength: 2, maxLength: 16 }), fc.nat()).map(([hashes, at]) => {
    const sorted = hashes.sort(bySize);
    const place = at % (sorted.length - 1);
    return {
      hashes: [...sorted.slice(0, place), ...sorted.slice(place, place + 2).reverse(), ...sorted.slice(place + 2)],
      place,
    };
  });
  await fc.assert(
    fc.asyncProperty(swapped, entryHashes, sizes, fc.boolean(), async ({ hashes, place }, others, sizes, isLedger) => {
      const [bad, good] = [source(items(hashes), sizes), source(items(others), sizes)];
      const told: Match<Item, Item>[] = [];
      const join = isLedger ? mergeJoin(good.pages, bad.pages) : mergeJoin(bad.pages, good.pages);
      const read = async () => {
        for await (const page of join) told.push(...page);
      };
      const error = await failure(read());
      expect(error).toBeInstanceOf(FatalError);
      expect(String(error)).toContain(`the ${isLedger ? 'ledger' : 'warehouse'} gave record hash`);
      // The higher one of the two may be told, and nothing beyond it: no removal that a later row would have prevented.
      const highest = hashes[place] ?? '';
      expect(told.filter((match) => (match.kind === 'entry' ? match.entry : match.row).hash > highest)).toEqual([]);
      expect([bad.isClosed(), good.isClosed() || good.read() === 0]).toEqual([true, true]);
    }),
    { numRuns: 300 },
  );
});

test('a ledger that repeats a hash ends the join', async () => {
  const join = mergeJoin(source([], [1]).pages, source(items(['01', '02', '02']), [3]).pages);
  expect(await failure(collect(join))).toBeInstanceOf(FatalError);
});

test('a reader that stops early closes both sides', async () => {
  await fc.assert(
    fc.asyncProperty(
      rowHashes,
      entryHashes,
      sizes,
      fc.integer({ min: 1, max: 4 }),
      async (rows, entries, sizes, stop) => {
        const [left, right] = [source(items(rows), sizes), source(items(entries), sizes)];
        const join = mergeJoin(left.pages, right.pages);
        for (let page = 0; page < stop; page++) await join.next();
        await join.return(undefined);
        // A side from which nothing was asked has nothing to close.
        expect([left, right].filter((side) => side.read() > 0 && !side.isClosed())).toEqual([]);
      },
    ),
  );
});

test.each(['rows', 'entries'])('a failure of the %s ends the join and closes the other side', async (which) => {
  const broken = async function* (): AsyncGenerator<readonly Item[]> {
    yield items(['01']);
    throw new Error('broken');
  };
  const other = source(items(['02', '03', '04']), [1]);
  const join = which === 'rows' ? mergeJoin(broken(), other.pages) : mergeJoin(other.pages, broken());
  expect(String(await failure(collect(join)))).toContain('broken');
  expect(other.isClosed() || other.read() === 0).toBe(true);
});

test('no more than a page of each side is asked for before what it holds is told', async () => {
  const hashes = Array.from({ length: 200 }, (_, n) => n.toString(16).padStart(4, '0'));
  const [left, right] = [source(items(hashes), [10]), source(items(hashes), [7])];
  let told = 0;
  for await (const page of mergeJoin(left.pages, right.pages)) {
    told += page.length;
    // Read and not yet told: at most the page at hand of each side, and one row that may have duplicates in the next one.
    expect(left.read() * 10 - told).toBeLessThanOrEqual(10 + 1);
    expect(right.read() * 7 - told).toBeLessThanOrEqual(2 * 7);
  }
  expect(told).toBe(200);
});

test('a run of duplicates over many pages is counted without being kept', async () => {
  const rows = source(items(Array.from({ length: 5000 }, () => '07')), [100]);
  expect(await collect(mergeJoin(rows.pages, source(items(['07']), [1]).pages))).toEqual([
    { kind: 'duplicate', row: { hash: '07', n: 0 }, rows: 5000, entry: { hash: '07', n: 0 } },
  ]);
});
