import fc from 'fast-check';
import { STANDARD_ATTRIBUTES, type StandardKind } from '../../../shared/braze/attributes.ts';
import { ATTRIBUTE_TYPES, type AttributeType, type FieldMapping } from '../../../shared/parameters/schema.ts';
import { converterOf, typeProblem } from '../../../shared/values/convert.ts';
import { Invalid, type RawValue } from '../../../shared/values/converted.ts';
import { isArray, isObject, type JsonValue } from '../../../shared/values/json.ts';
import { checkedText } from '../../../shared/values/text.ts';
import type { ColumnType } from '../../../shared/warehouse/columns.ts';

const custom = (type?: AttributeType): FieldMapping => ({
  attribute: 'a',
  property: 'p',
  standard: false,
  ...(type ? { type } : {}),
});
const standard = (attribute: string): FieldMapping => ({ attribute, property: 'p', standard: true });
const convert = (column: ColumnType, type: AttributeType | undefined, raw: RawValue) =>
  converterOf(custom(type), column)(raw);

/** Values as the Data API gives them after the casts of the generated SQL: one and more of each column type. */
const SAMPLES: Readonly<Record<ColumnType, readonly [RawValue, ...RawValue[]]>> = {
  integer: ['1', '0', '-42', '9223372036854775807'],
  decimal: ['12.50', '7.00', '-0.01', '123456789012345678.12345678'],
  float: [1.5, 2, 0.1, -0, 1e300],
  boolean: [true, false],
  text: ['Ann', '', '12', '1.5', 'true', '2026-01-31', '[1,2]', '{"a":1}', 'x'.repeat(300)],
  date: ['2026-01-31', '0044-03-15 BC'],
  timestamp: ['2026-01-31 10:11:12', '2026-01-31 10:11:12.123456', '2026-01-31 00:00:00', '2026-01-31', 'infinity'],
  timestamptz: ['2026-01-31 10:11:12+00', '2026-01-31 10:11:12.5+02', '294276-12-31 00:00:00+00'],
  time: ['10:11:12', '10:11:12.123456'],
  super: ['"Ann"', '12', '1.5', 'true', 'null', '"2026-01-31"', '[1,2]', '{"a":1}', '[{"a":1}]', '{'],
};
const COLUMNS = Object.keys(SAMPLES) as ColumnType[];
const pairs = COLUMNS.flatMap((column) => ATTRIBUTE_TYPES.map((type) => ({ column, type })));
const possible = pairs.filter(({ column, type }) => typeProblem(custom(type), column) === undefined);

/** What a value of each attribute type is in JSON. */
const FORM: Readonly<Record<AttributeType, (value: JsonValue) => boolean>> = {
  string: (value) => typeof value === 'string' && checkedText(value) === value,
  integer: (value) => Number.isSafeInteger(value),
  float: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  date: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d\.\d{3}Z)?$/.test(value),
  array: isArray,
  object: isObject,
};

describe('a column', () => {
  test.each(possible)('of type $column fills an attribute of type $type in one form only', ({ column, type }) => {
    const converted = SAMPLES[column].map((raw) => convert(column, type, raw));
    const values = converted.flatMap((value) => (value instanceof Invalid || value === null ? [] : [value]));
    expect(values.length).toBeGreaterThan(0);
    expect(values.filter((value) => !FORM[type](value))).toEqual([]);
  });

  test('fills the attribute types of this table and no other', () => {
    const table = Object.fromEntries(
      COLUMNS.map((column) => [column, possible.filter((pair) => pair.column === column).map(({ type }) => type)]),
    );
    const any = [...ATTRIBUTE_TYPES];
    expect(table).toEqual({
      integer: ['string', 'integer', 'float', 'boolean'],
      decimal: ['string', 'integer', 'float'],
      float: ['string', 'integer', 'float'],
      boolean: ['string', 'boolean'],
      text: any,
      date: ['string', 'date'],
      timestamp: ['string', 'date'],
      timestamptz: ['string', 'date'],
      time: ['string'],
      super: any,
    });
  });

  test.each(COLUMNS)('of type %s needs no stated type', (column) => {
    expect(typeProblem(custom(), column)).toBeUndefined();
    const values = SAMPLES[column].map((raw) => convert(column, undefined, raw));
    expect(values.some((value) => !(value instanceof Invalid))).toBe(true);
  });

  test.each(pairs.filter((pair) => !possible.includes(pair)))(
    'of type $column that cannot fill $type is told with both types',
    ({ column, type }) => {
      const problem = typeProblem(custom(type), column);
      expect(problem).toContain(`of type ${type}`);
      expect(problem).toContain(`which is ${column}`);
    },
  );

  test.each(COLUMNS.flatMap((column) => [undefined, ...ATTRIBUTE_TYPES].map((type) => ({ column, type }))))(
    'of type $column gives null for NULL as $type',
    ({ column, type }) => {
      expect(convert(column, type, null)).toBeNull();
    },
  );
});

