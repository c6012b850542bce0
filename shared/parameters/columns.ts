/**
 * The output columns of a model's query, as far as they can be told without the warehouse.
 *
 * Uses a SQL parser that is large, slow to load and not needed to run: it is loaded on first use, and only files that
 * read parameter files import this one, never a Lambda function. Whatever the parser cannot read, or is not installed to
 * read, is not checked here: the answer is undefined, never an exception, and never later than a second or two.
 */
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import * as z from 'zod';
import { nestingOf, stripTrailingSemicolon } from './sql-text.ts';

const PARSER = 'node-sql-parser/build/redshift.js';
const TIMEOUT_MS = 2000;
/** Beyond these, the parser takes long or runs out of stack. */
const MAX_NESTING = 60;
const MAX_CHARACTERS = 20_000;
const MAX_NESTED_WORDS = 200;

const Name = z.object({ value: z.string() });
const ColumnName = z
  .union([Name, z.object({ expr: Name })])
  .transform((name) => ('expr' in name ? name.expr.value : name.value));
const Reference = z.object({ type: z.literal('column_ref'), column: ColumnName });
const Output = z.union([
  z.object({ as: z.string().min(1) }).transform(({ as }) => as),
  z.object({ expr: z.object({ type: z.literal('cast'), as: z.string().min(1) }) }).transform(({ expr }) => expr.as),
  z.object({ as: z.null(), expr: Reference }).transform(({ expr }) => expr.column),
]);
const Statement = z.object({ type: z.literal('select'), columns: z.array(Output).min(1) });
const ParserModule = z.object({ Parser: z.custom<new () => { astify: (sql: string, options: object) => unknown }>() });

/** What queries have come to; parsing one takes longer than all other checks of a file together. */
const known = new Map<string, readonly string[] | undefined>();
const MAX_KNOWN = 200;

/**
 * Returns the names of a query's output columns in order, or undefined when they cannot be told: with `*`, with an
 * expression that has no name, or when the parser does not know the SQL.
 */
export function outputColumns(query: string): readonly string[] | undefined {
  const sql = stripTrailingSemicolon(query);
  if (!known.has(sql)) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(sql, isParsable(sql) ? parsedColumns(sql) : undefined);
  }
  return known.get(sql);
}

function parsedColumns(sql: string): readonly string[] | undefined {
  try {
    const { Parser } = ParserModule.parse(createRequire(import.meta.url)(PARSER));
    const parser = new Parser();
    const parse = (): unknown => parser.astify(sql, { database: 'Redshift' });
    const statement = Statement.safeParse(runInNewContext('parse()', { parse }, { timeout: TIMEOUT_MS }));
    return statement.success ? statement.data.columns : undefined;
  } catch {
    // Not installed, not understood or out of time: the warehouse will say what the columns are.
    return undefined;
  }
}

const isParsable = (sql: string): boolean =>
  sql.length <= MAX_CHARACTERS &&
  nestingOf(sql) <= MAX_NESTING &&
  (sql.match(/\b(case|not)\b/gi)?.length ?? 0) <= MAX_NESTED_WORDS &&
  !/([-+~!]\s*){20}/.test(sql.replace(/'[^']*'|--.*/g, ''));
