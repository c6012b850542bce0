import fc from 'fast-check';
import type { PropertyRule, Rule } from '../../../shared/parameters/schema.ts';
import type { Column } from '../../../shared/warehouse/columns.ts';
import { groupPredicate, predicate } from '../../../shared/warehouse/groups.ts';
import { identifier, textLiteral } from '../../../shared/warehouse/literal.ts';
import { checkRedshift } from '../../support/redshift-grammar.ts';
import { START_MS } from '../fake-clock.ts';
import { type LocalRedshift, startRedshift } from './redshift.ts';

let redshift: LocalRedshift;
beforeAll(async () => {
  redshift = await startRedshift();
});
afterAll(() => redshift.close());

/** Columns of every type that a rule can look at; one has a name that needs its quotes. */
const COLUMNS = {
  word: { name: 'word', type: 'text', sql: 'varchar(2000)' },
  'odd "name"': { name: 'odd "name"', type: 'text', sql: 'varchar(2000)' },
  whole: { name: 'whole', type: 'integer', sql: 'bigint' },
  amount: { name: 'amount', type: 'decimal', sql: 'decimal(18, 4)' },
  ratio: { name: 'ratio', type: 'float', sql: 'float8' },
  yes: { name: 'yes', type: 'boolean', sql: 'boolean' },
  day: { name: 'day', type: 'date', sql: 'date' },
  at: { name: 'at', type: 'timestamp', sql: 'timestamp' },
  atz: { name: 'atz', type: 'timestamptz', sql: 'timestamptz' },
} as const satisfies Record<string, Column & { sql: string }>;
type Property = keyof typeof COLUMNS;
const PROPERTIES = Object.keys(COLUMNS) as Property[];
const column = (property: string): Column => {
  const found = Object.entries(COLUMNS).find(([name]) => name === property)?.[1];
  if (!found) throw new Error(`no column ${property}`);
  return found;
};

type Value = string | number | boolean | null;
type Row = Readonly<Record<Property, Value>>;

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const isoDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const isoSecond = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const WORDS = [
  'a',
  'b',
  'Z',
  '',
  'é',
  'naïve',
  '😀',
  '😀😀',
  "O'Brien",
  '100%',
  'a_c',
  'abc',
  'a\\b',
  '\\',
  "\\'",
  '"',
  'true',
  'TRUE',
  't',
  'false',
  'F',
  '1',
  '0',
  '12',
  '1.5',
  'a\nb',
  'ABC',
  'x--y',
  '/*',
  '日本',
];
/** Moments at and around the borders of the durations below. */
const MOMENTS = [0, 1, 30, 31, 90, 365, -1, -30]
  .flatMap((days) => [START_MS - days * DAY, START_MS - days * DAY - SECOND, START_MS - days * DAY + SECOND])
  .concat(Date.UTC(2025, 9, 31, 10), Date.UTC(2025, 11, 31, 10), Date.UTC(2026, 1, 28, 10), Date.UTC(2025, 0, 31, 10));

const orNull = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { freq: 6 });
const row: fc.Arbitrary<Row> = fc.record({
  word: orNull(WORDS),
  'odd "name"': orNull(WORDS),
  whole: orNull([0, 1, -1, 2, 12, 9007199254740991]),
  amount: orNull([0, 1, 1.5, -1.5, 12, 99999.9999]),
  ratio: orNull([0, 1, 0.1, -2.5, 1e21, 1e-7]),
  yes: orNull([true, false]),
  day: orNull(MOMENTS.map(isoDay)),
  at: orNull(MOMENTS.map(isoSecond)),
  atz: orNull(MOMENTS.map(isoSecond)),
});

const WORD_VALUES = [...WORDS, 'ab', '😀a', '%', '_'];
const scalarFor = (property: Property): fc.Arbitrary<string | number | boolean> => {
  switch (COLUMNS[property].type) {
    case 'text':
      return fc.constantFrom(...WORD_VALUES, 12, 1.5, true, false);
    case 'integer':
      return fc.constantFrom(0, 1, -1, 2, 1.5, 9007199254740991, '1', '-1', '1.5', ' 12 ', true, false);
    case 'decimal':
      return fc.constantFrom(0, 1, 1.5, -1.5, 1e-7, 99999.9999, '1.50', '-1.5000', '12', true);
    case 'float':
      return fc.constantFrom(0, 1, 0.1, -2.5, 1e21, 1e-7, '0.1', '-2.5', false);
    case 'boolean':
      return fc.constantFrom(true, false, 'true', 'FALSE', 't', 'no', 1, 0);
    case 'date':
      return fc.constantFrom(...MOMENTS.map(isoDay));
    default:
      return fc.constantFrom(...MOMENTS.map(isoSecond));
  }
};
const DURATIONS = [
  '30 days',
  '31 days',
  '1 day',
  '24 hours',
  '1 month',
  '3 months',
  '1 year',
  '52 weeks',
  '43200 minutes',
];