const tooManyDigits = new Invalid("has more digits than a JSON number keeps; give the attribute the type 'string'");
const notWhole = new Invalid('is no whole number');
const noNumber = new Invalid('is no number');
const noFlag = new Invalid('is neither true nor false');

test.each<[ColumnType, AttributeType | undefined, RawValue, unknown]>([
  ['integer', undefined, '42', 42],
  ['integer', undefined, '9007199254740993', tooManyDigits],
  ['integer', 'string', '9007199254740993', '9007199254740993'],
  ['integer', 'boolean', '1', true],
  ['integer', 'boolean', '2', noFlag],
  ['decimal', undefined, '12.50', 12.5],
  ['decimal', undefined, '1234567890123456789.01', tooManyDigits],
  ['decimal', 'integer', '7.00', 7],
  ['decimal', 'integer', '7.01', notWhole],
  ['decimal', 'string', '7.00', '7.00'],
  ['float', undefined, 0.1, 0.1],
  ['float', undefined, -0, 0],
  ['float', undefined, 1e300, 1e300],
  ['float', undefined, Number.NaN, new Invalid('is no finite number')],
  ['float', undefined, Number.POSITIVE_INFINITY, new Invalid('is no finite number')],
  ['float', 'integer', 2, 2],
  ['float', 'integer', 2.5, notWhole],
  ['float', 'integer', 1e21, tooManyDigits],
  ['float', 'integer', Number.NaN, noNumber],
  ['float', 'string', 0.1, '0.1'],
  ['boolean', undefined, false, false],
  ['boolean', 'string', true, 'true'],
  ['text', undefined, '', ''],
  ['text', undefined, '007', '007'],
  ['text', 'integer', '007', 7],
  ['text', 'integer', '', noNumber],
  ['text', 'integer', ' 7', noNumber],
  ['text', 'integer', '1e3', 1000],
  ['text', 'float', '1,5', noNumber],
  ['text', 'boolean', 'T', true],
  ['text', 'boolean', '', noFlag],
  ['text', 'date', '2026-01-31', '2026-01-31'],
  ['text', 'date', '', new Invalid('is no date or time')],
  ['text', 'array', '["a", "b"]', ['a', 'b']],
  ['text', 'array', '{"a":1}', new Invalid('is no JSON array')],
  ['text', 'array', 'a,b', new Invalid('is no valid JSON')],
  ['text', 'array', 'null', null],
  ['text', 'object', '[1]', new Invalid('is no JSON object')],
  ['text', 'object', '"a"', new Invalid('is no JSON object')],
  ['date', undefined, '2026-01-31', '2026-01-31'],
  ['date', 'string', '2026-01-31', '2026-01-31'],
  ['date', undefined, '10000-01-01', new Invalid('has a year outside 0 to 3000')],
  ['timestamp', undefined, '2026-01-31 00:00:00', '2026-01-31T00:00:00.000Z'],
  ['timestamp', undefined, '2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['timestamptz', undefined, '2026-01-31 10:11:12.5+02', '2026-01-31T08:11:12.500Z'],
  ['time', undefined, '10:11:12', '10:11:12'],
  ['super', undefined, '"Ann"', 'Ann'],
  ['super', undefined, '""', ''],
  ['super', undefined, 'null', null],
  ['super', undefined, '1.5', 1.5],
  ['super', undefined, '[true]', [true]],
  ['super', undefined, '[null]', new Invalid('holds a null inside, for which Braze drops the whole attribute')],
  ['super', 'string', '{"b":1,"a":2}', '{"a":2,"b":1}'],
  ['super', 'string', '"12"', '12'],
  ['super', 'string', 'null', null],
  ['super', 'integer', '"12"', 12],
  ['super', 'integer', '[12]', noNumber],
  ['super', 'boolean', '1', true],
  ['super', 'date', '"2026-01-31"', '2026-01-31'],
  ['super', 'date', '20260131', new Invalid('is no date or time')],
  ['super', 'array', '"a"', new Invalid('is no JSON array')],
  ['super', 'object', 'null', null],
])('%s as %s: %j becomes %j', (column, type, raw, value) => {
  expect(convert(column, type, raw)).toEqual(value);
});

const STANDARD = Object.entries(STANDARD_ATTRIBUTES);
const firstOf = (kind: StandardKind): string => STANDARD.find(([, each]) => each === kind)?.[0] ?? '';

/** For every kind of standard attribute, the columns that fill it, with a raw value and what is sent. */
const STANDARD_PAIRS: Readonly<Record<StandardKind, Partial<Record<ColumnType, readonly [RawValue, unknown]>>>> = {
  text: { text: ['Ann', 'Ann'], integer: ['12', '12'], decimal: ['1.50', '1.50'], super: ['"Ann"', 'Ann'] },
  email: { text: ['a@b.co', 'a@b.co'] },
  phone: { text: ['+33 6 12 34 56 78', '+33612345678'], integer: ['4155550123', '4155550123'] },
  country: { text: ['fr', 'FR'] },
  language: { text: ['FR', 'fr'] },
  gender: { text: ['f', 'F'] },
  birth_date: {
    date: ['1980-12-21', '1980-12-21'],
    timestamp: ['1980-12-21 23:00:00', '1980-12-21'],
    timestamptz: ['1980-12-21 23:00:00-02', '1980-12-22'],
    text: ['1980-12-21', '1980-12-21'],
  },
  time_zone: { text: ['europe/paris', 'Europe/Paris'] },
  subscription_state: { text: ['Opted_in', 'opted_in'] },
  flag: { boolean: [true, true], integer: ['0', false], text: ['t', true] },
  location: {
    super: ['{"longitude":2,"latitude":48}', { longitude: 2, latitude: 48 }],
    text: ['{"longitude":2,"latitude":48}', { longitude: 2, latitude: 48 }],
  },
  time: {
    date: ['2026-01-31', '2026-01-31'],
    timestamp: ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    timestamptz: ['2026-01-31 10:00:00+01', '2026-01-31T09:00:00.000Z'],
    text: ['2026-01-31', '2026-01-31'],
  },
  url: { text: ['https://example.com/a', 'https://example.com/a'] },
  profile: { super: ['{"id":"1"}', { id: '1' }], text: ['{"id":"1"}', { id: '1' }] },
};

describe('a standard attribute', () => {
  test.each(STANDARD.flatMap(([attribute, kind]) => COLUMNS.map((column) => ({ attribute, kind, column }))))(
    '$attribute takes a $column column exactly when the table of its kind has it',
    ({ attribute, kind, column }) => {
      const sample = STANDARD_PAIRS[kind][column];
      const problem = typeProblem(standard(attribute), column);
      expect(problem === undefined).toBe(sample !== undefined);
      if (sample) expect(converterOf(standard(attribute), column)(sample[0])).toEqual(sample[1]);
      else expect(problem).toContain(`'${attribute}' takes a column of type`);
      expect(converterOf(standard(attribute), column)(null)).toBeNull();
    },
  );

  test('of text takes no object or array of a SUPER column', () => {
    for (const raw of ['{"a":1}', '["a"]'])
      expect(converterOf(standard('first_name'), 'super')(raw)).toEqual(new Invalid('is no text'));
    expect(converterOf(standard('first_name'), 'super')('null')).toBeNull();
  });
});

/** Texts that no reason could hold by chance, in forms that get far into the checks before they are refused. */
const secret = fc.stringMatching(/^Zq[a-z0-9]{6,10}$/);
const revealing = secret.chain((mark) =>
  fc.constantFrom(
    mark,
    `${mark}@`,
    mark.repeat(60),
    JSON.stringify({ [`${mark}.`]: 1 }),
    JSON.stringify({ [mark]: null }),
    JSON.stringify({ [mark.repeat(60)]: 1 }),
    JSON.stringify({ a: { $time: mark } }),
    JSON.stringify([mark, { mark }]),
    JSON.stringify([[mark]]),
    JSON.stringify([mark.repeat(60)]),
    JSON.stringify({ longitude: mark, latitude: 1 }),
    `{"${mark}"`,
    `https//${mark}`,
    `2026-13-01 ${mark}`,
  ),
);
const number = fc.bigInt({ min: 10n ** 30n, max: 10n ** 36n }).map(String);

test('a reason never holds the value, or a part of it', () => {
  const fields = [custom(), ...ATTRIBUTE_TYPES.map(custom), ...Object.values(firstByKind()).map(standard)];
  const converters = fields.flatMap((field) =>
    COLUMNS.filter((column) => typeProblem(field, column) === undefined).map((column) => converterOf(field, column)),
  );
  const reasons = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(revealing, number), (raw) => {
      for (const converter of converters) {
        const value = converter(raw);
        if (!(value instanceof Invalid)) continue;
        reasons.add(value.reason.replace(/\d+/g, '#'));
        expect(value.reason).not.toMatch(/Zq/);
        expect(value.reason).not.toContain(raw.slice(0, 12));
      }
    }),
    { numRuns: 300 },
  );
  // The property says something only when it has seen many different reasons.
  expect(reasons.size).toBeGreaterThan(20);
});

