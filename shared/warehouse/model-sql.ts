/**
 * The statements of a run: one that describes the model's columns, and one for each range of record hashes.
 *
 * A shard's statement yields, in record hash order: the record hash (md5 of the primary key as text; empty for a row
 * without one), the primary key as text, each wanted property, and one boolean for each wanted group. Every row of the
 * range is there, duplicates too: they are found by the reader, not hidden by the SQL.
 */
import type { Model, Rule } from '../parameters/schema.ts';
import type { Column } from './columns.ts';
import { groupPredicate } from './groups.ts';
import { identifier, textLiteral } from './literal.ts';

/** A half-open range of record hashes by their first two hex digits: from 0 (inclusive) to 256 (exclusive). */
export type HashRange = { readonly from: number; readonly to: number };

/** Returns the `shards` ranges that together hold every record hash. */
export function hashRanges(shards: number): HashRange[] {
  const width = 256 / shards;
  return Array.from({ length: shards }, (_, index) => ({ from: index * width, to: (index + 1) * width }));
}

/** Returns two hex digits, such as `0f`. */
export const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

/** The query of a model with its `where`, as a subquery of the given alias. */
function source(model: Pick<Model, 'query' | 'table' | 'where'>, alias: string): string {
  const table = model.table?.split('.').map(identifier).join('.');
  // Line breaks end a comment that the query or the predicate may close with.
  const query = table ? `SELECT * FROM ${table}` : (model.query ?? '').trim().replace(/;\s*$/, '');
  const where = model.where ? `\nWHERE (${model.where}\n)` : '';
  return `(\n${query}\n) AS ${alias}${where}`;
}

/** Returns the statement that yields no row but names the model's columns and their types. */
export const describeSql = (model: Pick<Model, 'query' | 'table' | 'where'>): string =>
  `SELECT * FROM ${source(model, 'w2b_model')}\nLIMIT 0`;

export type ShardQuery = {
  readonly model: Pick<Model, 'query' | 'table' | 'where' | 'groups'>;
  readonly primaryKey: Column;
  /** The wanted properties, each once; their order is the order of the columns in the result. */
  readonly properties: readonly Column[];
  /** The wanted groups; their order is the order of the booleans in the result. */
  readonly groups: readonly string[];
  readonly audience?: string | undefined;
  readonly range: HashRange;
  readonly column: (property: string) => Column;
  /** Start of the run, epoch ms. */
  readonly nowMs: number;
};

/** Returns the statement of one shard. */
export function shardSql(query: ShardQuery): string {
  const context = {
    groups: query.model.groups as Readonly<Record<string, Rule>>,
    column: query.column,
    nowMs: query.nowMs,
  };
  // VARCHAR alone is VARCHAR(256) in Redshift and would cut longer keys, so that two records became one.
  const key = `CAST(${whole(query.primaryKey)} AS VARCHAR(65535))`;
  const columns = [
    'w2b_record_hash',
    'w2b_key',
    ...query.properties.map((column, index) => `${selected(column)} AS w2b_p${index}`),
    ...query.groups.map(
      (group, index) => `CASE WHEN ${groupPredicate(group, context)} THEN TRUE ELSE FALSE END AS w2b_g${index}`,
    ),
  ];
  const conditions = [
    ...(query.range.from > 0 ? [`w2b_record_hash >= ${textLiteral(hexByte(query.range.from))}`] : []),
    ...(query.range.to < 256 ? [`w2b_record_hash < ${textLiteral(hexByte(query.range.to))}`] : []),
    ...(query.audience ? [groupPredicate(query.audience, context)] : []),
  ];
  return [
    `SELECT ${columns.join(',\n  ')}`,
    `FROM (SELECT w2b_model.*, ${key} AS w2b_key, COALESCE(MD5(${key}), '') AS w2b_record_hash FROM ${source(query.model, 'w2b_model')}) AS w2b_rows`,
    ...(conditions.length > 0 ? [`WHERE ${conditions.join('\n  AND ')}`] : []),
    'ORDER BY w2b_record_hash',
  ].join('\n');
}

/** The Data API gives integers as JSON numbers, which lose digits beyond 2^53: digits therefore travel as text. */
function selected(column: Column): string {
  const name = identifier(column.name);
  if (column.type === 'integer' || column.type === 'decimal') return `CAST(${name} AS VARCHAR(64))`;
  if (column.type === 'super') return `JSON_SERIALIZE(${name})`;
  return whole(column);
}

const whole = (column: Column): string =>
  column.padded ? `RTRIM(${identifier(column.name)})` : identifier(column.name);
