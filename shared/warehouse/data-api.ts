/**
 * The warehouse behind the Redshift Data API: statements are submitted, asked about and read in pages; nothing waits.
 *
 * Source of limits: Amazon Redshift Management Guide, 'Using the Amazon Redshift Data API' (results are kept for 24
 * hours, 500 MB at most, 64 KB a row) and 'DescribeStatement'.
 */
import {
  DescribeStatementCommand,
  ExecuteStatementCommand,
  type Field,
  GetStatementResultCommand,
  type RedshiftDataClient,
} from '@aws-sdk/client-redshift-data';
import { FatalError, mayPass, messageOf, RetryLater } from '../errors.ts';
import type { RedshiftApp } from '../parameters/schema.ts';
import { SECOND_MS } from '../time.ts';
import type { RawValue } from '../values/converted.ts';

export type StatementStatus =
  | { readonly kind: 'running' }
  | { readonly kind: 'finished'; readonly rows: number }
  | { readonly kind: 'failed'; readonly message: string };

/** A page of a result. `token` fetches this page again; the first page has none. */
export type ResultPage = {
  readonly token: string | undefined;
  readonly columns: readonly { readonly name: string; readonly typeName: string }[];
  readonly rows: readonly (readonly RawValue[])[];
};

export type Warehouse = {
  /** Submits a statement and returns its id; the same idempotency token gives the same statement. */
  readonly submit: (sql: string, idempotencyToken: string, name: string) => Promise<string>;
  readonly status: (statementId: string) => Promise<StatementStatus>;
  /** Yields the pages of a finished statement from the page of `token` on. */
  readonly pages: (statementId: string, token?: string) => AsyncGenerator<ResultPage>;
};

/** Exceptions after which the same call may succeed. Source: Amazon Redshift Data API Reference, 'ExecuteStatement'. */
const PASSING = new Set([
  'ActiveStatementsExceededException',
  'ActiveSessionsExceededException',
  'ThrottlingException',
  'InternalServerException',
  'TooManyRequestsException',
  'TimeoutError',
]);

/** Status 500, but the statement or its target is what is wrong. Source: the same. */
const ITS_OWN_FAULT = 'ExecuteStatementException';

/** Returns the warehouse of a Redshift app. Calls throw RetryLater for what passes, FatalError for what does not. */
export function dataApi(client: RedshiftDataClient, app: RedshiftApp): Warehouse {
  const target = {
    Database: app.database,
    ...(app.workgroup ? { WorkgroupName: app.workgroup } : {}),
    ...(app.cluster ? { ClusterIdentifier: app.cluster } : {}),
    ...(app.dbUser ? { DbUser: app.dbUser } : {}),
    ...(app.secret ? { SecretArn: app.secret } : {}),
  };
  return {
    submit: (sql, idempotencyToken, name) =>
      guarded(`Redshift did not take the statement '${name}'`, async () => {
        const input = { ...target, Sql: sql, ClientToken: idempotencyToken, StatementName: name };
        const { Id } = await client.send(new ExecuteStatementCommand(input));
        if (!Id) throw new Error('the answer has no statement id');
        return Id;
      }),
    status: (statementId) =>
      guarded('Redshift gave no status of the statement', async () => {
        const answer = await client.send(new DescribeStatementCommand({ Id: statementId }));
        if (answer.Status === 'FINISHED') return { kind: 'finished', rows: Number(answer.ResultRows ?? 0) || 0 };
        if (answer.Status === 'FAILED') return { kind: 'failed', message: textOr(answer.Error, 'no message') };
        if (answer.Status === 'ABORTED') return { kind: 'failed', message: 'the statement was cancelled' };
        return { kind: 'running' };
      }),
    pages: (statementId, token) => pages(client, statementId, token),
  };
}

/** One page is fetched ahead while the last one is worked on; no more is held. */
async function* pages(client: RedshiftDataClient, statementId: string, from?: string): AsyncGenerator<ResultPage> {
  let next: Promise<Fetched> | undefined = fetchPage(client, statementId, from);
  try {
    while (next) {
      const { page, nextToken }: Fetched = await next;
      next = nextToken ? fetchPage(client, statementId, nextToken) : undefined;
      // A failure of the page ahead is seen when it is its turn; until then it must not count as unhandled.
      next?.catch(() => undefined);
      yield page;
    }
  } finally {
    await next?.catch(() => undefined);
  }
}

type Fetched = { readonly page: ResultPage; readonly nextToken: string | undefined };

const fetchPage = (client: RedshiftDataClient, statementId: string, token: string | undefined): Promise<Fetched> =>
  guarded("Redshift did not give the statement's result", async () => {
    const answer = await client.send(
      new GetStatementResultCommand({ Id: statementId, ...(token ? { NextToken: token } : {}) }),
    );
    const columns = (answer.ColumnMetadata ?? []).map(({ name, typeName }) => ({
      name: textOr(name, ''),
      typeName: textOr(typeName, ''),
    }));
    const rows = (answer.Records ?? []).map((record) => record.map(rawValue));
    return { page: { token, columns, rows }, nextToken: textOr(answer.NextToken, undefined) };
  });

/** The SDK does not look at the types of what comes. */
const textOr = <T>(value: unknown, otherwise: T): string | T => (typeof value === 'string' ? value : otherwise);

function rawValue(field: Field): RawValue {
  // The SDK does not look at the types of what comes: anything else than these must not pass for a value.
  if (field.isNull === true) return null;
  if (typeof field.stringValue === 'string') return field.stringValue;
  if (typeof field.booleanValue === 'boolean') return field.booleanValue;
  if (typeof field.longValue === 'number') return field.longValue;
  if (typeof field.doubleValue === 'number') return field.doubleValue;
  throw new FatalError('Redshift gave a value of a kind that a profile cannot hold', 'Cast the column in the query.');
}

async function guarded<T>(found: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof FatalError || error instanceof RetryLater) throw error;
    const name = error instanceof Error ? error.name : '';
    if (PASSING.has(name) || (name !== ITS_OWN_FAULT && mayPass(error)))
      throw new RetryLater(`${found}: ${name}`, 10 * SECOND_MS, { cause: error });
    throw new FatalError(
      `${found}: ${name}: ${messageOf(error)}`,
      'Check the warehouse app of the parameter file and its grants.',
      {
        cause: error,
      },
    );
  }
}

/** Returns the first line of a statement that says something, 120 characters at most. */
export const firstLine = (sql: string): string =>
  (sql.split('\n').find((line) => line.trim() !== '') ?? '').trim().slice(0, 120);
