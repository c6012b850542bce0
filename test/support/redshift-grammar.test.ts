import { toPostgres } from '../../local/redshift/dialect.ts';
import { checkRedshift } from './redshift-grammar.ts';

test.each([
  'SELECT md5(CAST(id AS varchar(100))) AS h, name FROM public.customer c WHERE ltv >= 40 ORDER BY h LIMIT 10;',
  `WITH m (id, ltv) AS (SELECT c.id, sum(i.total) FROM customer AS c LEFT JOIN invoice i USING (id) GROUP BY 1)
   SELECT "id", COALESCE(ltv > 40, FALSE) AS g, CASE WHEN ltv IS NULL THEN 'none' ELSE 'some' END FROM m q (id, ltv)
   WHERE md5("id") >= '00' AND md5("id") < '40' AND id IN (SELECT id FROM other) AND NOT EXISTS (SELECT 1 FROM x)`,
  "SELECT dateadd(day, -90, GETDATE()), SYSDATE, CURRENT_DATE, datediff(month, a, b), date_trunc('month', a) FROM t",
  "SELECT listagg(DISTINCT a, ',') WITHIN GROUP (ORDER BY a) OVER (PARTITION BY b) FROM t",
  'SELECT to_char(at AT TIME ZONE \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') FROM t',
  'SELECT TOP 10 a FROM t MINUS SELECT b FROM u',
  'SELECT a FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC) = 1',
  'SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t',
  "SELECT json_serialize(s), json_extract_path_text(j, 'a', TRUE), a::super, left(b, 2) FROM t",
  "SELECT extract(epoch FROM a), trim(both ' ' FROM b), cast(c AS timestamp without time zone) FROM t",
  'SELECT x::double precision, y::decimal(18, 2), z::character varying(10), (a || b)::varchar FROM t',
  "SELECT a FROM t WHERE b LIKE 'it\\'s \\\\_%' AND c ~ 'x' AND (d IS TRUE OR e IS NOT FALSE) AND f IS NULL",
  'SELECT CAST(a AS TIMESTAMPTZ), b::nvarchar(10), c::timetz, d ^ 2, APPROXIMATE COUNT(DISTINCT e) FROM t',
  'SELECT now(), CURRENT_TIMESTAMP, current_schema()',
  'SELECT current_schema(), relname FROM pg_class',
  'SELECT a.now, "current_timestamp", b AS age FROM t a',
])('nothing stands against %s', (sql) => {
  expect(checkRedshift(sql)).toEqual([]);
});

