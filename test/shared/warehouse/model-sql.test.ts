import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { Model } from '../../../shared/parameters/schema.ts';
import type { RawValue } from '../../../shared/values/converted.ts';
import { textLiteral } from '../../../shared/warehouse/literal.ts';
import { describeSql, hashRanges, hexByte, type ShardQuery, shardSql } from '../../../shared/warehouse/model-sql.ts';
import { checkRedshift } from '../../support/redshift-grammar.ts';
import { START_MS } from '../fake-clock.ts';
import { type LocalRedshift, startRedshift } from './redshift.ts';

let redshift: LocalRedshift;
beforeAll(async () => {
  redshift = await startRedshift({ pageRows: 50 });
});
afterAll(() => redshift.close());
afterEach(() => redshift.api.exec('DROP TABLE IF EXISTS people'));

const md5 = (text: string): string => createHash('md5').update(text, 'utf8').digest('hex');
const SHARDS = [1, 2, 4, 8, 16, 32, 64] as const;

const modelOf = (more: Record<string, unknown> = {}): Model =>
  Model.parse({ app: 'warehouse', primaryKey: 'id', ...('query' in more ? {} : { table: 'people' }), ...more });

type Options = Partial<Omit<ShardQuery, 'model' | 'properties' | 'column'>> & {
  readonly properties?: readonly string[];
};

/** Returns the statement of one shard, of all there is by default. */
const sqlOf = (model: Model, column: ShardQuery['column'], { properties = [], ...more }: Options = {}): string =>
  shardSql({
    model,
    primaryKey: column(model.primaryKey),
    properties: properties.map(column),
    groups: [],
    range: { from: 0, to: 256 },
    column,
    nowMs: START_MS,
    ...more,
  });

/** Returns one shard's rows, after a look at its statement: all of Redshift's documentation allows it. */
async function shard(model: Model, options: Options = {}): Promise<(readonly RawValue[])[]> {
  const sql = sqlOf(model, await redshift.columnsOf(model), options);
  expect(checkRedshift(sql)).toEqual([]);
  return [...(await redshift.rows(sql))];
}

describe('hash ranges', () => {
  test.each(SHARDS)('of %i shards hold every first byte exactly once, in order', (shards) => {
    const bytes = hashRanges(shards).flatMap(({ from, to }) =>
      Array.from({ length: to - from }, (_, index) => from + index),
    );
    expect(bytes).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  });

  test.each([
    [0, '00'],
    [10, '0a'],
    [255, 'ff'],
  ] as const)('write the byte %i as %s', (byte, hex) => {
    expect(hexByte(byte)).toBe(hex);
  });
});

describe('the shards of a model', () => {
  const key = fc.option(
    fc
      .oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('', "'", '\\', 'a', 'A', 'a ', '😀'),
      )
      .filter((text) => text.isWellFormed() && !text.includes('\0')),
    { freq: 10 },
  );

  test('hold every row exactly once, duplicates and NULL too, each in the range and order of its md5', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { minLength: 120, maxLength: 200 }),
        fc.constantFrom(...SHARDS.slice(0, 5)),
        async (keys, shards) => {
          await redshift.api.exec(`DROP TABLE IF EXISTS people; CREATE TABLE people (id varchar(2000), n int);
          INSERT INTO people VALUES ${keys.map((key, n) => `(${key === null ? 'NULL' : textLiteral(key)}, ${n})`).join(', ')}`);
          const column = await redshift.columnsOf(modelOf());
          const found: (readonly RawValue[])[] = [];
          for (const range of hashRanges(shards)) {
            const rows = await redshift.rows(sqlOf(modelOf(), column, { range, properties: ['n'] }));
            const bytes = rows.map(([hash]) => (hash === '' ? 0 : Number.parseInt(String(hash).slice(0, 2), 16)));
            expect(bytes.filter((byte) => byte < range.from || byte >= range.to)).toEqual([]);
            found.push(...rows);
          }
          const hashes = found.map(([hash]) => String(hash));
          expect(hashes).toEqual([...hashes].sort());
          const byNumber = [...found].sort((a, b) => Number(a[2]) - Number(b[2]));
          expect(byNumber).toEqual(keys.map((key, n) => [key === null ? '' : md5(key), key, String(n)]));
          expect(keys.every((key) => key === null || md5(key) === recordHash(key))).toBe(true);
        },
      ),
      { numRuns: 5, endOnFailure: true },
    );
  });

  test.each([
    ['bigint', ['9223372036854775807', '-1', '0']],
    ['decimal(20, 2)', ['1.00', '123456789012345678.90']],
    ['char(6)', ['abc', 'é']],
    ['varchar(1000)', ['x'.repeat(999)]],
  ])('know the records of a %s key by the md5 of its text', async (type, keys) => {
    await redshift.api.exec(
      `CREATE TABLE people (id ${type}); INSERT INTO people VALUES ${keys.map((key) => `('${key}')`).join(', ')}`,
    );
    const rows = await shard(modelOf());
    expect(rows).toHaveLength(keys.length);
    for (const [hash, text] of rows) {
      expect(keys).toContain(text);
      expect(hash).toBe(md5(String(text)));
    }
  });

  test('carry values with all of their digits, and groups as true or false', async () => {
    await redshift.api.exec(`CREATE TABLE people (id int, big bigint, exact decimal(38, 10), ratio float8, yes boolean,
        word varchar(100), day date, at timestamp, atz timestamptz, tags super);
      INSERT INTO people VALUES (1, 9223372036854775807, 1234567890123456789012345678.0123456789, 0.1, true, '', '2026-01-31',
        '2026-01-31 10:11:12.123456', '2026-01-31 10:11:12+02', '{"b":[1.50,"x y"]}'),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`);
    const properties = ['big', 'exact', 'ratio', 'yes', 'word', 'day', 'at', 'atz', 'tags'];
    const groups = { some: { property: 'big', op: 'exists' }, none: { property: 'yes', op: 'is_false' } };
    const rows = await shard(modelOf({ groups }), { properties, groups: ['none', 'some'] });
    const byKey = new Map(rows.map(([, key, ...values]) => [key, values]));
    expect(byKey.get('1')).toEqual([
      '9223372036854775807',
      '1234567890123456789012345678.0123456789',
      0.1,
      true,
      '',
      '2026-01-31',
      '2026-01-31 10:11:12.123456',
      '2026-01-31 08:11:12+00',
      '{"b":[1.50,"x y"]}',
      false,
      true,
    ]);
    expect(byKey.get('2')).toEqual([...properties.map(() => null), false, false]);
  });

  test('hold only the members of an audience', async () => {
    await redshift.api.exec(
      'CREATE TABLE people (id int, n int); INSERT INTO people VALUES (1, 1), (2, 2), (3, NULL), (3, 5)',
    );
    const model = modelOf({
      groups: { big: { any: [{ group: 'huge' }, { property: 'n', op: 'eq', value: 2 }] }, huge: { sql: 'n > 4' } },
    });
    const keys = [];
    for (const range of hashRanges(4))
      keys.push(...(await shard(model, { audience: 'big', groups: ['huge'], range })).map((row) => row.slice(1)));
    expect(keys.sort()).toEqual([
      ['2', false],
      ['3', true],
    ]);
  });

  test('find a property by its own spelling or in any case, whatever signs its name has', async () => {
    await redshift.api.exec(`CREATE TABLE people (id int, "first name" varchar(20), "tier.level" int, "select" int, "größe" int);
      INSERT INTO people VALUES (1, 'Ann', 2, 3, 4)`);
    const properties = ['First Name', 'tier.level', 'SELECT', 'größe'];
    expect(await shard(modelOf(), { properties })).toEqual([[md5('1'), '1', 'Ann', '2', '3', '4']]);
  });
});

