/**
 * Groups as SQL predicates over the columns of a model.
 *
 * A missing value (NULL) fits no rule but `not_exists`, as in SQL: a customer without a country is neither in the group
 * `country eq FR` nor in `country ne FR`. Durations count from the start of the run, so that all statements of a run
 * agree on who is a member.
 */
import { FatalError } from '../errors.ts';
import type { PropertyRule, Rule } from '../parameters/schema.ts';
import { shift } from '../time.ts';
import type { Column, ColumnType } from './columns.ts';
import { identifier, numberLiteral, patternLiteral, textLiteral, timeLiteral } from './literal.ts';

export type PredicateContext = {
  readonly groups: Readonly<Record<string, Rule>>;
  /** The columns of the model by property name, any case. */
  readonly column: (property: string) => Column;
  /** Start of the run, epoch ms. */
  readonly nowMs: number;
};

/** Returns the predicate of a group. References between groups have been checked: they exist and have no cycle. */
export function groupPredicate(group: string, context: PredicateContext): string {
  const rule = Object.hasOwn(context.groups, group) ? context.groups[group] : undefined;
  if (!rule) throw new Error(`group '${group}' does not exist`);
  return predicate(rule, context);
}

/** Returns the SQL predicate of a rule, in parentheses. */
export function predicate(rule: Rule, context: PredicateContext): string {
  if ('all' in rule) return `(${rule.all.map((part) => predicate(part, context)).join(' AND ')})`;
  if ('any' in rule) return `(${rule.any.map((part) => predicate(part, context)).join(' OR ')})`;
  if ('group' in rule) return groupPredicate(rule.group, context);
  // The line break ends a comment that the predicate may close with.
  if ('sql' in rule) return `(${rule.sql}\n)`;
  return `(${propertyPredicate(rule, context)})`;
}

const COMPARISON = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

function propertyPredicate(rule: PropertyRule, context: PredicateContext): string {
  const column = context.column(rule.property);
  const name = identifier(column.name);
  switch (rule.op) {
    case 'eq':
    case 'ne':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return `${comparable(column)} ${COMPARISON[rule.op]} ${literal(rule.value, column.type)}`;
    case 'in':
    case 'not_in': {
      const values = rule.value.map((value) => literal(value, column.type)).join(', ');
      return `${comparable(column)} ${rule.op === 'in' ? 'IN' : 'NOT IN'} (${values})`;
    }
    case 'contains':
      return `STRPOS(${asText(column)}, ${textLiteral(rule.value)}) > 0`;
    case 'starts_with':
      return `LEFT(${asText(column)}, ${[...rule.value].length}) = ${textLiteral(rule.value)}`;
    case 'ends_with':
      return `RIGHT(${asText(column)}, ${[...rule.value].length}) = ${textLiteral(rule.value)}`;
    case 'matches':
      return `${asText(column)} ~ ${patternLiteral(rule.value)}`;
    case 'exists':
      return `${name} IS NOT NULL`;
    case 'not_exists':
      return `${name} IS NULL`;
    case 'is_true':
      return isBoolean(column, true);
    case 'is_false':
      return isBoolean(column, false);
    case 'within_last':
      return `${name} >= ${time(column, context.nowMs, rule.value, -1)} AND ${name} <= ${timeLiteral(context.nowMs, hasZone(column))}`;
    case 'before_last':
      return `${name} < ${time(column, context.nowMs, rule.value, -1)}`;
    case 'within_next':
      return `${name} >= ${timeLiteral(context.nowMs, hasZone(column))} AND ${name} <= ${time(column, context.nowMs, rule.value, 1)}`;
  }
}

const hasZone = (column: Column): boolean => column.type === 'timestamptz';

const time = (column: Column, nowMs: number, duration: string, direction: -1 | 1): string =>
  timeLiteral(shift(nowMs, duration, direction), hasZone(column));

function comparable(column: Column): string {
  refuseSuper(column);
  return identifier(column.name);
}

/** The text of a SUPER value is JSON: compared with a text of the parameter file it would never be equal. */
function refuseSuper({ name, type }: Column): void {
  if (type !== 'super') return;
  throw new FatalError(
    `a group's rule looks into '${name}', which is SUPER: only exists and not_exists can`,
    'Take the scalar out in the query (such as address.city::varchar AS city), or write the rule as sql:.',
  );
}

function asText(column: Column): string {
  const name = identifier(column.name);
  if (column.type === 'text') return name;
  refuseSuper(column);
  if (column.type === 'boolean') return `CASE WHEN ${name} THEN 'true' WHEN NOT ${name} THEN 'false' END`;
  return `CAST(${name} AS VARCHAR(64))`;
}

/** Texts count as they do for a boolean attribute: true, t, 1 and false, f, 0, in any case. */
const isBoolean = (column: Column, wanted: boolean): string =>
  column.type === 'boolean'
    ? `${identifier(column.name)} = ${wanted ? 'TRUE' : 'FALSE'}`
    : `LOWER(${asText(column)}) IN (${(wanted ? ['true', 't', '1'] : ['false', 'f', '0']).map(textLiteral).join(', ')})`;

/** A value of the parameter file as a literal of the column's type: a quoted number fits a column of numbers, and the other way round. */
function literal(value: string | number | boolean, type: ColumnType): string {
  if (type === 'boolean') return truth(value) ? 'TRUE' : 'FALSE';
  if (type === 'integer' || type === 'decimal' || type === 'float') {
    const number = typeof value === 'boolean' ? Number(value) : value;
    return typeof number === 'number' ? numberLiteral(number) : `CAST(${textLiteral(number)} AS DECIMAL(38, 10))`;
  }
  if (type === 'date') return `CAST(${textLiteral(String(value))} AS DATE)`;
  if (type === 'timestamp') return `CAST(${textLiteral(String(value))} AS TIMESTAMP)`;
  if (type === 'timestamptz') return `CAST(${textLiteral(String(value))} AS TIMESTAMPTZ)`;
  return textLiteral(String(value));
}

const truth = (value: string | number | boolean): boolean =>
  typeof value === 'string' ? /^(true|t|1|yes)$/i.test(value) : Boolean(value);
