import fc from 'fast-check';
import {
  nestingOf,
  predicateProblem,
  queryProblem,
  stripTrailingComments,
  stripTrailingSemicolon,
} from '../../../shared/parameters/sql-text.ts';

describe('a query that is complete in itself', () => {
  test.each([
    ['SELECT 1'],
    ['select 1;'],
    ['  \n SELECT 1 ;  -- done\n'],
    ['-- first\n/* second */ SELECT 1'],
    ['WITH a AS (SELECT 1) SELECT * FROM a'],
    ["SELECT 'it''s; (fine' AS a"],
    ["SELECT '' AS a"],
    ["SELECT '''' AS a"],
    [`SELECT "a;b""(" FROM t`],
    ['SELECT 1 -- ; \' ( " /*\n, 2'],
    ['SELECT 1 /* ; ( \' /* nested */ " */ + 2'],
    ["SELECT '-- no comment' AS a"],
    ["SELECT '/* no comment' AS a"],
    ["SELECT E'\\\\' AS a"],
    ['SELECT a - -1, b/c, d -- x'],
    ['SELECT(1)'],
  ])('%p passes', (query) => {
    expect(queryProblem(query)).toBeUndefined();
  });
});

describe('a query with something left open or too much', () => {
  test.each([
    ['', 'no SQL'],
    [';', 'no SQL'],
    ['  -- only this', 'no SQL'],
    ['SELECT 1; SELECT 2', 'a semicolon in line 1'],
    ['SELECT 1;\n;', 'a semicolon in line 1'],
    ["SELECT 'a", 'a literal in line 1'],
    ["SELECT 'a''", 'a literal in line 1'],
    ['SELECT "a', 'a quoted name in line 1'],
    ['SELECT 1\n/* a /* b */', 'a comment in line 2'],
    ['SELECT (1', 'a ( in line 1'],
    ['SELECT (1\n+ (2)', 'a ( in line 1'],
    ['SELECT 1)', 'a ) too many'],
    ['SELECT ) 1 (', 'a ) too many'],
    ["SELECT ')' (", 'a ( in line 1'],
    ["SELECT 'a\\'", 'a backslash before a quote'],
    ["SELECT 'a\\\\\\'", 'a backslash before a quote'],
    ['SELECT \0 1', 'a NUL'],
    ['UPDATE t SET a = 1', 'UPDATE at the beginning'],
    ['CREATE TABLE t AS SELECT 1', 'CREATE at the beginning'],
    ['selected 1', 'SELECTED at the beginning'],
    ['(SELECT 1)', 'a sign at the beginning'],
    ['"select" 1', 'a sign at the beginning'],
  ])('%p is refused', (query, words) => {
    expect(queryProblem(query)?.found).toContain(words);
  });
});

describe('a predicate', () => {
  test.each(['ltv > 100', "name = 'a;b'", '(a) OR (b)', 'a -- why', 'EXISTS (SELECT 1)', 'selected', '"where"'])(
    '%p passes',
    (text) => {
      expect(predicateProblem(text)).toBeUndefined();
    },
  );

  test.each([
    ['', 'no SQL'],
    ['a;', 'a semicolon'],
    ['a) OR (b', 'a ) too many'],
    ['WHERE a', 'the word WHERE'],
    ['SELECT a', 'the word SELECT'],
    ["a = 'b", 'a literal'],
  ])('%p is refused', (text, words) => {
    expect(predicateProblem(text)?.found).toContain(words);
  });
});

describe('the end of a statement', () => {
  test.each([
    ['SELECT 1', 'SELECT 1'],
    ['SELECT 1;', 'SELECT 1'],
    ['SELECT 1 ; ', 'SELECT 1'],
    ['SELECT 1 -- a\n; -- b', 'SELECT 1'],
    ['SELECT 1 /* a */', 'SELECT 1'],
    ["SELECT ';'", "SELECT ';'"],
    ['SELECT 1 -- a\n + 2', 'SELECT 1 -- a\n + 2'],
    [';', ''],
    ["SELECT 'open;", "SELECT 'open;"],
    ['SELECT (1;', 'SELECT (1;'],
  ])('of %p is cut to %p', (query, expected) => {
    expect(stripTrailingSemicolon(query)).toBe(expected);
  });

  test.each([
    ['a -- why', 'a'],
    ['a /* why */ ', 'a'],
    ["a = '-- no'", "a = '-- no'"],
    ['a = (1', 'a = (1'],
  ])('of the predicate %p is cut to %p', (text, expected) => {
    expect(stripTrailingComments(text)).toBe(expected);
  });
});

test('nesting counts parentheses outside of literals and comments', () => {
  expect(nestingOf("SELECT ((a)), (b), '(((' /* ((( */ -- (((")).toBe(2);
  expect(nestingOf('SELECT 1')).toBe(0);
});

describe('whatever stands in literals, names and comments', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', "'", '"', ';', '(', ')', '-', '/', '*', '\n', ' ', 'é', '\u{1f600}'),
  });
  const literal = text.map((inside) => `'${inside.replaceAll("'", "''")}'`);
  const name = text.map((inside) => `"${inside.replaceAll('"', '""')}"`);
  const lineComment = text.map((inside) => `--${inside.replaceAll('\n', ' ')}\n`);
  const blockComment = text.map((inside) => `/* ${inside.replaceAll('*', ' ').replaceAll('/', ' ')} */`);
  const quoted = fc.oneof(literal, name, lineComment, blockComment);
  const piece = fc.oneof(
    quoted,
    fc.constantFrom('a', '1', '+', ' ', '\n', ','),
    quoted.map((inside) => `(${inside})`),
  );
  const pieces = fc.array(piece).map((all) => all.join(' '));

  test('is no objection to a query', () => {
    fc.assert(fc.property(pieces, (inside) => expect(queryProblem(`SELECT ${inside} 1`)).toBeUndefined()));
  });

  test('hides no semicolon beside it', () => {
    fc.assert(
      fc.property(pieces, pieces, (before, after) => {
        expect(queryProblem(`SELECT ${before} ; ${after} 1`)?.found).toContain('a semicolon');
      }),
    );
  });

  test('is kept when a statement is cut', () => {
    fc.assert(
      fc.property(pieces, (inside) => {
        expect(stripTrailingSemicolon(`SELECT ${inside} 1 ; -- end`)).toBe(`SELECT ${inside} 1`);
      }),
    );
  });

  test('leads to a query that can be put into parentheses', () => {
    fc.assert(
      fc.property(pieces, (inside) => {
        const query = stripTrailingSemicolon(`SELECT 1 ${inside}`);
        expect(queryProblem(`SELECT a FROM (${query}) AS b`)).toBeUndefined();
      }),
    );
  });

  test('a text of any kind gets an answer', () => {
    fc.assert(
      fc.property(text, (any) => {
        const problem = queryProblem(any) ?? predicateProblem(any);
        expect(problem === undefined || problem.found.length > 0).toBe(true);
        expect(stripTrailingSemicolon(stripTrailingSemicolon(any)).length).toBeLessThanOrEqual(any.length);
      }),
    );
  });
});