const OPERATORS = {
  comparison: ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'],
  list: ['in', 'not_in'],
  text: ['contains', 'starts_with', 'ends_with'],
  unary: ['exists', 'not_exists', 'is_true', 'is_false'],
  time: ['within_last', 'before_last', 'within_next'],
} as const;
const TEXTUAL = PROPERTIES.filter((property) => COLUMNS[property].type !== 'float');
const TIMES = ['day', 'at', 'atz'] as const;

const rule: fc.Arbitrary<PropertyRule> = fc.oneof(
  fc.constantFrom(...PROPERTIES).chain((property) =>
    fc.record({
      property: fc.constant(property),
      op: fc.constantFrom(...OPERATORS.comparison),
      value: scalarFor(property),
    }),
  ),
  fc.constantFrom(...PROPERTIES).chain((property) =>
    fc.record({
      property: fc.constant(property),
      op: fc.constantFrom(...OPERATORS.list),
      value: fc.array(scalarFor(property), { minLength: 1, maxLength: 4 }),
    }),
  ),
  fc.record({
    property: fc.constantFrom(...TEXTUAL),
    op: fc.constantFrom(...OPERATORS.text),
    value: fc.constantFrom(...WORD_VALUES.filter((word) => word !== ''), '-', '1', '.5', 'tr', ' 10:', '2026'),
  }),
  fc.record({ property: fc.constantFrom(...PROPERTIES), op: fc.constantFrom(...OPERATORS.unary) }),
  fc.record({
    property: fc.constantFrom(...TIMES),
    op: fc.constantFrom(...OPERATORS.time),
    value: fc.constantFrom(...DURATIONS),
  }),
);

/** What a column's value is as a text, by the documented formats of CAST. */
function asText(property: string, value: string | number | boolean): string {
  const { type } = column(property);
  if (type === 'decimal') return Number(value).toFixed(4);
  return type === 'timestamptz' ? `${value}+00` : String(value);
}

const truth = (value: string | number | boolean): boolean =>
  typeof value === 'string' ? ['true', 't', '1', 'yes'].includes(value.toLowerCase()) : Boolean(value);

/** A number by which two values of a column's type compare. */
function order(property: string, value: string | number | boolean, other: string | number | boolean): number {
  switch (column(property).type) {
    case 'text':
      return Buffer.compare(Buffer.from(String(value)), Buffer.from(String(other)));
    case 'boolean':
      return Number(truth(value)) - Number(truth(other));
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return Date.parse(`${value}Z`) - Date.parse(`${other}Z`);
    default:
      return Math.sign(Number(value) - Number(other));
  }
}

/** The duration's end, by an arithmetic of our own. */
function away(duration: string, sign: 1 | -1): number {
  const [count = 0, unit = ''] = [Number.parseInt(duration, 10), duration.replace(/^\d+ (\w+?)s?$/, '$1')];
  const lengths: Record<string, number> = { minute: 60 * SECOND, hour: 3600 * SECOND, day: DAY, week: 7 * DAY };
  const length = lengths[unit];
  if (length !== undefined) return START_MS + sign * count * length;
  const now = new Date(START_MS);
  const month = now.getUTCMonth() + sign * count * (unit === 'year' ? 12 : 1);
  const last = new Date(Date.UTC(now.getUTCFullYear(), month + 1, 0)).getUTCDate();
  return Date.UTC(now.getUTCFullYear(), month, Math.min(now.getUTCDate(), last), now.getUTCHours());
}

