import { outputColumns } from '../../../shared/parameters/columns.ts';

describe('the output columns of a query', () => {
  test.each([
    ['SELECT a, t.b, c AS d, e f FROM t', ['a', 'b', 'd', 'f']],
    ['SELECT sum(a) AS total FROM t;', ['total']],
    ['SELECT "Quoted", a AS "Also Quoted" FROM t', ['Quoted', 'Also Quoted']],
    ['WITH x AS (SELECT * FROM t) SELECT a, b FROM x', ['a', 'b']],
    ['SELECT a FROM t UNION ALL SELECT b FROM u', ['a']],
    ['SELECT a::varchar(10) AS b FROM t', ['b']],
    ['SELECT DISTINCT a, b FROM t -- end', ['a', 'b']],
  ])('%p are %p', (query, columns) => {
    expect(outputColumns(query)).toEqual(columns);
  });

  test.each([
    ['everything of a table', 'SELECT * FROM t'],
    ['everything of one of the tables', 'SELECT t.*, 1 AS a FROM t'],
    ['an expression without a name', 'SELECT a, count(*) FROM t'],
    ['SQL that the parser does not know', 'SELECT TOP 10 a FROM t'],
    ['no SQL', 'hello'],
    ['nothing', ''],
    ['two statements', 'SELECT a FROM t; SELECT b FROM t'],
    ['a statement of another kind', 'DELETE FROM t'],
    ['many parentheses', `SELECT ${'('.repeat(100)}1${')'.repeat(100)} AS a`],
    ['many signs', `SELECT ${'- '.repeat(5000)}1 AS a`],
    ['many words that nest', `SELECT ${'NOT '.repeat(5000)}true AS a`],
    ['very much SQL', `SELECT a AS ${'b'.repeat(20_000)}`],
  ])('are not told for %s', (_, query) => {
    expect(outputColumns(query)).toBeUndefined();
  });
});
