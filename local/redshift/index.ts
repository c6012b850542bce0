/**
 * The Redshift Data API for the local cloud: its real wire protocol in front of PGlite (PostgreSQL in this process).
 *
 * Imitated: ExecuteStatement, DescribeStatement, GetStatementResult and CancelStatement with their documented limits
 * (100 KB of SQL, 64 KB a row, 500 MB a result, 200 active statements, results for 24 hours, client tokens for 8), named
 * parameters, statuses, column metadata, fields and pages; a dialect that stands close to Redshift's (dialect.ts).
 * Stricter than the service: a statement runs in a read-only transaction, as nothing here may need more than read access;
 * one statement runs at a time; a client token with other SQL is refused; members that are not imitated are refused
 * (sessions, WaitTimeSeconds, CSV results, WithEvent). Not imitated: every other operation, permissions and credentials,
 * databases (any name is the one there is), and keeping statements and results from one start to the next.
 * Wordings of exceptions are the service's where they are known, and otherwise the emulator's own.
 * Sources: Amazon Redshift Data API Reference; Redshift Management Guide, 'Using the Amazon Redshift Data API'.
 */
import { startAwsJson } from '../aws-json.ts';
import { openDatabase } from './database.ts';
import { type Faults, faultPlan } from './faults.ts';
import { operationsOn } from './operations.ts';
import { openPageStore } from './pages.ts';
import {
  MAX_RESULT_BYTES,
  openStatements,
  type Statement,
  type Status,
  type Submission,
  statusOf,
  type Target,
} from './statements.ts';

export type { ExceptionName, Faults, OperationName } from './faults.ts';
export type { Status } from './statements.ts';

/** What a statement was and what became of it. */
export type StatementRecord = Target & {
  readonly id: string;
  readonly sql: string;
  readonly parameters: Submission['parameters'];
  readonly clientToken?: string;
  readonly statementName?: string;
  readonly status: Status;
  /** Every status it had, in order. */
  readonly history: readonly Status[];
  readonly error?: string;
  /** -1 before it is FINISHED. */
  readonly rows: number;
  readonly pages: number;
  /** Page numbers in the order they were fetched, the first being 0. */
  readonly pagesFetched: readonly number[];
};

export type RedshiftDataApi = {
  readonly url: string;
  /** Runs a script as the owner: statements in PostgreSQL or Redshift SQL. An error names the statement and its line. */
  exec(sql: string): Promise<void>;
  /** Runs one query as the owner and returns its rows as objects; parameters are $1, $2 … */
  query<T>(sql: string, parameters?: readonly unknown[]): Promise<T[]>;
  /** Returns the statements of the last 24 hours, oldest first. */
  statements(): StatementRecord[];
  readonly faults: Faults;
  /** Aborts what runs, drops everything in the database, and forgets statements and faults. */
  reset(): Promise<void>;
  close(): Promise<void>;
};

export type RedshiftDataApiOptions = {
  /** PGlite's directory, kept from one start to the next; in memory when absent. */
  readonly dataDir?: string;
  /** Rows of a page; 1000 unless given. */
  readonly pageRows?: number;
  /** The clock of statements and results and, when given, of GETDATE, SYSDATE and CURRENT_DATE. */
  readonly now?: () => number;
  /** A free port unless given. */
  readonly port?: number;
  /** The largest result; 500 MB unless given. */
  readonly maxResultBytes?: number;
};

/**
 * Starts the emulator on 127.0.0.1.
 * @throws when the port is taken or `dataDir` is no database directory.
 */
export async function startRedshiftDataApi(options: RedshiftDataApiOptions = {}): Promise<RedshiftDataApi> {
  const { dataDir, now } = options;
  const database = await openDatabase({
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(now === undefined ? {} : { now }),
  });
  const store = await openPageStore();
  const statements = openStatements({
    database,
    store,
    now: now ?? Date.now,
    pageRows: options.pageRows ?? 1000,
    maxResultBytes: options.maxResultBytes ?? MAX_RESULT_BYTES,
  });
  const faults = faultPlan(() => {
    for (const statement of statements.all()) statement.isResultExpired = true;
  });
  const server = await startAwsJson({
    service: 'RedshiftData',
    operations: operationsOn(statements, faults),
    port: options.port,
  });
  return {
    url: server.url,
    exec: database.exec,
    query: database.query,
    statements: () => statements.all().map(recordOf),
    faults,
    async reset() {
      faults.clear();
      await statements.clear();
      await database.reset();
    },
    async close() {
      await server.close();
      await statements.clear();
      await database.close();
      await store.close();
    },
  };
}

function recordOf(statement: Statement): StatementRecord {
  const { sql, parameters, clientToken, statementName, ...target } = statement.submission;
  return {
    id: statement.id,
    sql,
    parameters,
    ...(clientToken === undefined ? {} : { clientToken }),
    ...(statementName === undefined ? {} : { statementName }),
    ...target,
    status: statusOf(statement),
    history: [...statement.history],
    ...(statement.error === undefined ? {} : { error: statement.error }),
    rows: statement.rows,
    pages: statement.pages.count,
    pagesFetched: [...statement.pagesFetched],
  };
}
