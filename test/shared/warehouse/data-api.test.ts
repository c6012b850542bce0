import { setImmediate } from 'node:timers/promises';
import { CancelStatementCommand, RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import type { ExceptionName, OperationName } from '../../../local/redshift/index.ts';
import { FatalError, RetryLater } from '../../../shared/errors.ts';
import { columnFinder } from '../../../shared/runs/context.ts';
import { columnType } from '../../../shared/warehouse/columns.ts';
import { dataApi, firstLine, type ResultPage, type Warehouse } from '../../../shared/warehouse/data-api.ts';
import { clientFor, type LocalRedshift, startRedshift } from './redshift.ts';

let redshift: LocalRedshift;
let warehouse: Warehouse;
beforeAll(async () => {
  redshift = await startRedshift({ pageRows: 3 });
  warehouse = redshift.warehouse;
});
afterAll(() => redshift.close());
beforeEach(() => redshift.api.reset());

let tokens = 0;
const submit = (sql: string): Promise<string> => warehouse.submit(sql, `t-${++tokens}`, 'a name');
const ended = async (id: string) => {
  for (;;) {
    const status = await warehouse.status(id);
    if (status.kind !== 'running') return status;
  }
};
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
/** A real client whose calls are answered here. */
function faked(answer: () => object) {
  const client = new RedshiftDataClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  client.middlewareStack.add(() => async () => ({ response: {}, output: { $metadata: {}, ...answer() } }), {
    step: 'initialize',
    priority: 'high',
  });
  return { client, app: { type: 'redshift', workgroup: 'analytics', database: 'dev' } } as const;
}
const pagesOf = async (id: string, token?: string): Promise<ResultPage[]> => {
  const pages: ResultPage[] = [];
  for await (const page of warehouse.pages(id, token)) pages.push(page);
  return pages;
};

/** Eight rows: pages of three, three and two. */
const EIGHT = `SELECT n FROM (${Array.from({ length: 8 }, (_, n) => `SELECT ${n} AS n`).join(' UNION ALL ')}) AS t ORDER BY n`;

describe('a statement', () => {
  test('is running until it has ended, and then tells how many rows it has', async () => {
    redshift.api.faults.keepStarted(2);
    const id = await submit(EIGHT);
    expect(await warehouse.status(id)).toEqual({ kind: 'running' });
    expect(await ended(id)).toEqual({ kind: 'finished', rows: 8 });
  });

  test('that fails tells what Redshift says', async () => {
    redshift.api.faults.failStatement('ERROR: permission denied for schema mart');
    expect(await ended(await submit('SELECT 1'))).toEqual({
      kind: 'failed',
      message: 'ERROR: permission denied for schema mart',
    });
    expect(await ended(await submit('SELECT nothing'))).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('nothing'),
    });
  });

  test('that somebody cancels has failed', async () => {
    redshift.api.faults.keepStarted(Number.POSITIVE_INFINITY);
    const id = await submit('SELECT 1');
    const client = clientFor(redshift.api.url);
    await client.send(new CancelStatementCommand({ Id: id }));
    client.destroy();
    expect(await warehouse.status(id)).toEqual({ kind: 'failed', message: 'the statement was cancelled' });
  });

  test('is the same one for the same idempotency token', async () => {
    const first = await warehouse.submit('SELECT 1', 'once', 'a');
    expect(await warehouse.submit('SELECT 1', 'once', 'b')).toBe(first);
    expect(await warehouse.submit('SELECT 1', 'twice', 'a')).not.toBe(first);
    expect(redshift.api.statements()).toHaveLength(2);
  });

  test.each([
    [
      { workgroup: 'analytics', secret: 'mart/reader' },
      { workgroup: 'analytics', secret: 'mart/reader' },
    ],
    [
      { cluster: 'main', dbUser: 'reader' },
      { cluster: 'main', dbUser: 'reader' },
    ],
  ])('goes where the app says: %j', async (app, target) => {
    const client = clientFor(redshift.api.url);
    const other = dataApi(client, { type: 'redshift', database: 'dev', ...app });
    await other.submit('SELECT 1', 'somewhere', 'its name');
    client.destroy();
    expect(redshift.api.statements()).toMatchObject([{ ...target, database: 'dev', statementName: 'its name' }]);
  });
});