describe('SQL of the parameter file', () => {
  beforeEach(() =>
    redshift.api.exec(
      "CREATE TABLE people (id int, n int, word varchar(20)); INSERT INTO people VALUES (1, 1, 'a;b'), (2, 2, '--'), (3, 3, '/*')",
    ),
  );

  test.each([
    ['SELECT * FROM people'],
    ['SELECT * FROM people;'],
    ['SELECT * FROM people ;\n\n'],
    ['  SELECT * FROM people -- all of them'],
    ['SELECT * FROM people -- all; of them'],
    ['SELECT * FROM people; -- all of them'],
    ['SELECT * FROM people /* all; */ ; /* of /* them */ */'],
    ["SELECT * FROM people WHERE word <> ';' -- )"],
    ['WITH p AS (SELECT * FROM people) SELECT * FROM p ORDER BY id LIMIT 10'],
    ['SELECT id, n, word FROM people UNION ALL SELECT 4, 4, NULL WHERE FALSE'],
    ['(SELECT * FROM people)'],
  ])('may be the query %j', async (query) => {
    const rows = await shard(modelOf({ query }), { properties: ['n', 'word'] });
    expect(rows.map(([, key]) => key).sort()).toEqual(['1', '2', '3']);
  });

  test('may end in a comment or a semicolon also where no schema has taken it away', async () => {
    for (const end of ['-- all', ';', ' ;\n ', '/* all */']) {
      const model = { ...modelOf(), table: undefined, query: `SELECT * FROM people ${end}`, where: 'n > 1 -- some' };
      expect((await shard(model)).map(([, key]) => key).sort()).toEqual(['2', '3']);
    }
  });

  test.each([
    ['n >= 2'],
    ['n >= 2 -- not the first'],
    ['n >= 2 -- ) OR (TRUE'],
    ['n = 5 OR n >= 2'],
    ["word <> 'a;b' /* a;b */"],
    ["word IN ('--', '/*')"],
  ])('may be the predicate %j, as where, as a group and as an audience', async (sql) => {
    const filtered = await shard(modelOf({ where: sql }));
    expect(filtered.map(([, key]) => key).sort()).toEqual(['2', '3']);
    const model = modelOf({
      groups: { some: { sql }, both: { all: [{ group: 'some' }, { property: 'n', op: 'gte', value: 0 }] } },
    });
    const grouped = await shard(model, { groups: ['some', 'both'] });
    expect(grouped.map(([, ...row]) => row).sort()).toEqual([
      ['1', false, false],
      ['2', true, true],
      ['3', true, true],
    ]);
    const audience = await shard(model, { audience: 'both', range: { from: 0, to: 256 } });
    expect(audience.map(([, key]) => key).sort()).toEqual(['2', '3']);
  });

  test.each([
    modelOf(),
    modelOf({ table: 'public.people', where: 'n > 1 -- some' }),
    modelOf({ query: 'SELECT * FROM people; -- all' }),
  ])('is described by its columns, and yields no row for it: %j', async (model) => {
    const sql = describeSql(model);
    expect(checkRedshift(sql)).toEqual([]);
    expect(await redshift.rows(sql)).toEqual([]);
    const column = await redshift.columnsOf(model);
    expect(['id', 'N', 'word'].map(column)).toEqual([
      { name: 'id', type: 'integer' },
      { name: 'n', type: 'integer' },
      { name: 'word', type: 'text' },
    ]);
  });
});
