import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  CancelStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  type ExecuteStatementCommandInput,
  GetStatementResultCommand,
  RedshiftDataClient,
} from '@aws-sdk/client-redshift-data';
import { type ExceptionName, type RedshiftDataApi, startRedshiftDataApi } from '../../../local/redshift/index.ts';

const HOUR_MS = 60 * 60 * 1000;
const START_MS = Date.UTC(2026, 0, 31, 10);
let nowMs = START_MS;
let api: RedshiftDataApi;
let client: RedshiftDataClient;

const clientOf = ({ url }: RedshiftDataApi) =>
  new RedshiftDataClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });

beforeAll(async () => {
  api = await startRedshiftDataApi({ pageRows: 3, maxResultBytes: 200_000, now: () => nowMs });
  client = clientOf(api);
});
afterAll(async () => {
  client.destroy();
  await api.close();
});
beforeEach(async () => {
  nowMs = START_MS;
  await api.reset();
});

const execute = async (Sql: string, more: Partial<ExecuteStatementCommandInput> = {}) => {
  const { Id = '' } = await client.send(
    new ExecuteStatementCommand({ Sql, Database: 'dev', WorkgroupName: 'analytics', ...more }),
  );
  return Id;
};
const describeStatement = (Id: string) => client.send(new DescribeStatementCommand({ Id }));
const result = (Id: string, NextToken?: string) => client.send(new GetStatementResultCommand({ Id, NextToken }));
const cancel = (Id: string) => client.send(new CancelStatementCommand({ Id }));

/** Polls until the statement has ended, and returns its description. */
const ended = async (Id: string) => {
  for (;;) {
    const description = await describeStatement(Id);
    if (!['SUBMITTED', 'PICKED', 'STARTED'].includes(description.Status ?? '')) return description;
  }
};
const run = async (sql: string, more: Partial<ExecuteStatementCommandInput> = {}) => {
  const id = await execute(sql, more);
  return { id, ...(await ended(id)) };
};
const recordsOf = async (sql: string, more: Partial<ExecuteStatementCommandInput> = {}) => {
  const { id, Error: error } = await run(sql, more);
  if (error !== undefined) throw new Error(error);
  return (await result(id)).Records;
};