const firstByKind = () => Object.fromEntries(Object.values(STANDARD_ATTRIBUTES).map((kind) => [kind, firstOf(kind)]));

test('whatever a text holds, a converter answers and does not throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), revealing), (raw) => {
      for (const { column, type } of possible.filter(({ column }) => column === 'text' || column === 'super')) {
        const value = convert(column, type, raw);
        if (!(value instanceof Invalid) && value !== null) expect(FORM[type](value)).toBe(true);
      }
    }),
  );
});

describe('a resolution', () => {
  const DAY_MS = 86_400_000;
  const field = (type: AttributeType | undefined, resolution: FieldMapping['resolution']): FieldMapping => ({
    ...custom(type),
    ...(resolution ? { resolution } : {}),
  });

  test.each<[ColumnType, AttributeType | undefined, { ms: number } | { step: number }, RawValue, unknown]>([
    ['integer', undefined, { step: 10 }, '129', 120],
    ['integer', undefined, { step: 10 }, '120', 120],
    ['integer', undefined, { step: 10 }, '9', 0],
    ['integer', undefined, { step: 10 }, '-1', -10],
    ['integer', undefined, { step: 10 }, '-10', -10],
    ['integer', undefined, { step: 1 }, '7', 7],
    ['integer', 'float', { step: 0.5 }, '7', 7],
    ['decimal', undefined, { step: 0.1 }, '12.34', 12.3],
    ['decimal', undefined, { step: 0.1 }, '-12.34', -12.4],
    ['decimal', undefined, { step: 0.1 }, '0.05', 0],
    ['decimal', undefined, { step: 0.1 }, '0.3', 0.3],
    ['decimal', undefined, { step: 0.1 }, '0.70', 0.7],
    ['decimal', undefined, { step: 0.1 }, '-0.30', -0.3],
    ['decimal', undefined, { step: 1e-7 }, '0.00000019', 1e-7],
    ['decimal', undefined, { step: 1e-7 }, '1.5', 1.5],
    ['float', undefined, { step: 1e22 }, 2.5e22, 2e22],
    ['float', undefined, { step: 0.001 }, 1e306, 1e306],
    ['decimal', undefined, { step: 0.25 }, '7.99', 7.75],
    ['decimal', undefined, { step: 100 }, '12.50', 0],
    ['decimal', 'integer', { step: 5 }, '7.00', 5],
    ['decimal', undefined, { step: 0.001 }, '1.0009', 1],
    ['float', undefined, { step: 0.1 }, 0.19, 0.1],
    ['float', undefined, { step: 10 }, -0.5, -10],
    ['text', 'float', { step: 10 }, '19.9', 10],
    ['super', 'integer', { step: 10 }, '19', 10],
    ['super', 'date', { ms: DAY_MS }, '"2026-01-31T10:11:12Z"', '2026-01-31T00:00:00.000Z'],
    ['timestamp', undefined, { ms: DAY_MS }, '2026-01-31 10:11:12.5', '2026-01-31T00:00:00.000Z'],
    ['timestamp', undefined, { ms: DAY_MS }, '1969-12-31 23:59:59', '1969-12-31T00:00:00.000Z'],
    ['timestamptz', undefined, { ms: DAY_MS }, '2026-01-31 00:30:00+01', '2026-01-30T00:00:00.000Z'],
    ['date', undefined, { ms: DAY_MS }, '2026-01-31', '2026-01-31'],
    ['date', undefined, { ms: 7 * DAY_MS }, '2026-01-31', '2026-01-29'],
    ['text', 'date', { ms: 3_600_000 }, '2026-01-31T10:11:12Z', '2026-01-31T10:00:00.000Z'],
    ['integer', undefined, { step: 10 }, null, null],
    ['timestamp', undefined, { ms: DAY_MS }, null, null],
    ['text', 'float', { step: 10 }, 'ten', noNumber],
    ['decimal', 'integer', { step: 5 }, '7.01', notWhole],
    ['text', 'date', { ms: DAY_MS }, 'soon', new Invalid('is no date or time')],
  ])('rounds %s as %s to %j: %j becomes %j', (column, type, resolution, raw, value) => {
    const mapping = field(type, resolution);
    expect(typeProblem(mapping, column)).toBeUndefined();
    expect(converterOf(mapping, column)(raw)).toEqual(value);
  });

  test('never makes -0, and stays what it is when it is rounded again', () => {
    const step = fc.constantFrom(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 1000);
    // As decimal(12, 3) would give them.
    const value = fc.integer({ min: -1e12, max: 1e12 }).map((thousandths) => (thousandths / 1000).toFixed(3));
    fc.assert(
      fc.property(step, value, (step, text) => {
        const round = converterOf(field(undefined, { step }), 'decimal');
        const rounded = round(text);
        expect(Object.is(rounded, -0)).toBe(false);
        expect(typeof rounded).toBe('number');
        const by = Number(text) - Number(rounded);
        expect(by).toBeGreaterThan(-1e-6 * step);
        expect(by).toBeLessThan(step * (1 + 1e-6));
      }),
    );
  });

  test('keeps what is a multiple of it already', () => {
    const step = fc.constantFrom(...[0.001, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 1, 2, 5, 10, 1000]);
    fc.assert(
      fc.property(step, fc.integer({ min: -100_000, max: 100_000 }), (step, times) => {
        const text = (times * step).toFixed(3);
        expect(converterOf(field(undefined, { step }), 'decimal')(text)).toBe(Number(text) + 0);
      }),
    );
  });

  test.each<[ColumnType, AttributeType | undefined, { ms: number } | { step: number }, string]>([
    ['text', undefined, { step: 10 }, "which for string can't be a number"],
    ['text', undefined, { ms: DAY_MS }, "which for string can't be a duration"],
    ['integer', undefined, { ms: DAY_MS }, "which for integer can't be a duration"],
    ['integer', 'string', { step: 10 }, "which for string can't be a number"],
    ['integer', 'boolean', { step: 10 }, "which for boolean can't be a number"],
    ['decimal', undefined, { ms: DAY_MS }, "which for float can't be a duration"],
    ['date', undefined, { step: 1 }, "which for date can't be a number"],
    ['timestamp', undefined, { step: 1 }, "which for date can't be a number"],
    ['timestamp', 'string', { ms: DAY_MS }, "which for string can't be a duration"],
    ['time', undefined, { ms: DAY_MS }, "which for string can't be a duration"],
    ['boolean', undefined, { step: 1 }, "which for boolean can't be a number"],
    ['super', undefined, { step: 1 }, "which for super can't be a number"],
    ['super', undefined, { ms: DAY_MS }, "which for super can't be a duration"],
    ['text', 'array', { step: 1 }, "which for array can't be a number"],
  ])('of %s as %s by %j is told as a problem', (column, type, resolution, words) => {
    expect(typeProblem(field(type, resolution), column)).toBe(`'a' has a resolution, ${words}`);
  });

  test('of a column that cannot fill the type anyway is told by that', () => {
    expect(typeProblem(field('date', { ms: DAY_MS }), 'integer')).toContain("can't be filled");
  });
});