describe('the pages of a result', () => {
  test('hold every row in order, and can be fetched again from the token of any of them', async () => {
    const id = await submit(EIGHT);
    await ended(id);
    const pages = await pagesOf(id);
    expect(pages.map(({ rows }) => rows.map(([n]) => n))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
    expect(pages[0]?.token).toBeUndefined();
    expect(pages[0]?.columns).toEqual([{ name: 'n', typeName: 'int4' }]);
    for (const [index, { token }] of pages.entries()) expect(await pagesOf(id, token)).toEqual(pages.slice(index));
  });

  test('are one page without rows for a result without rows', async () => {
    const id = await submit('SELECT 1 AS one LIMIT 0');
    expect(await ended(id)).toEqual({ kind: 'finished', rows: 0 });
    expect(await pagesOf(id)).toEqual([{ token: undefined, columns: [{ name: 'one', typeName: 'int4' }], rows: [] }]);
  });

  test('keep NULL apart from the empty text, and give numbers, booleans and JSON as they are', async () => {
    const values = {
      'CAST(NULL AS VARCHAR(9))': null,
      "CAST('' AS VARCHAR(9))": '',
      "CAST('😀 é' AS VARCHAR(9))": '😀 é',
      'CAST(-7 AS INT)': -7,
      'CAST(9007199254740991 AS BIGINT)': 9007199254740991,
      'CAST(0 AS BIGINT)': 0,
      'CAST(0.1 AS FLOAT8)': 0.1,
      'CAST(0 AS FLOAT8)': 0,
      'CAST(1.50 AS DECIMAL(10, 2))': '1.50',
      'CAST(12345678901234567890.0123456789 AS DECIMAL(38, 10))': '12345678901234567890.0123456789',
      TRUE: true,
      FALSE: false,
      'CAST(NULL AS BOOLEAN)': null,
      "CAST('2026-01-31 10:00:00' AS TIMESTAMP)": '2026-01-31 10:00:00',
      'JSON_PARSE(\'{"a": [1, null]}\')': '{"a":[1,null]}',
    };
    const id = await submit(
      `SELECT ${Object.keys(values)
        .map((sql, index) => `${sql} AS c${index}`)
        .join(', ')}`,
    );
    expect(await ended(id)).toEqual({ kind: 'finished', rows: 1 });
    expect((await pagesOf(id)).flatMap(({ rows }) => rows)).toEqual([Object.values(values)]);
  });

  test('are fetched one ahead and no further', async () => {
    const id = await submit(EIGHT);
    await ended(id);
    const pages = warehouse.pages(id);
    await pages.next();
    await pages.return(undefined);
    expect(redshift.api.statements()[0]?.pagesFetched.length).toBeLessThanOrEqual(2);
  });

  test('may be left while the page ahead fails: nobody hears of it', async () => {
    let calls = 0;
    const { client, app } = faked(() => {
      if (++calls > 1) throw Object.assign(new Error('no'), { name: 'ThrottlingException' });
      return { Records: [], ColumnMetadata: [], NextToken: 'ahead' };
    });
    const unheard: unknown[] = [];
    const hear = (error: unknown): void => {
      unheard.push(error);
    };
    process.on('unhandledRejection', hear);
    const pages = dataApi(client, app).pages('x');
    expect((await pages.next()).value).toEqual({ token: undefined, columns: [], rows: [] });
    await setImmediate();
    expect(await pages.return(undefined)).toEqual({ done: true, value: undefined });
    await setImmediate();
    process.off('unhandledRejection', hear);
    expect({ calls, unheard }).toEqual({ calls: 2, unheard: [] });
  });

  test('end in an error when a later page cannot be fetched, after those that could', async () => {
    const id = await submit(EIGHT);
    await ended(id);
    const pages = warehouse.pages(id);
    expect((await pages.next()).value?.rows).toHaveLength(3);
    expect((await pages.next()).value?.rows).toHaveLength(3);
    redshift.api.faults.expireResults();
    const rest = await failure(pagesOf(id));
    expect(rest).toBeInstanceOf(FatalError);
    await pages.return(undefined);
  });
});

describe('a call', () => {
  const OPERATIONS: readonly OperationName[] = ['ExecuteStatement', 'DescribeStatement', 'GetStatementResult'];
  const call = async (operation: OperationName, id: string): Promise<unknown> => {
    if (operation === 'ExecuteStatement') return submit('SELECT 2');
    return operation === 'DescribeStatement' ? warehouse.status(id) : pagesOf(id);
  };
  const cases = (exceptions: readonly ExceptionName[]) =>
    OPERATIONS.flatMap((operation) => exceptions.map((exception) => ({ operation, exception })));

  test.each(
    cases([
      'ThrottlingException',
      'InternalServerException',
      'ActiveStatementsExceededException',
      'ActiveSessionsExceededException',
    ]),
  )('$operation that ends in $exception may come again later', async ({ operation, exception }) => {
    const id = await submit('SELECT 1');
    await ended(id);
    redshift.api.faults.failNext(operation, exception);
    const error = await failure(call(operation, id));
    expect(error).toBeInstanceOf(RetryLater);
    expect(String(error)).toContain(exception);
    expect(await call(operation, id)).toBeDefined();
  });

  test.each(cases(['ValidationException', 'ResourceNotFoundException', 'ExecuteStatementException']))(
    '$operation that ends in $exception is fatal',
    async ({ operation, exception }) => {
      const id = await submit('SELECT 1');
      await ended(id);
      redshift.api.faults.failNext(operation, exception);
      const error = await failure(call(operation, id));
      expect(error).toBeInstanceOf(FatalError);
      expect(String(error)).toContain(exception);
    },
  );

  test.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT'])(
    'that the network loses (%s) may come again later',
    async (code) => {
      const { client, app } = faked(() => {
        throw Object.assign(new Error('lost'), { code });
      });
      expect(await failure(dataApi(client, app).submit('SELECT 1', 'x', 'x'))).toBeInstanceOf(RetryLater);
    },
  );

  test.each([
    [503, RetryLater],
    [502, RetryLater],
    [429, RetryLater],
    [403, FatalError],
    [400, FatalError],
  ])('that a gateway answers with %i and a page of HTML is a %p', async (httpStatusCode, kind) => {
    const { client, app } = faked(() => {
      throw Object.assign(new SyntaxError('Unexpected token <'), { $metadata: { httpStatusCode } });
    });
    expect(await failure(dataApi(client, app).status('x'))).toBeInstanceOf(kind);
  });

  test('that gives a value of no known kind is fatal', async () => {
    const { client, app } = faked(() => ({ Records: [[{ blobValue: new Uint8Array([1]) }]], ColumnMetadata: [] }));
    expect(await failure(dataApi(client, app).pages('x').next())).toBeInstanceOf(FatalError);
  });

  test('that is refused names the statement, and repeats none of its SQL', async () => {
    redshift.api.faults.failNext('ExecuteStatement', 'ValidationException');
    const error = await failure(submit(`\n  SELECT a\nFROM secret_table`));
    expect(String(error)).toContain("'a name'");
    expect(String(error)).not.toContain('secret_table');
  });
});

