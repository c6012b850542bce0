/**
 * The database behind the emulator: PGlite (PostgreSQL in this process) with Redshift's functions and dialect.
 *
 * Every statement, script and query has a session of its own, as far as settings go: schemas in reach, UTC, ISO dates.
 * Statements of the Data API run one at a time, in a read-only transaction that is always rolled back; their rows come
 * page by page, so that a large result is never in memory as a whole. Scripts and queries run as the owner.
 * A failed statement throws `StatementError` with PostgreSQL's own message and leaves the database as it was.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type messages, PGlite, protocol } from '@electric-sql/pglite';
import { CLOCK_SETTING, FUNCTION_SCHEMA, FUNCTIONS_SQL, isIgnored, SEARCH_PATH, toPostgres } from './dialect.ts';
import { startFromImage } from './image.ts';
import { splitScript, tokenize, wordOf } from './sql.ts';

/** What the database says of a failed statement, as Redshift words it: `ERROR: …`. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
}

/** A column as PostgreSQL describes it; `tableId` and `columnId` are 0 for a computed one. */
export type DescribedColumn = {
  readonly name: string;
  readonly typeId: number;
  readonly typeModifier: number;
  readonly tableId: number;
  readonly columnId: number;
};

/** Where a column comes from; `isNullable` is what its table says. */
export type ColumnOrigin = { readonly schema: string; readonly table: string; readonly isNullable: boolean };

/** A row's values as text, NULL as null; `bytes` is the size of the values. */
export type Row = { readonly values: readonly (string | null)[]; readonly bytes: number };

/** Receives what a statement yields. Whatever it throws ends the statement and is thrown on. */
export type ResultReader = {
  columns(columns: readonly DescribedColumn[], origins: ReadonlyMap<string, ColumnOrigin>): void;
  page(rows: readonly Row[]): Promise<void>;
  readonly pageRows: number;
};

export type Database = {
  /** Runs one statement read-only; `values` are its parameters, in order. */
  read(statement: { sql: string; parameters: ReadonlyMap<string, string>; reader: ResultReader }): Promise<void>;
  exec(script: string): Promise<void>;
  query<T>(sql: string, parameters?: readonly unknown[]): Promise<T[]>;
  reset(): Promise<void>;
  close(): Promise<void>;
};

export const originKey = ({ tableId, columnId }: DescribedColumn): string => `${tableId}.${columnId}`;

/**
 * Opens the database, in memory without a `dataDir`. `now`, when given, is the clock of GETDATE, SYSDATE and CURRENT_DATE.
 * @throws when the data directory is no PGlite directory, or of another PostgreSQL version.
 */
export async function openDatabase(options: { dataDir?: string; now?: () => number }): Promise<Database> {
  const pg = await start(options.dataDir);
  const session = sessionSql(options.now);
  const toText = (sql: string) => toPostgres(sql, { backslash: 'literal' });
  return {
    read: (statement) => readStatement(pg, session(), statement),
    exec: (script) => execScript(pg, session(), script),
    async query<T>(sql: string, parameters: readonly unknown[] = []) {
      await pg.exec(session());
      return (await pg.query<T>(toText(sql), [...parameters])).rows;
    },
    reset: () => dropEverything(pg),
    close: () => pg.close(),
  };
}

async function start(dataDir: string | undefined): Promise<PGlite> {
  if (dataDir !== undefined) await mkdir(dataDir, { recursive: true });
  const isNew = dataDir === undefined || !existsSync(join(dataDir, 'PG_VERSION'));
  if (isNew) return startFromImage(FUNCTIONS_SQL, dataDir);
  const pg = await PGlite.create(dataDir);
  await pg.exec(FUNCTIONS_SQL);
  return pg;
}

/** Settings of a fresh session. Literals follow PostgreSQL's rule here; a Data API statement sets Redshift's. */
function sessionSql(now: (() => number) | undefined): () => string {
  const fixed = `RESET ALL; SET search_path = ${SEARCH_PATH}; SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, MDY';
    SET escape_string_warning = off;`;
  return () => {
    if (now === undefined) return fixed;
    const clock = new Date(now()).toISOString().replace('T', ' ').replace('Z', '');
    return `${fixed} SET ${CLOCK_SETTING} = '${clock}';`;
  };
}

const { serialize } = protocol;
/** A named portal stays open while the columns' origins are looked up, and gives its rows in portions. */
const PORTAL = 'result';

async function readStatement(
  pg: PGlite,
  session: string,
  { sql, parameters, reader }: { sql: string; parameters: ReadonlyMap<string, string>; reader: ResultReader },
): Promise<void> {
  const names: string[] = [];
  const text = toPostgres(sql, {
    backslash: 'escapes',
    parameterNumber: (name) => (parameters.has(name) ? numberOf(names, name) : undefined),
  });
  const values = names.map((name) => parameters.get(name) ?? '');
  await pg.transaction(async (tx) => {
    await tx.exec(`${session} SET standard_conforming_strings = off; SET TRANSACTION READ ONLY;`);
    try {
      await readPages(pg, { text, values, reader });
    } catch (error) {
      throw isDatabaseError(error) ? new StatementError(describe(error, text === sql)) : error;
    } finally {
      await pg.execProtocol(serialize.sync(), { syncToFs: false, throwOnError: false });
      await tx.rollback();
    }
  });
}

/** The same name gets the same number every time. */
function numberOf(names: string[], name: string): number {
  if (!names.includes(name)) names.push(name);
  return names.indexOf(name) + 1;
}

