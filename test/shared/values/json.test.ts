import fc from 'fast-check';
import { Invalid } from '../../../shared/values/converted.ts';
import {
  canonicalText,
  exactNumber,
  isDecimal,
  isObject,
  type JsonValue,
  MAX_DEPTH,
  readJson,
} from '../../../shared/values/json.ts';
import { checkedNested } from '../../../shared/values/nested.ts';

/** A decimal as an integer times a power of ten, by BigInt alone. */
type Decimal = { readonly digits: bigint; readonly exponent: number };

const decimalOf = (text: string): Decimal => {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(`${whole}${fraction}`), exponent: Number(exponent) - fraction.length };
};

const areEqual = (a: Decimal, b: Decimal): boolean => {
  const lowest = Math.min(a.exponent, b.exponent);
  const scaled = ({ digits, exponent }: Decimal) => digits * 10n ** BigInt(exponent - lowest);
  return scaled(a) === scaled(b);
};

const digits = (min: number, max: number) => fc.stringMatching(new RegExp(`^[0-9]{${min},${max}}$`));
const decimalText = fc
  .tuple(
    fc.constantFrom('', '-'),
    digits(1, 22),
    fc.option(digits(1, 22)),
    fc.option(fc.integer({ min: -60, max: 60 })),
  )
  .map(([sign, whole, fraction, exponent]) =>
    [sign, whole, fraction === null ? '' : `.${fraction}`, exponent === null ? '' : `e${exponent}`].join(''),
  );

describe('a decimal text', () => {
  test('becomes a number only when the number, written out, is the very same decimal', () => {
    fc.assert(
      fc.property(decimalText, (text) => {
        const number = Number(text);
        const isExact =
          areEqual(decimalOf(text), decimalOf(String(number))) &&
          (!Number.isInteger(number) || BigInt(Math.abs(number)) <= 2n ** 53n - 1n);
        expect(exactNumber(text)).toBe(isExact ? number + 0 : undefined);
        expect(isDecimal(text)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('that a finite double prints comes back as this double, unless it is an integer beyond 2^53', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const isUnsafe = Number.isInteger(number) && !Number.isSafeInteger(number);
        expect(exactNumber(String(number))).toBe(isUnsafe ? undefined : number + 0);
      }),
    );
  });

  test.each([
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740992', undefined],
    ['9007199254740993', undefined],
    ['0.1', 0.1],
    ['0.1000000000000000055511151231257827', undefined],
    ['1.10', 1.1],
    ['00012', 12],
    ['+7', 7],
    ['.5', 0.5],
    ['5.', 5],
    ['-0', 0],
    ['-0.000', 0],
    ['1e5', 100000],
    ['1E-7', 1e-7],
    ['1e400', undefined],
    ['1e-400', undefined],
    ['123456789.123456789', undefined],
    ['9999999999999.99', 9999999999999.99],
    ['99999999999999.99', undefined],
  ])('%s becomes %s', (text, number) => {
    expect(exactNumber(text)).toBe(number);
  });

  test.each(['', '.', '-', '+', 'e5', '1e', '1,5', '1_000', '0x10', 'NaN', 'Infinity', '-Infinity', ' 1', '1 ', '1\n'])(
    'is none: %j',
    (text) => {
      expect(isDecimal(text)).toBe(false);
      expect(exactNumber(text)).toBeUndefined();
    },
  );
});

/** Names that JavaScript treats in its own way, and texts that look like numbers or end quotes. */
const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'a"b', '\\', '12345678901234567890123'));
const scalar = fc.oneof(
  key,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
  fc.boolean(),
  fc.constant(null),
);
const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((members) => Object.fromEntries(members)),
  ),
})).value;

/** Reverses the keys of every object; -0 and 0 are one number in JSON. */
const turned = (value: JsonValue): JsonValue => {
  if (value === null || typeof value !== 'object') return value;
  if (!isObject(value)) return value.map(turned);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, turned(member)]),
  );
};

/** Structural equality, written without looking at any text. */
const isSame = (a: JsonValue, b: JsonValue): boolean => {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (isObject(a) !== isObject(b)) return false;
  const entries = Object.entries(a);
  return (
    entries.length === Object.keys(b).length &&
    entries.every(([name, member]) => {
      const other = Object.entries(b).find(([otherName]) => otherName === name);
      return other !== undefined && isSame(member, other[1]);
    })
  );
};

describe('the canonical text', () => {
  test('is JSON of the same value, whatever the order of the keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalText(value);
        expect(isSame(JSON.parse(text), JSON.parse(JSON.stringify(value)))).toBe(true);
        expect(canonicalText(turned(value))).toBe(text);
      }),
    );
  });

  test('differs for values that differ', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(canonicalText(a) === canonicalText(b)).toBe(isSame(a, b));
      }),
    );
  });

  test.each<[JsonValue, string]>([
    [-0, '0'],
    [1e21, '1e+21'],
    ['\ud800', '"\\ud800"'],
    [{ b: [1, { d: null, c: '' }], a: true }, '{"a":true,"b":[1,{"c":"","d":null}]}'],
    [JSON.parse('{"__proto__":1,"a":2}'), '{"__proto__":1,"a":2}'],
  ])('of %j is %s', (value, text) => {
    expect(canonicalText(value)).toBe(text);
  });
});

