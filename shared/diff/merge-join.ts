/**
 * The merge join: a shard's rows against the ledger's entries of the same hash range, both in ascending hash order.
 *
 * Pure but for reading its two inputs. They come in pages: it is asynchronous between pages and synchronous within one,
 * and holds a page of each side and one row besides, however many records there are.
 */
import { FatalError } from '../errors.ts';

/** One side's record; hashes are 32 hex digits, or empty for a row without a primary key. */
export type Hashed = { readonly hash: string };

/** What the join finds, in hash order. */
export type Match<R extends Hashed, E extends Hashed> =
  /** One row, with its entry when the ledger has one. */
  | { readonly kind: 'row'; readonly row: R; readonly entry: E | undefined }
  /** Several rows of one primary key (or of none): `row` is the first of them. */
  | { readonly kind: 'duplicate'; readonly row: R; readonly rows: number; readonly entry: E | undefined }
  /** An entry without a row. */
  | { readonly kind: 'entry'; readonly entry: E };

/**
 * Yields the matches of both sides, page by page (a page may be of any length, none is empty). Closes both inputs, also
 * when the reader stops early.
 * @throws FatalError when a side steps back in hash order, or the ledger repeats a hash: going on would remove records
 * that still exist.
 */
export async function* mergeJoin<R extends Hashed, E extends Hashed>(
  rows: AsyncIterable<readonly R[]>,
  entries: AsyncIterable<readonly E[]>,
): AsyncGenerator<readonly Match<R, E>[]> {
  const ledger = entries[Symbol.asyncIterator]();
  let page: readonly E[] = [];
  let index = 0;
  let lastEntry: string | undefined;
  let ended = false;

  /** Loads pages until there is a current entry or no more. */
  const refill = async (): Promise<void> => {
    while (index >= page.length && !ended) {
      const next = await ledger.next();
      ended = next.done === true;
      page = next.done ? [] : next.value;
      index = 0;
    }
  };
  const take = (): E | undefined => {
    const entry = page[index];
    if (entry === undefined) return undefined;
    if (lastEntry !== undefined && entry.hash <= lastEntry) throw outOfOrder('ledger', lastEntry, entry.hash);
    lastEntry = entry.hash;
    index++;
    return entry;
  };

  let out: Match<R, E>[] = [];
  let pending: { readonly row: R; rows: number } | undefined;
  try {
    for await (const rowPage of rows) {
      for (const row of rowPage) {
        if (pending !== undefined) {
          if (row.hash === pending.row.hash) {
            pending.rows++;
            continue;
          }
          if (row.hash < pending.row.hash) throw outOfOrder('warehouse', pending.row.hash, row.hash);
          for (;;) {
            if (index >= page.length && !ended) await refill();
            if (settle(pending, page[index], take, out)) break;
          }
        }
        pending = { row, rows: 1 };
      }
      if (out.length > 0) yield out;
      out = [];
    }
    while (pending !== undefined) {
      await refill();
      if (settle(pending, page[index], take, out)) pending = undefined;
    }
    for (await refill(); page[index] !== undefined; await refill()) {
      while (page[index] !== undefined) {
        const entry = take();
        if (entry) out.push({ kind: 'entry', entry });
      }
      yield out;
      out = [];
    }
    if (out.length > 0) yield out;
  } finally {
    await ledger.return?.(undefined);
  }
}

/** Puts out what comes next in hash order: an entry before the pending row (false), or the pending row itself (true). */
function settle<R extends Hashed, E extends Hashed>(
  pending: { readonly row: R; readonly rows: number },
  current: E | undefined,
  take: () => E | undefined,
  out: Match<R, E>[],
): boolean {
  if (current !== undefined && current.hash < pending.row.hash) {
    const entry = take();
    if (entry) out.push({ kind: 'entry', entry });
    return false;
  }
  const entry = current?.hash === pending.row.hash ? take() : undefined;
  const { row, rows } = pending;
  out.push(rows === 1 ? { kind: 'row', row, entry } : { kind: 'duplicate', row, rows, entry });
  return true;
}

const outOfOrder = (side: string, before: string, after: string): FatalError =>
  new FatalError(
    `the ${side} gave record hash ${after} after ${before}, so its order cannot be relied on`,
    'Nothing more was sent. Start the run again; if it happens again, report it.',
  );