async function readPages(
  pg: PGlite,
  { text, values, reader }: { text: string; values: string[]; reader: ResultReader },
): Promise<void> {
  const send = async (message: Uint8Array) => (await pg.execProtocol(message, { syncToFs: false })).messages;
  await send(serialize.parse({ text }));
  await send(serialize.bind({ portal: PORTAL, values }));
  const description = (await send(serialize.describe({ type: 'P', name: PORTAL }))).find(isRowDescription);
  if (description !== undefined) {
    const columns = description.fields.map(toColumn);
    reader.columns(columns, await originsOf(pg, columns));
  }
  for (let isDone = false; !isDone; ) {
    const answers = await send(serialize.execute({ portal: PORTAL, rows: reader.pageRows }));
    isDone = !answers.some(({ name }) => name === 'portalSuspended');
    const rows = answers.filter(isDataRow).map(toRow);
    if (rows.length > 0) await reader.page(rows);
  }
}

const isRowDescription = (message: { name: string }): message is messages.RowDescriptionMessage =>
  message.name === 'rowDescription';
const isDataRow = (message: { name: string }): message is messages.DataRowMessage => message.name === 'dataRow';

const toColumn = (field: messages.RowDescriptionMessage['fields'][number]): DescribedColumn => ({
  name: field.name,
  typeId: field.dataTypeID,
  typeModifier: field.dataTypeModifier,
  tableId: field.tableID,
  columnId: field.columnID,
});

/** A data row is its length, the number of its values, and each value with its length. */
const toRow = ({ fields, length }: messages.DataRowMessage): Row => ({
  values: fields,
  bytes: length - 6 - 4 * fields.length,
});

async function originsOf(pg: PGlite, columns: readonly DescribedColumn[]): Promise<Map<string, ColumnOrigin>> {
  const tableIds = [...new Set(columns.map(({ tableId }) => tableId))].filter((id) => id !== 0);
  if (tableIds.length === 0) return new Map();
  const text = `SELECT a.attrelid, a.attnum, n.nspname, c.relname, a.attnotnull FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attrelid IN (${tableIds.join(', ')}) AND a.attnum > 0`;
  const origins = new Map<string, ColumnOrigin>();
  for (const message of [serialize.parse({ text }), serialize.bind({ values: [] }), serialize.execute({})]) {
    const { messages: answers } = await pg.execProtocol(message, { syncToFs: false });
    for (const { fields } of answers.filter(isDataRow)) {
      const [tableId, columnId, schema, table, notNull] = fields;
      origins.set(`${tableId}.${columnId}`, { schema: schema ?? '', table: table ?? '', isNullable: notNull !== 't' });
    }
  }
  return origins;
}

type DatabaseError = { message: string; severity?: string; position?: string; detail?: string; hint?: string };

const isDatabaseError = (error: unknown): error is Error & DatabaseError =>
  error instanceof Error && 'severity' in error && 'code' in error;

/** `withPosition`: the position counts in the submitted text only when nothing was rewritten. */
function describe({ severity, message, position }: DatabaseError, withPosition: boolean): string {
  const where = withPosition && position !== undefined ? `\n  Position: ${position}` : '';
  return `${severity ?? 'ERROR'}: ${message}${where}`;
}

const TRANSACTION_COMMANDS = new Set(['begin', 'start', 'commit', 'end', 'rollback', 'abort']);

/** Runs a script as one transaction, unless it has its own. */
async function execScript(pg: PGlite, session: string, script: string): Promise<void> {
  const statements = splitScript(script, 'literal');
  await pg.exec(session);
  const run = async (exec: (sql: string) => Promise<unknown>) => {
    for (const [at, { sql, line }] of statements.entries()) {
      if (isIgnored(sql, 'literal')) continue;
      try {
        refuseInlineCopy(sql);
        await exec(toPostgres(sql, { backslash: 'literal' }));
      } catch (error) {
        throw new StatementError(`statement ${at + 1}, line ${line} (${firstWords(sql)}): ${reasonOf(error)}`, {
          cause: error,
        });
      }
    }
  };
  const hasTransactions = statements.some(({ sql }) => TRANSACTION_COMMANDS.has(firstWord(sql)));
  if (!hasTransactions) return pg.transaction((tx) => run((sql) => tx.exec(sql)));
  try {
    await run((sql) => pg.exec(sql));
  } catch (error) {
    await pg.exec('ROLLBACK');
    throw error;
  }
}

const firstWord = (sql: string): string => /^\w+/.exec(sql)?.[0].toLowerCase() ?? '';

/** The lines of data after it are no SQL, and PGlite would wait for them. */
function refuseInlineCopy(sql: string): void {
  if (firstWord(sql) !== 'copy') return;
  const words = tokenize(sql, 'literal').tokens.map(wordOf);
  if (words.includes('stdin')) throw new StatementError('ERROR: COPY FROM STDIN is not imitated: use INSERT');
}

const firstWords = (sql: string): string => {
  const words = sql.replace(/\s+/g, ' ');
  return words.length > 60 ? `${words.slice(0, 60)}…` : words;
};

function reasonOf(error: unknown): string {
  if (!isDatabaseError(error)) return error instanceof Error ? error.message : String(error);
  const more = [error.detail, error.hint].filter((text) => text !== undefined);
  return [describe(error, false), ...more].join(' ');
}

async function dropEverything(pg: PGlite): Promise<void> {
  const { rows } = await pg.query<{ name: string }>(
    `SELECT quote_ident(nspname) AS name FROM pg_catalog.pg_namespace
     WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '${FUNCTION_SCHEMA}')`,
  );
  const drops = rows.map(({ name }) => `DROP SCHEMA ${name} CASCADE;`);
  await pg.exec(`ROLLBACK; ${drops.join(' ')} CREATE SCHEMA public;`);
}
