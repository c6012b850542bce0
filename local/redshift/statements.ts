/**
 * The statements of the emulator: SUBMITTED → PICKED → STARTED → FINISHED, FAILED or ABORTED, one running at a time.
 *
 * A statement's status only ever moves forward; its result is there when it is FINISHED and stays for 24 hours by the
 * given clock. A failing statement is a status with a text, never a rejected promise.
 * Source: Redshift Management Guide, 'Considerations when calling the Amazon Redshift Data API' (limits).
 */
import { randomInt, randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type ColumnMetadata, type ResultColumns, resultColumns } from './columns.ts';
import { type Database, StatementError } from './database.ts';
import type { StatementFault } from './faults.ts';
import type { PageStore, Pages } from './pages.ts';

export const MAX_ROW_BYTES = 64 * 1024;
export const MAX_RESULT_BYTES = 500 * 1024 * 1024;
export const RESULT_RETENTION_MS = 24 * 60 * 60 * 1000;
export const CLIENT_TOKEN_RETENTION_MS = 8 * 60 * 60 * 1000;
export const MAX_ACTIVE_STATEMENTS = 200;

export type Status = 'SUBMITTED' | 'PICKED' | 'STARTED' | 'FINISHED' | 'FAILED' | 'ABORTED';

/** Where the statement goes, as the request named it. */
export type Target = {
  readonly database: string;
  readonly workgroup?: string | undefined;
  readonly cluster?: string | undefined;
  readonly dbUser?: string | undefined;
  readonly secret?: string | undefined;
};

export type Submission = Target & {
  readonly sql: string;
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly clientToken?: string | undefined;
  readonly statementName?: string | undefined;
};

export type Statement = {
  readonly id: string;
  readonly submission: Submission;
  readonly createdAtMs: number;
  readonly queryId: number;
  readonly pages: Pages;
  readonly history: Status[];
  readonly pagesFetched: number[];
  updatedAtMs: number;
  durationNs: number;
  error?: string;
  hasResult: boolean;
  columns: readonly ColumnMetadata[];
  rows: number;
  bytes: number;
  startedPolls: number;
  isResultExpired: boolean;
};

export type Statements = {
  submit(submission: Submission, fault: StatementFault): Statement;
  /** Returns the statement unless it is unknown or older than 24 hours. */
  find(id: string): Statement | undefined;
  findByToken(clientToken: string): Statement | undefined;
  /** Ends a statement as ABORTED; false when it has already ended. */
  cancel(statement: Statement): boolean;
  active(): number;
  all(): readonly Statement[];
  /** Waits for what runs, and forgets every statement. */
  clear(): Promise<void>;
};

export type StatementsOptions = {
  readonly database: Database;
  readonly store: PageStore;
  readonly now: () => number;
  readonly pageRows: number;
  readonly maxResultBytes: number;
};

/** Returns the status that a client sees: a statement that is kept STARTED has not ended for it. */
export function statusOf(statement: Statement): Status {
  const status = statement.history.at(-1) ?? 'SUBMITTED';
  return statement.startedPolls > 0 && status !== 'ABORTED' ? 'STARTED' : status;
}

export const isActive = (statement: Statement): boolean => !ENDS.has(statusOf(statement));
const ENDS: ReadonlySet<Status> = new Set(['FINISHED', 'FAILED', 'ABORTED']);

/** Returns an empty list of statements that runs what is submitted to it. */
export function openStatements(options: StatementsOptions): Statements {
  const statements = new Map<string, Statement>();
  let queue: Promise<void> = Promise.resolve();
  const isOld = ({ createdAtMs }: Statement) => options.now() - createdAtMs >= RESULT_RETENTION_MS;
  return {
    submit(submission, fault) {
      for (const statement of statements.values()) if (isOld(statement)) forget(statements, statement);
      const statement = newStatement(options, submission, fault);
      statements.set(statement.id, statement);
      queue = queue.then(() => run(statement, fault, options));
      return statement;
    },
    find(id) {
      const statement = statements.get(id);
      return statement === undefined || isOld(statement) ? undefined : statement;
    },
    findByToken: (clientToken) =>
      [...statements.values()].find(
        ({ submission, createdAtMs }) =>
          submission.clientToken === clientToken && options.now() - createdAtMs < CLIENT_TOKEN_RETENTION_MS,
      ),
    cancel(statement) {
      if (!isActive(statement)) return false;
      statement.startedPolls = 0;
      move(statement, 'ABORTED', options.now());
      return true;
    },
    active: () => [...statements.values()].filter(isActive).length,
    all: () => [...statements.values()],
    async clear() {
      for (const statement of statements.values()) if (isActive(statement)) move(statement, 'ABORTED', options.now());
      await queue;
      for (const statement of statements.values()) forget(statements, statement);
    },
  };
}

