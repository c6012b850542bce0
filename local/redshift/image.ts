/**
 * A fresh database in a fraction of the time: making one from nothing takes seconds, so the first start keeps an image
 * of it under `node_modules/.cache`, for every later start of the same PGlite version with the same set-up.
 *
 * The image is only ever a shortcut. One that cannot be read or written is ignored, and the database is made anew.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';

const MODULES = new URL('../../node_modules/', import.meta.url);
const CACHE = fileURLToPath(new URL('.cache/warehouse-to-braze/', MODULES));

/** Returns a new database on which `setUp` has run, in memory or in `dataDir`, which must not hold one yet. */
export async function startFromImage(setUp: string, dataDir?: string): Promise<PGlite> {
  const path = await imagePath(setUp);
  return (await load(path, dataDir)) ?? (await make(setUp, path, dataDir));
}

/** Undefined when the version of PGlite cannot be told: an image of another version must not be loaded. */
async function imagePath(setUp: string): Promise<string | undefined> {
  try {
    const manifest = await readFile(new URL('@electric-sql/pglite/package.json', MODULES));
    const key = createHash('sha256').update(manifest).update(setUp).digest('hex').slice(0, 24);
    return `${CACHE}redshift-${key}.tgz`;
  } catch {
    return undefined;
  }
}

async function load(path: string | undefined, dataDir: string | undefined): Promise<PGlite | undefined> {
  if (path === undefined) return undefined;
  try {
    return await PGlite.create(dataDir, { loadDataDir: new File([await readFile(path)], 'image.tgz') });
  } catch {
    await rm(path, { force: true }).catch(() => undefined);
    return undefined;
  }
}

async function make(setUp: string, path: string | undefined, dataDir: string | undefined): Promise<PGlite> {
  const pg = await PGlite.create(dataDir);
  await pg.exec(setUp);
  if (path !== undefined) await keep(pg, path).catch(() => undefined);
  return pg;
}

/** Written aside and moved into place: another process may be doing the same. */
async function keep(pg: PGlite, path: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const image = await pg.dumpDataDir('gzip');
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, Buffer.from(await image.arrayBuffer()));
  await rename(aside, path);
}
