import { array, assert, constantFrom, property, string } from 'fast-check';
import {
  type Backslash,
  isGroup,
  nest,
  render,
  splitByComma,
  splitScript,
  tokenize,
} from '../../../local/redshift/sql.ts';

const texts = (sql: string, backslash: Backslash = 'literal') =>
  tokenize(sql, backslash).tokens.map(({ kind, text }) => `${kind} ${text}`);

const pieces = array(
  constantFrom(
    "'",
    "''",
    '"',
    '\\',
    '--',
    '\n',
    '/*',
    '*/',
    '$$',
    '$a$',
    '(',
    ')',
    '[',
    ']',
    ':x',
    '::',
    ',',
    ' ',
    'E',
  ),
);

test('the tokens of any text join to the very text, nested or not', () => {
  const isKept = (sql: string, backslash: Backslash) => {
    const { tokens, tail } = tokenize(sql, backslash);
    expect(tokens.map(({ lead, text }) => lead + text).join('') + tail).toBe(sql);
    expect(tokens.every(({ text, offset }) => sql.startsWith(text, offset))).toBe(true);
    const joined = render(nest(tokens)) + tail;
    expect(joined.length).toBe(sql.length);
  };
  assert(property(string(), (sql) => isKept(sql, 'literal')));
  assert(property(pieces, (parts) => isKept(parts.join(''), 'escapes')));
  assert(property(pieces, (parts) => isKept(parts.join(''), 'literal')));
});

test.each<[string, string[], Backslash?]>([
  ['a.b1 + 1.5e-3', ['word a', 'sign .', 'word b1', 'sign +', 'number 1.5e-3']],
  ["'it''s' x", ["string 'it''s'", 'word x']],
  ["'a\\' b", ["string 'a\\'", 'word b'], 'literal'],
  ["'it\\'s' b", ["string 'it\\'s'", 'word b'], 'escapes'],
  ["E'it\\'s' b", ["string E'it\\'s'", 'word b'], 'literal'],
  ['"a ""b""" c', ['name "a ""b"""', 'word c']],
  ["$$ it's $$ $t$ $$ $t$", ["string $$ it's $$", 'string $t$ $$ $t$']],
  ['x -- :a "b\n, y /* :c /* nested */ \' */ z', ['word x', 'sign ,', 'word y', 'word z']],
  [
    ':id, a::int, b:=1',
    ['parameter :id', 'sign ,', 'word a', 'sign ::', 'word int', 'sign ,', 'word b', 'sign :=', 'number 1'],
  ],
  ['größe$1 <> naïve', ['word größe$1', 'sign <>', 'word naïve']],
  ["'open", ["string 'open"]],
])('%s is read as its tokens', (sql, expected, backslash = 'literal') => {
  expect(texts(sql, backslash)).toEqual(expected);
});

test('brackets nest, and arguments are split at their own commas only', () => {
  const [name, group] = nest(tokenize("f(a, g(b, c), ARRAY[1, 2], ',')", 'literal').tokens);
  expect(name && render([name])).toBe('f');
  expect(isGroup(group) ? splitByComma(group.nodes).map(render) : []).toEqual([
    'a',
    ' g(b, c)',
    ' ARRAY[1, 2]',
    " ','",
  ]);
});

test('a script is split into statements with their lines', () => {
  const script = "SELECT 1;\n\n-- a; comment\nINSERT INTO t\nVALUES ('a;b');;\n/* ; */ SELECT $$;$$";
  expect(splitScript(script, 'literal')).toEqual([
    { sql: 'SELECT 1', line: 1 },
    { sql: "INSERT INTO t\nVALUES ('a;b')", line: 4 },
    { sql: 'SELECT $$;$$', line: 6 },
  ]);
});
