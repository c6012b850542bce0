import fc from 'fast-check';
import {
  identifier,
  numberLiteral,
  patternLiteral,
  textLiteral,
  timeLiteral,
} from '../../../shared/warehouse/literal.ts';
import { checkRedshift } from '../../support/redshift-grammar.ts';
import { type LocalRedshift, startRedshift } from './redshift.ts';

let redshift: LocalRedshift;
beforeAll(async () => {
  redshift = await startRedshift();
});
afterAll(() => redshift.close());

/** Any text that a warehouse can hold, with many of the signs that end, escape or comment. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc
      .array(
        fc.constantFrom(
          "'",
          '"',
          '\\',
          '\\\\',
          "\\'",
          '%',
          '_',
          ';',
          '--',
          '/*',
          '*/',
          '\n',
          '$$',
          ':a',
          'é',
          '😀',
          'x',
        ),
      )
      .map((parts) => parts.join('')),
  )
  .filter((text) => text.isWellFormed() && !text.includes('\0'));
const texts = fc.array(text, { minLength: 40, maxLength: 40 });

const select = (expressions: readonly string[]): string =>
  `SELECT ${expressions.map((expression, index) => `${expression} AS c${index}`).join(', ')}`;

describe('a text literal', () => {
  test('is the text itself where a backslash escapes, as in Redshift', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (texts) => {
        expect(await redshift.rows(select(texts.map(textLiteral)))).toEqual([texts]);
      }),
      { numRuns: 8 },
    );
  });

  test('is the text itself where a backslash is itself, as in PostgreSQL', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (texts) => {
        const [row] = await redshift.api.query<Record<string, unknown>>(select(texts.map(textLiteral)));
        expect(Object.values(row ?? {})).toEqual(texts);
      }),
      { numRuns: 8 },
    );
  });

  test('is SQL that Redshift documents, in any place of a predicate', () => {
    fc.assert(
      fc.property(text, (text) => {
        const literal = textLiteral(text);
        expect(checkRedshift(`SELECT a FROM t WHERE a = ${literal} OR LEFT(a, 1) IN (${literal}, ${literal})`)).toEqual(
          [],
        );
      }),
      { numRuns: 30 },
    );
  });
});

test.each(Object.entries({ textLiteral, patternLiteral, identifier }))('%s refuses a NUL', (_, write) => {
  expect(() => write('a\0b')).toThrow('NUL');
});

test('a pattern literal is the pattern itself where a backslash escapes', async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (texts) => {
      expect(await redshift.rows(select(texts.map(patternLiteral)))).toEqual([texts]);
    }),
    { numRuns: 8 },
  );
});

test('a number literal is the very same double, whatever its size', async () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => n === 0 || Math.abs(n) > 1e-300);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(double, fc.integer()), { minLength: 40 }), async (numbers) => {
      const casts = numbers.map((number) => `CAST(${numberLiteral(number)} AS FLOAT8)`);
      const [row] = await redshift.rows(select(casts));
      expect(row).toEqual(numbers.map((number) => number + 0));
    }),
    { numRuns: 10 },
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%s is no number literal', (number) => {
  expect(() => numberLiteral(number)).toThrow('finite');
});

test.each([numberLiteral(1e21), numberLiteral(-2.5), timeLiteral(0, false), timeLiteral(0, true)])(
  '%s is SQL that Redshift documents',
  (literal) => {
    expect(checkRedshift(`SELECT a, ${literal} FROM t WHERE a > ${literal}`)).toEqual([]);
  },
);

test.each([
  [1, '1'],
  [-2.5, '-2.5'],
  [9007199254740991, '9007199254740991'],
  [1e21, "CAST('1e+21' AS FLOAT8)"],
  [1e-7, "CAST('1e-7' AS FLOAT8)"],
])('the number %p is written %s', (number, literal) => {
  expect(numberLiteral(number)).toBe(literal);
});

describe('an identifier', () => {
  /** PostgreSQL cuts a name after 63 bytes. Case of ASCII letters is folded, as in Redshift. */
  const name = text.filter((name) => name !== '' && Buffer.byteLength(name) <= 63);
  const folded = (name: string) => name.replace(/[A-Z]+/g, (upper) => upper.toLowerCase());

  test('names a column, whatever signs are in the name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 15, maxLength: 15, selector: folded }), async (names) => {
        const inner = names.map((name, index) => `${index} AS ${identifier(name)}`).join(', ');
        const outer = names.map(identifier).join(', ');
        expect(await redshift.rows(`SELECT ${outer} FROM (SELECT ${inner}) AS t`)).toEqual([
          names.map((_, index) => index),
        ]);
      }),
      { numRuns: 8 },
    );
  });

  test('is not empty', () => {
    expect(() => identifier('')).toThrow('empty');
  });
});

test('a time literal is the moment in UTC, to the second', async () => {
  const time = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  await fc.assert(
    fc.asyncProperty(fc.array(time, { minLength: 20 }), async (times) => {
      const literals = times.flatMap((time) => [timeLiteral(time.getTime(), false), timeLiteral(time.getTime(), true)]);
      const seconds = times.map((time) => time.toISOString().slice(0, 19).replace('T', ' '));
      expect(await redshift.rows(select(literals))).toEqual([seconds.flatMap((text) => [text, `${text}+00`])]);
    }),
    { numRuns: 5 },
  );
});
