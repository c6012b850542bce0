/** What a parameter file's values become in SQL: read back by a lexer of its own, in both dialects. */
import { FatalError } from '../shared/errors.ts';
import { PropertyRule } from '../shared/parameters/schema.ts';
import type { ColumnType } from '../shared/warehouse/columns.ts';
import { predicate } from '../shared/warehouse/groups.ts';
import { identifier, numberLiteral, patternLiteral, textLiteral } from '../shared/warehouse/literal.ts';
import { shardSql } from '../shared/warehouse/model-sql.ts';
import { hostileText } from './hostile.ts';
import { type Dialect, joined, type Lexeme, lexemes } from './sql-lexer.ts';
import { hold, outcomeOf, type Target } from './target.ts';

const DIALECTS: readonly Dialect[] = ['redshift', 'postgres'];

/** The one string or name that a SQL text is. */
function textOf(sql: string, dialect: Dialect, kind: 'string' | 'name'): string {
  const [only, ...more] = joined(lexemes(sql, dialect));
  hold(more.length === 0 && only?.kind === kind && 'value' in only, `more than one ${kind} (${dialect})`);
  return only.value;
}

/** @throws FatalError in place of the documented Error, when a text holds a NUL; whoever else gets one has a defect. */
function written(text: string, write: (text: string) => string): string {
  if (!text.includes('\0') && text !== '') return write(text);
  try {
    return write(text);
  } catch (error) {
    throw new FatalError(String(error), '');
  }
}

const literals: Target = {
  name: 'SQL literals',
  share: 15,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([FatalError], () => {
      const text = hostileText(chance);
      const kind = chance.pick(['text', 'pattern', 'name', 'number'] as const);
      for (const dialect of DIALECTS) {
        if (kind === 'text') hold(textOf(written(text, textLiteral), dialect, 'string') === text, 'another text');
        if (kind === 'pattern') {
          const read = textOf(written(text, patternLiteral), dialect, 'string');
          hold(read === (dialect === 'redshift' ? text : text.replaceAll('\\', '\\\\')), 'another pattern');
        }
        if (kind === 'name') hold(textOf(written(text, identifier), dialect, 'name') === text, 'another name');
        if (kind === 'number') {
          const number = (chance.int(2 ** 32) - 2 ** 31) * 10 ** (chance.int(60) - 30);
          const texts = lexemes(numberLiteral(number), dialect).map((each) =>
            'text' in each ? each.text : each.value,
          );
          const said = texts.filter((each) => /\d/.test(each) && !/^FLOAT8$/.test(each)).join('');
          hold(Number(said) === Math.abs(number) || Number(said) === number, 'another number');
        }
      }
      return kind;
    }),
};

const OPERATORS = [
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'contains',
  'starts_with',
  'ends_with',
  'matches',
  'in',
  'not_in',
];
const TYPES: readonly ColumnType[] = [
  'text',
  'integer',
  'decimal',
  'float',
  'boolean',
  'date',
  'timestamp',
  'timestamptz',
  'super',
];

/** The form of a statement: everything but what its strings and names say. */
const formOf = (all: readonly Lexeme[]): string =>
  all.map((each) => ('value' in each ? each.kind : each.kind === 'number' ? 'number' : each.text)).join(' ');

const statements: Target = {
  name: 'SQL statements',
  share: 4,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([FatalError], () => {
      // A parameter file holds no NUL, and neither a value nor a name is empty.
      const [value = 'x', property = 'x'] = chance.times(
        2,
        () => hostileText(chance).replaceAll('\0', '').slice(0, 127) || 'x',
      );
      return compare(
        chance.pick(OPERATORS),
        chance.pick(TYPES),
        1 + chance.int(3),
        chance.chance(0.5),
        value,
        property,
      );
    }),
};

/** Builds the same statement with harmless texts and with others: they must differ in nothing but their texts. */
function compare(
  op: string,
  type: ColumnType,
  count: number,
  isWhole: boolean,
  value: string,
  property: string,
): string {
  const statement = (text: string, name: string): string => {
    const rule = PropertyRule.parse({
      property: name,
      op,
      value: op === 'in' || op === 'not_in' ? Array.from({ length: count }, () => text) : text,
    });
    const context = { groups: {}, column: (each: string) => ({ name: each, type }), nowMs: 0 };
    if (!isWhole) return predicate(rule, context);
    const key = { name, type: 'text' as const };
    const model = { table: 'public.t', groups: { g: rule } };
    return shardSql({
      ...context,
      model,
      primaryKey: key,
      properties: [key],
      groups: ['g'],
      range: { from: 0, to: 256 },
    });
  };
  const hostile = statement(value, property);
  // Of a boolean column only TRUE and FALSE are ever written.
  const benign = type === 'boolean' && /^(true|t|1|yes)$/i.test(value) ? 'true' : 'x';
  for (const dialect of DIALECTS) {
    const form = formOf(joined(lexemes(hostile, dialect)));
    hold(
      form === formOf(joined(lexemes(statement(benign, 'p'), dialect))),
      `${op} of ${type}: another statement (${dialect})`,
    );
  }
  return op;
}

export const sqlTargets: readonly Target[] = [literals, statements];