test.each([
  ["SELECT jsonb_build_object('a', 1)", 'function jsonb_build_object is not documented by Redshift'],
  ["SELECT string_agg(a, ',') FROM t", 'function string_agg is not documented by Redshift'],
  ['SELECT array_agg(a) FROM t', 'function array_agg is not documented by Redshift'],
  ['SELECT a FROM generate_series(1, 3) a', 'function generate_series is not documented by Redshift'],
  ["SELECT encode(a, 'hex') FROM t", 'function encode is not documented by Redshift'],
  ['SELECT (SELECT max(format(a)) FROM t)', 'function format is not documented by Redshift'],
  ['SELECT mart.score(a) FROM t', "function score has a schema: it is none of Redshift's own"],
  ['SELECT count(*) FILTER (WHERE a > 1) FROM t', 'FILTER does not exist in Redshift'],
  ['SELECT * FROM t, LATERAL (SELECT t.a) x', 'LATERAL does not exist in Redshift'],
  ['SELECT DISTINCT ON (a) a, b FROM t', 'DISTINCT ON does not exist in Redshift'],
  ['SELECT ARRAY[1, 2]', 'array constructors do not exist in Redshift: use ARRAY(…)'],
  ['SELECT a FROM t WHERE a IS NOT DISTINCT FROM b', 'IS DISTINCT FROM does not exist in Redshift'],
  ['SELECT * FROM (VALUES (1, 2)) v (a, b)', 'VALUES is no query in Redshift'],
  ['SELECT a FROM t FETCH FIRST 5 ROWS ONLY', 'FETCH FIRST does not exist in Redshift: use LIMIT'],
  ['SELECT ROW(1, 2)', 'row constructors do not exist in Redshift'],
  [
    'SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t',
    'window frames are of ROWS only in Redshift',
  ],
  ["SELECT a ->> 'b' FROM t", 'operator ->> does not exist in Redshift'],
  ["SELECT a FROM t WHERE b ~* 'x'", 'operator ~* does not exist in Redshift'],
  ["SELECT a FROM t WHERE b !~ ('x' || c)", 'the pattern of a regular expression must be a literal'],
  ['SELECT $$a$$', 'literals like $$a$$ are not documented by Redshift'],
  ['SELECT a::jsonb FROM t', 'type jsonb does not exist in Redshift'],
  ['SELECT CAST(a AS uuid) FROM t', 'type uuid does not exist in Redshift'],
  ['SELECT convert(bytea, a) FROM t', 'type bytea does not exist in Redshift'],
  ["SELECT '{1}'::int[]", 'array types do not exist in Redshift'],
  ['SELECT TRUE::varchar', 'a BOOLEAN cannot be cast to varchar'],
  ['SELECT CAST(FALSE AS VARCHAR(5))', 'a BOOLEAN cannot be cast to varchar'],
  ['SELECT (a > 1)::text FROM t', 'a BOOLEAN cannot be cast to text'],
  ['SELECT CAST(a IS NULL AS char(5)) FROM t', 'a BOOLEAN cannot be cast to char'],
  ['SELECT (a > 1) IS TRUE AS b FROM t', 'IS true cannot stand in a select list'],
  ['SELECT COALESCE(a IS NOT FALSE, b) FROM t', 'IS false cannot stand in a select list'],
  ['SELECT CURRENT_TIMESTAMP, a FROM t', 'current_timestamp runs on the leader node only: it fails on tables'],
  ['SELECT a FROM t WHERE b > now()', 'now runs on the leader node only: it fails on tables'],
  ['WITH m AS (SELECT age(a, b) AS c FROM t) SELECT c FROM m', 'age runs on the leader node only: it fails on tables'],
  ['SELECT substr(a, 1, 2) FROM t', 'substr runs on the leader node only: it fails on tables'],
  ["SELECT listagg('a')", 'listagg runs on the compute nodes only: it fails without a table'],
  ['SELECT 1; SELECT 2', 'there is more than one statement'],
  [`SELECT a AS "${'x'.repeat(128)}" FROM t`, 'the name "xxxxxxxxxxxxxxxxxxx… has more than 127 bytes'],
  [`SELECT '${'x'.repeat(100_000)}'`, 'the statement has 100009 bytes: the Data API takes 100 KB'],
])('%s has a problem', (sql, problem) => {
  expect(checkRedshift(sql)).toContain(problem);
});

test.each(['SELECT FROM WHERE', 'SELECT (a FROM t', 'SELECT a FROM t GROUP ORDER BY 1'])(
  '%s is no statement for the parser',
  (sql) => {
    expect(checkRedshift(sql)).toEqual([expect.stringContaining('node-sql-parser does not read it')]);
  },
);

test('a problem that occurs twice is told once', () => {
  const problems = checkRedshift('SELECT jsonb_typeof(a), jsonb_typeof(b) FROM t');
  expect(problems).toEqual(['function jsonb_typeof is not documented by Redshift']);
});

test('what is said in literals, quoted names and comments is no problem', () => {
  const sql = `SELECT 'now() LATERAL a::jsonb', "FILTER (" /* DISTINCT ON (a) */ FROM t -- string_agg(a)`;
  expect(checkRedshift(sql)).toEqual([]);
});

test('Redshift’s own SQL has no problem before it is rewritten for PostgreSQL, and has after', () => {
  const sql = "SELECT NVL2(a, 'x', 'y'), listagg(b, ',') WITHIN GROUP (ORDER BY b) FROM t GROUP BY 1";
  expect(checkRedshift(sql)).toEqual([]);
  expect(checkRedshift(toPostgres(sql, { backslash: 'escapes' }))).toContain(
    'function string_agg is not documented by Redshift',
  );
});
