/**
 * Result pages on disk: a statement's pages are appended to a file of its own and read again as often as asked for, so
 * that a large result takes no memory. The directory is temporary, and removed with the emulator.
 */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The pages of one result, in order. */
export type Pages = {
  readonly count: number;
  append(page: string): Promise<void>;
  /** Returns the bytes of a page, the first being 0. @throws when there is no such page. */
  read(page: number): Promise<Uint8Array>;
  remove(): Promise<void>;
};

export type PageStore = { create(): Pages; close(): Promise<void> };

/** Opens a store in a new temporary directory; `close` removes it with every page. */
export async function openPageStore(): Promise<PageStore> {
  const directory = await mkdtemp(join(tmpdir(), 'redshift-results-'));
  return {
    create: () => createPages(join(directory, randomUUID())),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

function createPages(path: string): Pages {
  const ends: number[] = [];
  return {
    get count() {
      return ends.length;
    },
    async append(page) {
      const bytes = Buffer.from(page);
      await appendFile(path, bytes);
      ends.push((ends.at(-1) ?? 0) + bytes.length);
    },
    async read(page) {
      const end = ends[page];
      if (end === undefined) throw new RangeError(`page ${page} of ${ends.length}`);
      const start = ends[page - 1] ?? 0;
      const file = await open(path);
      try {
        return (await file.read(Buffer.alloc(end - start), 0, end - start, start)).buffer;
      } finally {
        await file.close();
      }
    },
    remove: () => rm(path, { force: true }),
  };
}