describe('a statement', () => {
  test('goes from SUBMITTED to FINISHED and is described with its size', async () => {
    const id = await execute('SELECT 1 AS one UNION ALL SELECT 2', { StatementName: 'numbers' });
    expect(await ended(id)).toMatchObject({
      Id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      Status: 'FINISHED',
      QueryString: 'SELECT 1 AS one UNION ALL SELECT 2',
      HasResultSet: true,
      ResultRows: 2,
      ResultSize: 2,
      Database: 'dev',
      WorkgroupName: 'analytics',
      CreatedAt: new Date(START_MS),
      UpdatedAt: new Date(START_MS),
    });
    expect((await describeStatement(id)).Duration).toBeGreaterThan(1000);
    expect(api.statements()).toMatchObject([
      { id, statementName: 'numbers', history: ['SUBMITTED', 'PICKED', 'STARTED', 'FINISHED'], rows: 2, pages: 1 },
    ]);
  });

  test('runs one at a time, in order', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map((n) => execute(`SELECT ${n}`)));
    for (const id of ids) expect(await ended(id)).toMatchObject({ Status: 'FINISHED' });
    expect(api.statements().every(({ history }) => history.join() === 'SUBMITTED,PICKED,STARTED,FINISHED')).toBe(true);
  });

  test('may have an empty result, or none', async () => {
    const { id, ...description } = await run('SELECT 1 AS a WHERE false');
    expect(description).toMatchObject({ HasResultSet: true, ResultRows: 0 });
    expect(await result(id)).toMatchObject({ Records: [], TotalNumRows: 0, ColumnMetadata: [{ name: 'a' }] });
    const without = await run("SET statement_timeout TO '1s'");
    expect(without).toMatchObject({ Status: 'FINISHED', HasResultSet: false });
    await expect(result(without.id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test.each([
    ['SELECT nope FROM pg_class', 'ERROR: column "nope" does not exist\n  Position: 8'],
    ['SELECT * FROM nowhere', 'ERROR: relation "nowhere" does not exist\n  Position: 15'],
    ['SELECT NVL(nope, 1)', 'ERROR: column "nope" does not exist'],
    ['SELECT 1; SELECT 2', 'ERROR: cannot insert multiple commands into a prepared statement'],
    ['CREATE TABLE t (a int)', 'ERROR: cannot execute CREATE TABLE in a read-only transaction'],
    ['SELECT ARRAY[1, 2] AS a', expect.stringMatching(/^ERROR: column "a" has a type that Redshift does not return/)],
    ["SELECT interval '1 day' AS a", expect.stringMatching(/^ERROR: column "a" has a type/)],
    ["SELECT repeat('x', 65537)", expect.stringMatching(/^Packet for query is too large/)],
    [
      "SELECT repeat('x', 60000) FROM generate_series(1, 4)",
      expect.stringMatching(/^Database response exceeded size limit/),
    ],
  ])('%s ends as FAILED with the database’s reason', async (sql, error) => {
    const { id, ...description } = await run(sql);
    expect(description).toMatchObject({ Status: 'FAILED', Error: error, HasResultSet: false, ResultRows: -1 });
    await expect(result(id)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Query does not have result. Please check query status with DescribeStatement.',
      ResourceId: id,
    });
  });

  test('cannot write, and leaves no setting behind', async () => {
    await api.exec('CREATE TABLE t (a int)');
    expect(await run('INSERT INTO t VALUES (1)')).toMatchObject({
      Error: 'ERROR: cannot execute INSERT in a read-only transaction',
    });
    await run('SET search_path TO pg_catalog');
    expect(await recordsOf('SELECT count(*) FROM t')).toEqual([[{ longValue: 0 }]]);
  });

  test('reads literals as Redshift does: a backslash escapes', async () => {
    expect(await recordsOf("SELECT 'a\\\\b', 'it\\'s', 'x_y' LIKE '%\\\\_%', 'xzy' LIKE '%\\\\_%'")).toEqual([
      [{ stringValue: 'a\\b' }, { stringValue: "it's" }, { booleanValue: true }, { booleanValue: false }],
    ]);
  });

  test('takes the clock of the emulator', async () => {
    expect(await recordsOf('SELECT GETDATE() AS g, dateadd(day, -90, CURRENT_DATE) AS d')).toEqual([
      [{ stringValue: '2026-01-31 10:00:00' }, { stringValue: '2025-11-02 00:00:00' }],
    ]);
  });

  test('can be cancelled while it is active, and not after', async () => {
    api.faults.keepStarted(Number.POSITIVE_INFINITY);
    const id = await execute('SELECT 1');
    expect(await describeStatement(id)).toMatchObject({ Status: 'STARTED', Duration: -1, ResultRows: -1 });
    expect(await cancel(id)).toMatchObject({ Status: true });
    expect(await describeStatement(id)).toMatchObject({ Status: 'ABORTED' });
    await expect(cancel(id)).rejects.toMatchObject({
      name: 'ValidationException',
      message: `Could not cancel a query that is already in ABORTED state with ID: ${id}`,
    });
  });

  test('that is cancelled before its turn never runs', async () => {
    const first = await execute('SELECT count(*) FROM generate_series(1, 100000)');
    const second = await execute('SELECT 2');
    await cancel(second);
    await ended(first);
    expect(api.statements()[1]?.history).not.toContain('FINISHED');
    expect(await describeStatement(second)).toMatchObject({ Status: 'ABORTED' });
  });
});

describe('a request', () => {
  test.each<[string, Partial<ExecuteStatementCommandInput>, string]>([
    ['without a target', { WorkgroupName: undefined }, 'exactly one of WorkgroupName and ClusterIdentifier'],
    ['with two targets', { ClusterIdentifier: 'c' }, 'exactly one of WorkgroupName and ClusterIdentifier'],
    ['with a user of a workgroup', { DbUser: 'reader' }, 'DbUser goes with ClusterIdentifier only'],
    ['without a database', { Database: undefined }, "Value at 'Database'"],
    ['with an empty statement', { Sql: '' }, "Value at 'Sql'"],
    ['with a statement over 100 KB', { Sql: `SELECT '${'ä'.repeat(50_000)}'` }, 'larger than 100kB'],
    ['with what is not imitated', { WithEvent: true }, 'Unrecognized key: "WithEvent"'],
    ['with a parameter without use', { Parameters: [{ name: 'a', value: '1' }] }, 'a does not occur in the statement'],
    [
      'with a parameter without value',
      { Sql: 'SELECT :a, :b', Parameters: [{ name: 'a', value: '1' }] },
      'b has no value',
    ],
  ])('%s is refused before anything runs', async (_, more, message) => {
    await expect(execute('SELECT 1', more)).rejects.toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining(message),
      $metadata: { httpStatusCode: 400 },
    });
    expect(api.statements()).toEqual([]);
  });

  test('may name a cluster, a user and a secret, which come back', async () => {
    const target = { ClusterIdentifier: 'main', DbUser: 'reader', SecretArn: 'redshift/readonly' };
    const answer = await client.send(new ExecuteStatementCommand({ Sql: 'SELECT 1', Database: 'dev', ...target }));
    expect(answer).toMatchObject({ ...target, Database: 'dev', CreatedAt: new Date(START_MS) });
    expect(await ended(answer.Id ?? '')).toMatchObject(target);
    expect(api.statements()).toMatchObject([{ cluster: 'main', dbUser: 'reader', secret: 'redshift/readonly' }]);
  });

  test('with the same client token gets the same statement, for eight hours', async () => {
    const first = await execute('SELECT 1', { ClientToken: 'run-1-shard-0' });
    expect(await execute('SELECT 1', { ClientToken: 'run-1-shard-0' })).toBe(first);
    await expect(execute('SELECT 2', { ClientToken: 'run-1-shard-0' })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    expect(api.statements()).toMatchObject([{ clientToken: 'run-1-shard-0' }]);
    nowMs += 8 * HOUR_MS;
    expect(await execute('SELECT 1', { ClientToken: 'run-1-shard-0' })).not.toBe(first);
  });

  test('for an unknown statement is answered as not found', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    for (const request of [describeStatement(id), result(id), cancel(id)]) {
      await expect(request).rejects.toMatchObject({ name: 'ResourceNotFoundException', ResourceId: id });
    }
    await expect(describeStatement('nonsense')).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('beyond 200 active statements is refused', async () => {
    for (let n = 0; n < 200; n += 1) api.faults.keepStarted(Number.POSITIVE_INFINITY);
    await Promise.all(Array.from({ length: 200 }, (_, n) => execute(`SELECT ${n}`)));
    await expect(execute('SELECT 200')).rejects.toMatchObject({ name: 'ActiveStatementsExceededException' });
  });
});

describe('parameters', () => {
  test('take their type from where they stand, and are never read as SQL', async () => {
    const Parameters = [
      { name: 'id', value: '2' },
      { name: 'word', value: "x'; DROP TABLE t; --" },
    ];
    const sql = "SELECT :word, :id::smallint + 1, 'a:id', n FROM generate_series(1, 3) n WHERE n >= :id /* :other */";
    expect(await recordsOf(sql, { Parameters })).toEqual([
      [{ stringValue: "x'; DROP TABLE t; --" }, { longValue: 3 }, { stringValue: 'a:id' }, { longValue: 2 }],
      [{ stringValue: "x'; DROP TABLE t; --" }, { longValue: 3 }, { stringValue: 'a:id' }, { longValue: 3 }],
    ]);
  });

  test('that do not fit, or are empty, fail the statement', async () => {
    const sql = 'SELECT 1 WHERE 1 = :n';
    expect(await run(sql, { Parameters: [{ name: 'n', value: 'one' }] })).toMatchObject({
      Status: 'FAILED',
      Error: 'ERROR: invalid input syntax for type integer: "one"',
      QueryParameters: [{ name: 'n', value: 'one' }],
    });
    expect(await run(sql, { Parameters: [{ name: 'n', value: '' }] })).toMatchObject({
      Error: 'ERROR: parameter "n" has a value of zero length',
    });
  });
});

describe('a result', () => {
  const COLUMNS = `id int NOT NULL, small smallint, big bigint, single real, twice float8, price numeric(8, 2), flag boolean,
    name varchar(40), code char(3), born date, seen timestamp, logged timestamptz, at time, atz timetz, extra SUPER, raw varbyte`;

  test('has fields as the service answers them', async () => {
    await api.exec(`CREATE TABLE t (${COLUMNS});
      INSERT INTO t VALUES (1, -2, 9007199254740993, 1.5, 1e20, 5, true, 'Zoë "Q"', 'ab', '2026-01-31',
        '2026-01-31 10:11:12', '2026-01-31 10:11:12.123456+02', '10:11:12', '10:11:12+00', '{"b": [1, "x, y"], "a": null}', '\\xff00'),
      (2, NULL, NULL, NULL, 'NaN', NULL, false, '', NULL, NULL, NULL, NULL, NULL, NULL, '"text"', NULL)`);
    const nothing = { isNull: true };
    expect(await recordsOf('SELECT * FROM t ORDER BY id')).toEqual([
      [
        { longValue: 1 },
        { longValue: -2 },
        { longValue: Number('9007199254740993') },
        { doubleValue: 1.5 },
        { doubleValue: 1e20 },
        { stringValue: '5.00' },
        { booleanValue: true },
        { stringValue: 'Zoë "Q"' },
        { stringValue: 'ab ' },
        { stringValue: '2026-01-31' },
        { stringValue: '2026-01-31 10:11:12' },
        { stringValue: '2026-01-31 08:11:12.123456+00' },
        { stringValue: '10:11:12' },
        { stringValue: '10:11:12+00' },
        { stringValue: '{"a":null,"b":[1,"x, y"]}' },
        { stringValue: 'ff00' },
      ],
      [
        { longValue: 2 },
        ...[nothing, nothing, nothing],
        { doubleValue: Number.NaN },
        nothing,
        { booleanValue: false },
        { stringValue: '' },
        ...Array.from({ length: 6 }, () => nothing),
        { stringValue: '"text"' },
        nothing,
      ],
    ]);
  });

  test('has the exact digits on the wire, which a client of JavaScript numbers loses', async () => {
    const { id } = await run('SELECT 9007199254740993::bigint');
    const response = await fetch(api.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'RedshiftData.GetStatementResult', 'content-type': 'application/x-amz-json-1.1' },
      body: JSON.stringify({ Id: id }),
    });
    expect(await response.text()).toContain('{"Records":[[{"longValue":9007199254740993}]]');
  });

  test('has the metadata of its columns', async () => {
    await api.exec(`CREATE TABLE t (${COLUMNS})`);
    const { id } = await run('SELECT * FROM t');
    const { ColumnMetadata = [] } = await result(id);
    expect(ColumnMetadata.map(({ name, typeName, precision, scale }) => [name, typeName, precision, scale])).toEqual([
      ['id', 'int4', 10, 0],
      ['small', 'int2', 5, 0],
      ['big', 'int8', 19, 0],
      ['single', 'float4', 8, 8],
      ['twice', 'float8', 17, 17],
      ['price', 'numeric', 8, 2],
      ['flag', 'bool', 1, 0],
      ['name', 'varchar', 40, 0],
      ['code', 'bpchar', 3, 0],
      ['born', 'date', 13, 0],
      ['seen', 'timestamp', 29, 6],
      ['logged', 'timestamptz', 35, 6],
      ['at', 'time', 15, 6],
      ['atz', 'timetz', 21, 6],
      ['extra', 'super', 0, 0],
      ['raw', 'varbyte', 0, 0],
    ]);
    expect(ColumnMetadata[0]).toEqual({
      isCaseSensitive: false,
      isCurrency: false,
      isSigned: true,
      label: 'id',
      length: 0,
      name: 'id',
      nullable: 0,
      precision: 10,
      scale: 0,
      schemaName: 'public',
      tableName: 't',
      typeName: 'int4',
    });
    expect(ColumnMetadata[7]).toMatchObject({ isCaseSensitive: true, isSigned: false, nullable: 1 });
  });

  test('folds quoted names to lower case, and shows a computed column without a table', async () => {
    const { id } = await run(
      "SELECT sum(x) AS \"Total Sum\", 'a'::text AS t, md5('a') FROM (SELECT 1.25 AS x UNION SELECT 2) q",
    );
    expect((await result(id)).ColumnMetadata).toMatchObject([
      {
        name: 'total sum',
        label: 'total sum',
        typeName: 'numeric',
        precision: 38,
        scale: 2,
        tableName: '',
        nullable: 1,
      },
      { name: 't', typeName: 'varchar', precision: 65_535 },
      { name: 'md5', typeName: 'varchar' },
    ]);
  });

  test('comes in pages, each of which can be fetched again', async () => {
    const { id } = await run('SELECT n FROM generate_series(1, 7) n');
    const first = await result(id);
    const second = await result(id, first.NextToken);
    const again = await result(id, first.NextToken);
    const third = await result(id, second.NextToken);
    expect([first, second, third].map(({ Records }) => Records?.map(([field]) => field?.longValue))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7],
    ]);
    expect(again.Records).toEqual(second.Records);
    expect(again.NextToken).toBe(second.NextToken);
    expect(third.NextToken).toBeUndefined();
    expect(first.TotalNumRows).toBe(7);
    expect(api.statements()).toMatchObject([{ rows: 7, pages: 3, pagesFetched: [0, 1, 1, 2] }]);
  });

  test('of exactly one page has no token', async () => {
    const { id } = await run('SELECT n FROM generate_series(1, 3) n');
    expect((await result(id)).NextToken).toBeUndefined();
  });

  test('is not given for a token that is made up or another statement’s', async () => {
    const [one, other] = [
      await run('SELECT n FROM generate_series(1, 7) n'),
      await run('SELECT n FROM generate_series(1, 9) n'),
    ];
    const { NextToken } = await result(other.id);
    for (const token of ['nonsense', '', 'MQ.x', NextToken]) {
      await expect(result(one.id, token)).rejects.toMatchObject({ name: 'ValidationException' });
    }
  });

  test('is gone after 24 hours, and so is its statement', async () => {
    const { id } = await run('SELECT 1');
    nowMs += 24 * HOUR_MS - 1;
    expect((await result(id)).TotalNumRows).toBe(1);
    nowMs += 1;
    await expect(result(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(describeStatement(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});

describe('faults', () => {
  test.each<[ExceptionName, number]>([
    ['ActiveStatementsExceededException', 400],
    ['ValidationException', 400],
    ['ThrottlingException', 400],
    ['InternalServerException', 500],
  ])('the next ExecuteStatement fails with %s, and the one after does not', async (name, httpStatusCode) => {
    api.faults.failNext('ExecuteStatement', name);
    await expect(execute('SELECT 1')).rejects.toMatchObject({ name, $metadata: { httpStatusCode } });
    expect(await run('SELECT 1')).toMatchObject({ Status: 'FINISHED' });
  });

  test('a statement fails with a given text', async () => {
    api.faults.failStatement('ERROR: permission denied for relation customer');
    expect(await run('SELECT 1')).toMatchObject({
      Status: 'FAILED',
      Error: 'ERROR: permission denied for relation customer',
    });
    expect(await run('SELECT 1')).toMatchObject({ Status: 'FINISHED' });
  });

  test('a statement stays STARTED for a number of polls', async () => {
    api.faults.keepStarted(3);
    const id = await execute('SELECT 1');
    for (let poll = 0; poll < 3; poll += 1) {
      expect(await describeStatement(id)).toMatchObject({ Status: 'STARTED', HasResultSet: false });
      if (poll < 2) await expect(result(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    }
    expect(await ended(id)).toMatchObject({ Status: 'FINISHED', ResultRows: 1 });
  });

  test('results are throttled and then given', async () => {
    const { id } = await run('SELECT 1');
    api.faults.throttleResults(2);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(result(id)).rejects.toMatchObject({ name: 'ThrottlingException', message: 'Rate exceeded' });
    }
    expect((await result(id)).TotalNumRows).toBe(1);
  });

  test('results expire early', async () => {
    const { id } = await run('SELECT 1');
    api.faults.expireResults();
    await expect(result(id)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    expect(await describeStatement(id)).toMatchObject({ Status: 'FINISHED' });
    expect((await result((await run('SELECT 1')).id)).TotalNumRows).toBe(1);
  });

  test('are forgotten on reset', async () => {
    api.faults.failNext('ExecuteStatement', 'ThrottlingException', 5);
    api.faults.failStatement('ERROR: x');
    await api.reset();
    expect(await run('SELECT 1')).toMatchObject({ Status: 'FINISHED' });
  });
});

describe('scripts of the owner', () => {
  test('run many statements of either dialect, and leave out what only tunes', async () => {
    await api.exec(`
      CREATE SCHEMA mart; GRANT USAGE ON SCHEMA mart TO GROUP analysts;
      CREATE TABLE mart.customer (id bigint IDENTITY(1, 1), name varchar(max), tags super) DISTKEY(id) SORTKEY(id);
      INSERT INTO mart.customer (name, tags) VALUES ('semi; colon', '["a"]'), ('back\\slash', NULL);
      VACUUM mart.customer; ANALYZE;`);
    expect(await api.query('SELECT id::int AS id, "Name" FROM mart.customer WHERE id > $1 ORDER BY id', [0])).toEqual([
      { id: 1, name: 'semi; colon' },
      { id: 2, name: 'back\\slash' },
    ]);
  });

  test('name the failing statement and its line, and leave nothing of the script', async () => {
    const script = 'CREATE TABLE a (x int);\n\n-- the next one fails\nINSERT INTO a\nVALUES (nope);';
    await expect(api.exec(script)).rejects.toThrow(
      'statement 2, line 4 (INSERT INTO a VALUES (nope)): ERROR: column "nope" does not exist',
    );
    expect(await api.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  test('may have transactions of their own', async () => {
    await api.exec('BEGIN; CREATE TABLE a (x int); COMMIT; CREATE TABLE b (x int);');
    await expect(api.exec('BEGIN; CREATE TABLE c (x int); SELECT nope; COMMIT;')).rejects.toThrow('statement 3');
    expect(
      await api.query('SELECT tablename AS t FROM pg_tables WHERE schemaname = $1 ORDER BY 1', ['public']),
    ).toEqual([{ t: 'a' }, { t: 'b' }]);
  });

  test('are refused with inline data of COPY', async () => {
    await expect(api.exec('CREATE TABLE a (x int);\nCOPY a FROM stdin;\n1\n\\.\n')).rejects.toThrow(
      'statement 2, line 2 (COPY a FROM stdin): ERROR: COPY FROM STDIN is not imitated',
    );
  });

  test('are undone by reset, which keeps the functions', async () => {
    await api.exec('CREATE SCHEMA "Odd name"; CREATE TABLE t (a int)');
    await api.reset();
    expect(await run('SELECT * FROM t')).toMatchObject({ Status: 'FAILED' });
    expect(await recordsOf("SELECT len('abc')")).toEqual([[{ longValue: 3 }]]);
    expect(api.statements()).toHaveLength(2);
  });
});

test('a large result is read whole, page by page and in order', async () => {
  const large = await startRedshiftDataApi();
  const largeClient = clientOf(large);
  try {
    const { Id = '' } = await largeClient.send(
      new ExecuteStatementCommand({
        Sql: "SELECT n, md5(n::varchar(20)) AS hash, 'name ' || n AS name FROM generate_series(1, 20000) n ORDER BY n",
        Database: 'dev',
        WorkgroupName: 'analytics',
      }),
    );
    while (large.statements()[0]?.status !== 'FINISHED') await setImmediate();
    const numbers: (number | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const page = await largeClient.send(new GetStatementResultCommand({ Id, NextToken }));
      for (const [field] of page.Records ?? []) numbers.push(field?.longValue);
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, at) => at + 1));
    expect(large.statements()[0]?.pages).toBe(20);
  } finally {
    largeClient.destroy();
    await large.close();
  }
});

test('a data directory keeps the database from one start to the next', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'redshift-data-'));
  try {
    const before = await startRedshiftDataApi({ dataDir: join(directory, 'pg') });
    await before.exec('CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)');
    await before.close();
    const after = await startRedshiftDataApi({ dataDir: join(directory, 'pg') });
    expect(await after.query("SELECT a, len('ab') AS l FROM kept")).toEqual([{ a: 1, l: 2 }]);
    await after.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
