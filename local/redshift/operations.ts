/**
 * The four operations of the Data API: what a request must be, and what is answered.
 *
 * Requests are checked before anything happens; a planned fault comes before the checks, as throttling does.
 * Source: Amazon Redshift Data API Reference, 'ExecuteStatement', 'DescribeStatement', 'GetStatementResult',
 * 'CancelStatement'.
 */
import { createHmac, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { JsonText, parseInput } from '../aws-json.ts';
import { exceptionOf, type FaultPlan, type OperationName } from './faults.ts';
import { tokenize } from './sql.ts';
import {
  isActive,
  MAX_ACTIVE_STATEMENTS,
  type Statement,
  type Statements,
  type Submission,
  statusOf,
  type Target,
} from './statements.ts';

/** 100 KB, read as the smaller of its meanings. Source: Management Guide, 'Considerations when calling …'. */
export const MAX_SQL_BYTES = 100_000;

type Operations = Record<OperationName, (input: unknown) => unknown>;

/** Returns the four operations; each takes a request's body and returns what is answered. */
export function operationsOn(statements: Statements, faults: FaultPlan): Operations {
  const tokens = pageTokens();
  const find = (id: string): Statement => {
    const statement = statements.find(id);
    if (statement === undefined) throw exceptionOf('ResourceNotFoundException', undefined, { ResourceId: id });
    return statement;
  };
  const operations: Operations = {
    ExecuteStatement: (input) => executeStatement(statements, faults, parseInput(ExecuteStatementInput, input)),
    DescribeStatement: (input) => describeStatement(find(parseInput(IdInput, input).Id)),
    GetStatementResult: (input) => {
      const { Id, NextToken } = parseInput(GetStatementResultInput, input);
      return getStatementResult(find(Id), NextToken, tokens);
    },
    CancelStatement: (input) => cancelStatement(statements, find(parseInput(IdInput, input).Id)),
  };
  const withFaults = (name: OperationName) => (input: unknown) => {
    faults.check(name);
    return operations[name](input);
  };
  return {
    ExecuteStatement: withFaults('ExecuteStatement'),
    DescribeStatement: withFaults('DescribeStatement'),
    GetStatementResult: withFaults('GetStatementResult'),
    CancelStatement: withFaults('CancelStatement'),
  };
}

const Id = z
  .string('Member must not be null')
  .regex(/^[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d+)?$/, 'Member must be the identifier of a statement');
const IdInput = z.strictObject({ Id });
const GetStatementResultInput = z.strictObject({ Id, NextToken: z.string().optional() });

const ExecuteStatementInput = z
  .strictObject({
    Sql: z.string('Member must not be null').min(1, 'Member must not be empty'),
    Database: z.string('Member must not be null').min(1, 'Member must not be empty'),
    WorkgroupName: z.string().min(3).max(128).optional(),
    ClusterIdentifier: z.string().min(1).max(63).optional(),
    DbUser: z.string().min(1).optional(),
    SecretArn: z.string().min(1).optional(),
    StatementName: z.string().max(500).optional(),
    ClientToken: z.string().min(1).max(64).optional(),
    Parameters: z
      .array(z.strictObject({ name: z.string().regex(/^[0-9a-zA-Z_]+$/), value: z.string() }))
      .min(1)
      .optional(),
  })
  .refine(
    ({ WorkgroupName, ClusterIdentifier }) => (WorkgroupName === undefined) !== (ClusterIdentifier === undefined),
    'exactly one of WorkgroupName and ClusterIdentifier must be given',
  )
  .refine(
    ({ WorkgroupName, DbUser }) => WorkgroupName === undefined || DbUser === undefined,
    'DbUser goes with ClusterIdentifier only',
  );

function executeStatement(statements: Statements, faults: FaultPlan, input: z.infer<typeof ExecuteStatementInput>) {
  if (Buffer.byteLength(input.Sql) > MAX_SQL_BYTES) {
    throw exceptionOf('ValidationException', 'Cannot process query string larger than 100kB');
  }
  const submission: Submission = {
    sql: input.Sql,
    parameters: input.Parameters ?? [],
    clientToken: input.ClientToken,
    statementName: input.StatementName,
    database: input.Database,
    workgroup: input.WorkgroupName,
    cluster: input.ClusterIdentifier,
    dbUser: input.DbUser,
    secret: input.SecretArn,
  };
  checkParameters(submission);
  const earlier = input.ClientToken === undefined ? undefined : statements.findByToken(input.ClientToken);
  if (earlier !== undefined && earlier.submission.sql !== input.Sql) {
    throw exceptionOf('ValidationException', 'The client token was already used for another statement.');
  }
  if (earlier === undefined && statements.active() >= MAX_ACTIVE_STATEMENTS) {
    throw exceptionOf('ActiveStatementsExceededException');
  }
  const { id, createdAtMs } = earlier ?? statements.submit(submission, faults.nextStatement());
  return { Id: id, CreatedAt: createdAtMs / 1000, ...targetMembers(submission) };
}

/** Every parameter must occur in the statement, and every `:name` must have a value once there are parameters. */
function checkParameters({ sql, parameters }: Submission): void {
  if (parameters.length === 0) return;
  const given = parameters.map(({ name }) => name);
  const used = tokenize(sql, 'escapes').tokens.flatMap(({ kind, text }) =>
    kind === 'parameter' ? [text.slice(1)] : [],
  );
  const problems = [
    ...given.filter((name, at) => given.indexOf(name) !== at).map((name) => `${name} is given twice`),
    ...given.filter((name) => !used.includes(name)).map((name) => `${name} does not occur in the statement`),
    ...used.filter((name) => !given.includes(name)).map((name) => `${name} has no value`),
  ];
  if (problems.length > 0) throw exceptionOf('ValidationException', `Parameters: ${problems.join('; ')}`);
}

const targetMembers = ({ database, workgroup, cluster, dbUser, secret }: Target) => ({
  Database: database,
  WorkgroupName: workgroup,
  ClusterIdentifier: cluster,
  DbUser: dbUser,
  SecretArn: secret,
});

function describeStatement(statement: Statement) {
  const status = statusOf(statement);
  const hasEnded = !isActive(statement);
  if (statement.startedPolls > 0) statement.startedPolls -= 1;
  return {
    Id: statement.id,
    Status: status,
    QueryString: statement.submission.sql,
    ...(statement.submission.parameters.length > 0 ? { QueryParameters: statement.submission.parameters } : {}),
    ...(status === 'FAILED' ? { Error: statement.error } : {}),
    CreatedAt: statement.createdAtMs / 1000,
    UpdatedAt: statement.updatedAtMs / 1000,
    Duration: hasEnded ? statement.durationNs : -1,
    HasResultSet: status === 'FINISHED' && statement.hasResult,
    ResultRows: status === 'FINISHED' ? statement.rows : -1,
    ResultSize: status === 'FINISHED' ? statement.bytes : -1,
    RedshiftPid: process.pid,
    RedshiftQueryId: hasEnded ? statement.queryId : 0,
    ...targetMembers(statement.submission),
  };
}

async function getStatementResult(statement: Statement, nextToken: string | undefined, tokens: PageTokens) {
  if (statusOf(statement) !== 'FINISHED' || !statement.hasResult || statement.isResultExpired) {
    throw exceptionOf(
      'ResourceNotFoundException',
      'Query does not have result. Please check query status with DescribeStatement.',
      { ResourceId: statement.id },
    );
  }
  const page = nextToken === undefined ? 0 : tokens.read(statement.id, nextToken);
  if (page === undefined || page >= Math.max(1, statement.pages.count)) {
    throw exceptionOf('ValidationException', 'NextToken is not a token of this statement.');
  }
  const records = statement.pages.count === 0 ? '[]' : await statement.pages.read(page);
  statement.pagesFetched.push(page);
  const rest = JSON.stringify({
    ColumnMetadata: statement.columns,
    TotalNumRows: statement.rows,
    ...(page + 1 < statement.pages.count ? { NextToken: tokens.write(statement.id, page + 1) } : {}),
  });
  return new JsonText(['{"Records":', records, `,${rest.slice(1)}`]);
}

function cancelStatement(statements: Statements, statement: Statement) {
  const status = statusOf(statement);
  if (statements.cancel(statement)) return { Status: true };
  throw exceptionOf(
    'ValidationException',
    `Could not cancel a query that is already in ${status} state with ID: ${statement.id}`,
  );
}

type PageTokens = { write(id: string, page: number): string; read(id: string, token: string): number | undefined };

/** Tokens are signed: one that was made up, or belongs to another statement, is recognized. */
function pageTokens(): PageTokens {
  const key = randomBytes(16);
  const write = (id: string, page: number) => {
    const signature = createHmac('sha256', key).update(`${id}:${page}`).digest('base64url');
    return `${Buffer.from(String(page)).toString('base64url')}.${signature}`;
  };
  return {
    write,
    read(id, token) {
      const page = Number(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
      return Number.isInteger(page) && write(id, page) === token ? page : undefined;
    },
  };
}