/** Whether a row fits a rule. A missing value fits only `not_exists`. */
function fits(row: Row, rule: PropertyRule): boolean {
  const value = row[rule.property as Property];
  if (value === null) return rule.op === 'not_exists';
  const compared = (other: string | number | boolean) => order(rule.property, value, other);
  const text = asText(rule.property, value);
  const ms = Date.parse(`${value}Z`);
  switch (rule.op) {
    case 'eq':
      return compared(rule.value) === 0;
    case 'ne':
      return compared(rule.value) !== 0;
    case 'gt':
      return compared(rule.value) > 0;
    case 'gte':
      return compared(rule.value) >= 0;
    case 'lt':
      return compared(rule.value) < 0;
    case 'lte':
      return compared(rule.value) <= 0;
    case 'in':
      return rule.value.some((other) => compared(other) === 0);
    case 'not_in':
      return rule.value.every((other) => compared(other) !== 0);
    case 'contains':
      return text.includes(rule.value);
    case 'starts_with':
      return text.startsWith(rule.value);
    case 'ends_with':
      return text.endsWith(rule.value);
    case 'matches':
      return new RegExp(rule.value, 'u').test(text);
    case 'exists':
      return true;
    case 'not_exists':
      return false;
    case 'is_true':
      return ['true', 't', '1'].includes(text.toLowerCase());
    case 'is_false':
      return ['false', 'f', '0'].includes(text.toLowerCase());
    case 'within_last':
      return ms >= away(rule.value, -1) && ms <= START_MS;
    case 'before_last':
      return ms < away(rule.value, -1);
    case 'within_next':
      return ms >= START_MS && ms <= away(rule.value, 1);
  }
}

const inRow = (property: Property, value: Value): string =>
  value === null
    ? 'NULL'
    : COLUMNS[property].type === 'text'
      ? textLiteral(String(value))
      : COLUMNS[property].type === 'timestamptz'
        ? `'${value}+00'`
        : `'${value}'`;

/** Creates a table of these rows, numbered from 0. */
async function fill(rows: readonly Row[]): Promise<void> {
  const columns = PROPERTIES.map((property) => `${identifier(COLUMNS[property].name)} ${COLUMNS[property].sql}`);
  const values = rows.map(
    (row, id) => `(${id}, ${PROPERTIES.map((property) => inRow(property, row[property])).join(', ')})`,
  );
  await redshift.api.exec(`DROP TABLE IF EXISTS t; CREATE TABLE t (id int, ${columns.join(', ')});
    INSERT INTO t VALUES ${values.join(', ')};`);
}

/** For each predicate, the numbers of the rows for which it holds. */
async function members(predicates: readonly string[]): Promise<number[][]> {
  const cases = predicates.map((sql, index) => `CASE WHEN ${sql} THEN TRUE ELSE FALSE END AS g${index}`);
  const rows = await redshift.rows(`SELECT ${cases.join(',\n')} FROM t ORDER BY id`);
  return predicates.map((_, index) => rows.flatMap((row, id) => (row[index] === true ? [id] : [])));
}

const context = { groups: {}, column, nowMs: START_MS };

test('a rule holds for exactly the rows that fit it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 30, maxLength: 30 }),
      fc.array(rule, { minLength: 60, maxLength: 60 }),
      async (rows, rules) => {
        await fill(rows);
        const found = await members(rules.map((rule) => predicate(rule, context)));
        for (const [index, rule] of rules.entries()) {
          const expected = rows.flatMap((row, id) => (fits(row, rule) ? [id] : []));
          expect({ rule, members: found[index] }).toEqual({ rule, members: expected });
        }
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});

const tree = (groups: readonly string[]): fc.Arbitrary<Rule> =>
  fc.letrec<{ rule: Rule }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3 },
      rule,
      fc.record({ all: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ any: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }) }),
      ...(groups.length > 0 ? [fc.record({ group: fc.constantFrom(...groups) })] : []),
      fc.constantFrom(
        { sql: '"whole" > 0 OR "yes"' },
        { sql: '"whole" > 0 -- not the rest) OR (1 = 1' },
        { sql: '"word" = \'a;b\' /* ; */ OR "word" = \'a\'' },
      ),
    ),
  })).rule;

function holds(row: Row, rule: Rule, groups: Readonly<Record<string, Rule>>): boolean {
  if ('all' in rule) return rule.all.every((part) => holds(row, part, groups));
  if ('any' in rule) return rule.any.some((part) => holds(row, part, groups));
  if ('group' in rule) {
    const group = groups[rule.group];
    return group !== undefined && holds(row, group, groups);
  }
  if ('op' in rule) return fits(row, rule);
  const isPositive = Number(row.whole) > 0;
  if (rule.sql.includes('--')) return isPositive;
  return rule.sql.includes('word') ? row.word === 'a' : isPositive || row.yes === true;
}