describe('reading JSON', () => {
  test('gives back what was written, with white space and any digits inside texts and keys', () => {
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(readJson(text)).toEqual({ value: JSON.parse(text) });
      }),
    );
  });

  test.each(['', ' ', '{', "{'a':1}", '{"a":1,}', '[1 2]', 'undefined', 'NaN', '[01]', '"\u0001"', 'True', '/**/1'])(
    'refuses %j, which is no JSON',
    (text) => {
      expect(readJson(text)).toEqual({ problem: 'is no valid JSON' });
    },
  );

  test.each([
    '9007199254740993',
    '[1, -9007199254740993]',
    '{"a": {"b": 0.12345678901234567891}}',
    '1e999',
    '[1e-999]',
  ])('refuses %s, whose digits would be lost', (text) => {
    expect(readJson(text)).toEqual({ problem: expect.stringContaining('more digits than JSON keeps') });
  });

  test('takes nesting up to its limit, and refuses any deeper one without a stack overflow', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(readJson(nested(MAX_DEPTH))).toHaveProperty('value');
    for (const levels of [MAX_DEPTH + 1, 5000]) {
      expect(readJson(nested(levels))).toEqual({ problem: expect.stringContaining('levels deep') });
    }
  });

  test('reads a text of a million escaped characters', () => {
    const text = '\\"'.repeat(500_000);
    expect(readJson(JSON.stringify([text, 1]))).toEqual({ value: [text, 1] });
  });
});

const refusal = (value: JsonValue): string | undefined => {
  const checked = checkedNested(value);
  return checked instanceof Invalid ? checked.reason : undefined;
};
const strings = (count: number, prefix = 'v') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** An object whose JSON has so many bytes. */
const ofBytes = (bytes: number): JsonValue => {
  const texts = Array.from({ length: 391 }, () => 'x'.repeat(252));
  const rest = bytes - Buffer.byteLength(JSON.stringify({ a: [...texts, ''] }));
  return { a: [...texts, 'y'.repeat(rest - 3 - Math.floor(rest / 2)), 'z'.repeat(Math.floor(rest / 2))] };
};

describe('an array or object', () => {
  test.each<[string, JsonValue]>([
    ['nothing in it', []],
    ['no keys', {}],
    ['500 elements', strings(500)],
    ['501 objects', strings(501).map((name) => ({ name }))],
    ['texts of 255 characters', ['😀'.repeat(255)]],
    ['a key of 255 characters', { ['k'.repeat(255)]: 1 }],
    ['a key of 255 characters outside the BMP', { ['😀'.repeat(255)]: 1 }],
    ['a $time', { at: { $time: '2026-01-31T10:00:00Z' } }],
    ['a $time in an array of objects', [{ at: { $time: '2026-01-31' } }]],
    ['an array within', { tags: ['a', 'b'] }],
    ['an operator among other keys', { add: 1, name: 'x' }],
    ['an operator further in', { change: { inc: 1 } }],
    ['a prototype key', JSON.parse('{"__proto__":{"a":1}}')],
    ['100 KB exactly', ofBytes(100_000)],
  ])('with %s is kept as it is', (_, value) => {
    expect(checkedNested(value)).toBe(value);
  });

  test.each<[string, JsonValue]>([
    ['mixes objects', [1, { a: 1 }]],
    ['an array within an array', [[1]]],
    ['more than 500 elements', strings(501)],
    ['null inside', [null]],
    ['null inside', { a: { b: null } }],
    ['longer than 255 characters', { a: 'x'.repeat(256) }],
    ['longer than 255 characters', ['😀'.repeat(256)]],
    ['lone surrogate', { a: ['\ud800'] }],
    ['lone surrogate', { '\udc00': 1 }],
    ['NUL character', { a: '\0' }],
    ['NUL character', { '\0': 1 }],
    ['a key with a dot', { 'a.b': 1 }],
    ['a key with a dot', { a: { $time: '2026-01-31', b: 1 } }],
    ['a key with a dot', { a: [{ 'b c': 1 }] }],
    ['a key with a dot', { $add: [{ a: 1 }] }],
    ['a key that is empty', { '': 1 }],
    ['a key that is longer than 255 characters', { a: { ['k'.repeat(256)]: 1 } }],
    ['a key that is longer than 255 characters', { ['😀'.repeat(256)]: 1 }],
    ['$time that is no date', { at: { $time: 'yesterday' } }],
    ['$time that is no text', { at: { $time: 1769853600 } }],
    ["command 'add'", { add: ['x'] }],
    ["command 'remove'", { remove: ['x'] }],
    ["command 'inc'", { inc: 1 }],
    ["command 'add'", { add: ['x'], remove: ['y'] }],
    ['larger than 100 KB (100001 bytes)', ofBytes(100_001)],
    ['larger than 100 KB', strings(300, 'é'.repeat(200))],
  ])('is refused as one that %s', (reason, value) => {
    expect(refusal(value)).toContain(reason);
  });
});