test.each([
  ['\n\n  SELECT 1\nFROM t', 'SELECT 1'],
  ['', ''],
  ['x'.repeat(200), 'x'.repeat(120)],
])('the first line of %j is %j', (sql, line) => {
  expect(firstLine(sql)).toBe(line);
});

test.each([
  ['INT8', 'integer'],
  ['numeric', 'decimal'],
  ['character varying', 'text'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamptz', 'timestamptz'],
  ['super', 'super'],
  ['geometry', undefined],
  ['varbyte', undefined],
  ['constructor', undefined],
  ['', undefined],
])('the Redshift type %s is read as %s', (typeName, type) => {
  expect(columnType(typeName)).toBe(type);
});

describe('a property', () => {
  const column = columnFinder([
    ['id', 'int4'],
    ['Email', 'varchar'],
    ['email', 'varchar'],
    ['place', 'geometry'],
    ['__proto__', 'bool'],
  ]);

  test.each([
    ['email', { name: 'email', type: 'text' }],
    ['Email', { name: 'Email', type: 'text' }],
    ['ID', { name: 'id', type: 'integer' }],
    ['__proto__', { name: '__proto__', type: 'boolean' }],
  ])('%s is found by its own spelling, else in any case', (property, found) => {
    expect(column(property)).toEqual(found);
  });

  test.each([
    ['missing', "no column 'missing'. It has: id, Email, email, place, __proto__"],
    ['Place', 'is of type geometry, which a profile cannot hold'],
    ['constructor', "no column 'constructor'"],
  ])('%s that no profile can hold is a fatal error that says why', (property, why) => {
    expect(() => column(property)).toThrow(why);
    expect(() => column(property)).toThrow(FatalError);
  });
});