function forget(statements: Map<string, Statement>, statement: Statement): void {
  statements.delete(statement.id);
  // The temporary directory is removed in any case.
  statement.pages.remove().catch(() => undefined);
}

function newStatement(
  { store, now }: StatementsOptions,
  submission: Submission,
  { startedPolls = 0 }: StatementFault,
): Statement {
  const createdAtMs = now();
  return {
    id: randomUUID(),
    submission,
    createdAtMs,
    queryId: randomInt(1, 2 ** 31),
    pages: store.create(),
    history: ['SUBMITTED'],
    pagesFetched: [],
    updatedAtMs: createdAtMs,
    durationNs: -1,
    hasResult: false,
    columns: [],
    rows: -1,
    bytes: -1,
    startedPolls,
    isResultExpired: false,
  };
}

function move(statement: Statement, status: Status, nowMs: number): void {
  statement.history.push(status);
  statement.updatedAtMs = nowMs;
}

const isAborted = ({ history }: Statement): boolean => history.at(-1) === 'ABORTED';

/** Ends a statement that was cancelled while it ran; never seen outside. */
class Cancelled extends Error {}

async function run(statement: Statement, fault: StatementFault, options: StatementsOptions): Promise<void> {
  const step = (status: Status) => {
    if (isAborted(statement)) throw new Cancelled();
    move(statement, status, options.now());
  };
  const startedAtNs = process.hrtime.bigint();
  try {
    step('PICKED');
    await setImmediate();
    step('STARTED');
    if (fault.error !== undefined) throw new StatementError(fault.error);
    await read(statement, options);
    statement.durationNs = Number(process.hrtime.bigint() - startedAtNs);
    step('FINISHED');
  } catch (error) {
    if (error instanceof Cancelled) return;
    statement.durationNs = Number(process.hrtime.bigint() - startedAtNs);
    statement.hasResult = false;
    statement.error = error instanceof StatementError ? error.message : `ERROR: the emulator failed: ${String(error)}`;
    if (!isAborted(statement)) move(statement, 'FAILED', options.now());
  }
}

async function read(statement: Statement, options: StatementsOptions): Promise<void> {
  const { sql, parameters } = statement.submission;
  const empty = parameters.find(({ value }) => value === '');
  if (empty !== undefined) throw new StatementError(`ERROR: parameter "${empty.name}" has a value of zero length`);
  let columns: ResultColumns | undefined;
  let rows = 0;
  let bytes = 0;
  await options.database.read({
    sql,
    parameters: new Map(parameters.map(({ name, value }) => [name, value])),
    reader: {
      pageRows: options.pageRows,
      columns(described, origins) {
        columns = resultColumns(described, origins);
      },
      async page(page) {
        for (const row of page) bytes += sizeOf(row.bytes);
        if (bytes > options.maxResultBytes) throw new StatementError(tooLarge(options.maxResultBytes));
        rows += page.length;
        if (columns !== undefined) await statement.pages.append(columns.encode(page));
        // Let requests in between two pages, and with them a cancellation.
        await setImmediate();
        if (isAborted(statement)) throw new Cancelled();
      },
    },
  });
  statement.hasResult = columns !== undefined;
  statement.columns = columns?.metadata() ?? [];
  statement.rows = rows;
  statement.bytes = bytes;
}

/** Source: Redshift Management Guide, 'Troubleshooting issues for Amazon Redshift Data API'. */
function sizeOf(rowBytes: number): number {
  if (rowBytes <= MAX_ROW_BYTES) return rowBytes;
  throw new StatementError(`Packet for query is too large (${rowBytes} > ${MAX_ROW_BYTES})`);
}

const tooLarge = (maxBytes: number): string => `Database response exceeded size limit (${maxBytes} bytes)`;