/** The parser of the grammar check knows no quote within a quoted name. */
const isReadable = (predicate: string): boolean => !predicate.includes('odd ""name""');

test('rules within rules, SQL and other groups among them, hold for exactly the rows that fit', async () => {
  const groups = fc
    .tuple(tree([]), tree(['one']), tree(['one', 'two']))
    .map(([one, two, three]) => ({ one, two, three }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 20, maxLength: 20 }),
      fc.array(groups, { minLength: 8, maxLength: 8 }),
      async (rows, models) => {
        await fill(rows);
        const predicates = models.flatMap((groups) =>
          Object.keys(groups).map((group) => groupPredicate(group, { ...context, groups })),
        );
        const found = await members(predicates);
        const expected = models.flatMap((groups) =>
          Object.values(groups).map((rule) => rows.flatMap((row, id) => (holds(row, rule, groups) ? [id] : []))),
        );
        expect(found).toEqual(expected);
        const [some = ''] = predicates.filter(isReadable).slice(-1);
        expect(checkRedshift(`SELECT id FROM t WHERE ${some || 'TRUE'}`)).toEqual([]);
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

test('every operator on every column it fits is SQL that Redshift documents', () => {
  fc.assert(
    fc.property(rule.map((rule) => predicate(rule, context)).filter(isReadable), (predicate) => {
      expect(checkRedshift(`SELECT id FROM t WHERE ${predicate}`)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['^a', ['a', 'a_c', 'abc', 'a\\b', 'a\nb']],
  ["'", ["O'Brien", "\\'"]],
  ['\\\\', ['a\\b', '\\', "\\'"]],
  ['a\\\\b', ['a\\b']],
  ['^[0-9]+(\\.[0-9]+)?$', ['1', '0', '12', '1.5']],
  ['\\.', ['1.5']],
  ['%$', ['100%']],
  ['^(😀)+$', ['😀', '😀😀']],
  ['(abc|ABC)', ['abc', 'ABC']],
])('a text matches %s as a regular expression', async (value, matching) => {
  await fill(WORDS.map((word) => ({ ...nothing, word })));
  const [found = []] = await members([predicate({ property: 'word', op: 'matches', value }, context)]);
  expect(found.map((id) => WORDS[id]).sort()).toEqual([...matching].sort());
});

test.each([
  ['starts_with', '😀', ['😀', '😀😀', '😀a']],
  ['ends_with', '😀', ['😀', '😀😀', 'a😀']],
  ['contains', '😀', ['😀', '😀😀', '😀a', 'a😀']],
  ['starts_with', "'", ["'a"]],
  ['ends_with', '\\', ['a\\']],
  ['contains', '_', ['a_c']],
  ['contains', '%', ['%']],
] as const)('%s %s counts characters, and knows no wildcards', async (op, value, matching) => {
  const words = ['😀', '😀😀', '😀a', 'a😀', "'a", 'a\\', 'a_c', 'abc', '%', ''];
  await fill(words.map((word) => ({ ...nothing, word })));
  const [found = []] = await members([predicate({ property: 'word', op, value }, context)]);
  expect(found.map((id) => words[id])).toEqual(matching);
});

const nothing: Row = {
  word: null,
  'odd "name"': null,
  whole: null,
  amount: null,
  ratio: null,
  yes: null,
  day: null,
  at: null,
  atz: null,
};

test('a record without a value is in no group of a rule but not_exists', async () => {
  await fill([nothing]);
  const rules: PropertyRule[] = [
    { property: 'word', op: 'ne', value: 'FR' },
    { property: 'word', op: 'not_in', value: ['FR'] },
    { property: 'whole', op: 'ne', value: 1 },
    { property: 'yes', op: 'is_false' },
    { property: 'at', op: 'before_last', value: '1 day' },
    { property: 'word', op: 'not_exists' },
  ];
  expect(await members(rules.map((rule) => predicate(rule, context)))).toEqual([[], [], [], [], [], [0]]);
});

test('a group that does not exist is an error, also by the name of a method of every object', () => {
  for (const name of ['nobody', 'toString', '__proto__'])
    expect(() => groupPredicate(name, context)).toThrow('does not exist');
});
