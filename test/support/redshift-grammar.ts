/**
 * Whether Redshift would take a statement that PGlite takes: `checkRedshift` returns what stands against it.
 *
 * PostgreSQL accepts much that Redshift refuses, so a statement that runs on the local cloud may still fail on AWS. Here
 * it is parsed with node-sql-parser's Redshift grammar, which is lenient, and its tokens are held against what Redshift
 * documents: functions, types, operators and clauses. Where the documentation is silent, the answer is a problem.
 * Blind spots: types of columns, names that do not exist, correlated subqueries, limits of single functions. The parser
 * also refuses some SQL that Redshift has (SUPER navigation, SUBSTRING … FROM … FOR); what is often used is taken out of
 * its way here.
 * Sources: Amazon Redshift Database Developer Guide, 'SQL functions reference', 'SELECT', 'Data types', 'Unsupported
 * PostgreSQL features', 'Unsupported PostgreSQL functions', 'Boolean type', 'POSIX operators', 'Names and identifiers'.
 */
import redshiftParser from 'node-sql-parser/build/redshift.js';
import {
  type Group,
  isGroup,
  type Node,
  nest,
  render,
  splitByComma,
  type Token,
  tokenize,
  wordOf,
} from '../../local/redshift/sql.ts';
import { COMPUTE_NODE_ONLY, LEADER_NODE_ONLY, REDSHIFT_FUNCTIONS, REDSHIFT_TYPES } from './redshift-functions.ts';

const FUNCTIONS: ReadonlySet<string> = new Set<string>(Object.values(REDSHIFT_FUNCTIONS).flat());
/** The Data API's limit on a statement. */
const MAX_SQL_BYTES = 100_000;
const MAX_NAME_BYTES = 127;

/** Returns the problems of one statement, each once; none means that Redshift's documentation allows everything in it. */
export function checkRedshift(sql: string): string[] {
  const { tokens } = tokenize(sql, 'escapes');
  const nodes = nest(tokens.filter(({ kind, text }, at) => !(isSign({ kind, text }, ';') && at === tokens.length - 1)));
  const problems = [
    ...sizeProblems(sql, tokens),
    ...queryProblems(nodes, { inSelectList: false, readsTable: readsTable(nodes) }),
    ...parserProblems(nodes),
  ];
  return [...new Set(problems)];
}

function sizeProblems(sql: string, tokens: readonly Token[]): string[] {
  const bytes = Buffer.byteLength(sql);
  const long = tokens.filter(({ kind, text }) => kind !== 'string' && Buffer.byteLength(text) > MAX_NAME_BYTES + 2);
  return [
    ...(bytes > MAX_SQL_BYTES ? [`the statement has ${bytes} bytes: the Data API takes 100 KB`] : []),
    ...long.map(({ text }) => `the name ${text.slice(0, 20)}… has more than ${MAX_NAME_BYTES} bytes`),
  ];
}

type Context = { readonly inSelectList: boolean; readonly readsTable: boolean };
type Place = { readonly nodes: readonly Node[]; readonly at: number; readonly context: Context };
type Check = (place: Place) => readonly string[];

const isSign = (node: Pick<Token, 'kind' | 'text'> | Node | undefined, text: string): boolean =>
  node?.kind === 'sign' && 'text' in node && node.text === text;

/** Clauses that end the select list of the query they stand in. */
const AFTER_SELECT_LIST: ReadonlySet<string> = new Set(['from', 'union', 'intersect', 'except', 'minus']);

/** Walks one level of brackets; a bracket within a select list belongs to it unless it holds a query. */
function queryProblems(nodes: readonly Node[], outer: Context): string[] {
  const problems: string[] = [];
  const isQuery = ['select', 'with'].includes(wordOf(nodes[0]) ?? '');
  let inSelectList = isQuery ? false : outer.inSelectList;
  for (const [at, node] of nodes.entries()) {
    const word = wordOf(node);
    if (word === 'select') inSelectList = true;
    else if (isQuery && word !== undefined && AFTER_SELECT_LIST.has(word)) inSelectList = false;
    const place = { nodes, at, context: { ...outer, inSelectList } };
    for (const check of CHECKS) problems.push(...check(place));
    if (node.kind === 'group') problems.push(...queryProblems(contentOf(place, node), place.context));
  }
  return problems;
}

/** A cast's type is checked as a type, and not as an expression. */
function contentOf({ nodes, at }: Place, group: Group): readonly Node[] {
  const name = wordOf(nodes[at - 1]);
  if (name === 'cast') return splitCast(group).value;
  if (name === 'convert') return splitByComma(group.nodes).slice(1).flat();
  return isSign(nodes[at - 2], '::') || isSign(nodes[at - 3], '::') ? [] : group.nodes;
}

// Functions

/** Words before a bracket that is no call, and words after which an expression starts. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `all and any as asc between by case cross cube distinct else escape except exists filter first for from full group
   grouping having ilike in inner interval intersect is join last lateral left like limit minus not offset on or order
   outer over partition qualify recursive right rollup rows select sets similar some then to top union using values when
   where with within`.split(/\s+/),
);
const CALLABLE_KEYWORDS: ReadonlySet<string> = new Set(['left', 'right']);

function callAt({ nodes, at }: Place): string | undefined {
  const name = wordOf(nodes[at]);
  if (name === undefined || !isGroup(nodes[at + 1])) return undefined;
  if (KEYWORDS.has(name) && !CALLABLE_KEYWORDS.has(name)) return undefined;
  const isCommonTable = wordOf(nodes[at + 2]) === 'as' && isGroup(nodes[at + 3]);
  return isCommonTable || isAlias(nodes[at - 1]) || isSign(nodes[at - 1], '::') ? undefined : name;
}

/** After a name, a bracket or AS comes an alias: `t (a, b)`, `(SELECT …) t (a, b)`. */
function isAlias(before: Node | undefined): boolean {
  const word = wordOf(before);
  return before?.kind === 'name' || isGroup(before) || word === 'as' || (word !== undefined && !KEYWORDS.has(word));
}

const callCheck: Check = (place) => {
  const name = callAt(place);
  if (name === undefined) return [];
  if (isSign(place.nodes[place.at - 1], '.')) return [`function ${name} has a schema: it is none of Redshift's own`];
  if (name === 'row') return ['row constructors do not exist in Redshift'];
  if (FUNCTIONS.has(name) || LEADER_NODE_ONLY.has(name)) return [];
  return [`function ${name} is not documented by Redshift`];
};

const nodeCheck: Check = (place) => {
  const { nodes, at, context } = place;
  const word = wordOf(nodes[at]) ?? '';
  const isName = isSign(nodes[at - 1], '.') || isAlias(nodes[at - 1]) || isSign(nodes[at + 1], '.');
  if (isName) return [];
  if (context.readsTable && LEADER_NODE_ONLY.has(word) && (isGroup(nodes[at + 1]) || WITHOUT_BRACKETS.has(word))) {
    return [`${word} runs on the leader node only: it fails on tables`];
  }
  if (!context.readsTable && COMPUTE_NODE_ONLY.has(word) && isGroup(nodes[at + 1])) {
    return [`${word} runs on the compute nodes only: it fails without a table`];
  }
  return [];
};

const WITHOUT_BRACKETS: ReadonlySet<string> = new Set([
  ...['current_time', 'current_timestamp', 'localtime', 'localtimestamp', 'current_schema'],
]);

/** FROM is also a word of these functions' arguments. */
const FROM_IN_CALL: ReadonlySet<string> = new Set(['extract', 'trim', 'substring', 'overlay', 'position']);

/** True when any FROM or JOIN names something that is no catalog table. */
function readsTable(nodes: readonly Node[]): boolean {
  return nodes.some((node, at) => {
    if (node.kind === 'group') return !FROM_IN_CALL.has(wordOf(nodes[at - 1]) ?? '') && readsTable(node.nodes);
    const next = nodes[at + 1];
    if (!['from', 'join'].includes(wordOf(node) ?? '') || next === undefined || isGroup(next)) return false;
    return next.kind === 'name' || !/^(pg_|information_schema)/i.test(render([next]).trim());
  });
}

// Types

function splitCast({ nodes }: Group): { value: readonly Node[]; type: readonly Node[] } {
  const as = nodes.findLastIndex((node) => wordOf(node) === 'as');
  return as === -1 ? { value: nodes, type: [] } : { value: nodes.slice(0, as), type: nodes.slice(as + 1) };
}

const typeName = (type: readonly Node[]): string => {
  const [first = '', second = ''] = type.map((node) => wordOf(node) ?? '');
  return REDSHIFT_TYPES.has(`${first} ${second}`) ? `${first} ${second}` : first;
};

const CHARACTER_TYPES: ReadonlySet<string> = new Set([
  ...['char', 'character', 'nchar', 'bpchar', 'varchar', 'nvarchar', 'character varying', 'text'],
]);

function castProblems(value: readonly Node[], type: readonly Node[]): string[] {
  const name = typeName(type);
  const problems = REDSHIFT_TYPES.has(name) ? [] : [`type ${name || render(type).trim()} does not exist in Redshift`];
  if (type.some((node) => isGroup(node, '['))) problems.push('array types do not exist in Redshift');
  if (CHARACTER_TYPES.has(name) && isBoolean(value)) problems.push(`a BOOLEAN cannot be cast to ${name}`);
  return problems;
}

const castCheck: Check = ({ nodes, at }) => {
  const group = nodes[at + 1];
  const word = wordOf(nodes[at]);
  if (isSign(nodes[at], '::')) {
    const before = nodes[at - 1];
    const isCall = isGroup(before) && !KEYWORDS.has(wordOf(nodes[at - 2]) ?? 'and');
    return castProblems(before === undefined || isCall ? [] : [before], nodes.slice(at + 1, at + 4));
  }
  if (!isGroup(group)) return [];
  if (word === 'cast') return castProblems(splitCast(group).value, splitCast(group).type);
  const [type = [], value = []] = splitByComma(group.nodes);
  return word === 'convert' ? castProblems(value, type) : [];
};

const BOOLEAN_SIGNS: ReadonlySet<string> = new Set(['=', '<', '>', '<=', '>=', '<>', '!=', '~', '!~']);
const BOOLEAN_WORDS: ReadonlySet<string> = new Set([
  ...['true', 'false', 'and', 'or', 'not', 'is', 'like', 'ilike', 'in', 'between', 'exists'],
]);

/** Tells by its looks whether an expression is a truth value; a CASE is not looked into. */
function isBoolean(nodes: readonly Node[]): boolean {
  const [only] = nodes;
  if (nodes.length === 1 && isGroup(only)) return isBoolean(only.nodes);
  if (nodes.some((node) => wordOf(node) === 'case')) return false;
  return nodes.some(
    (node) => BOOLEAN_WORDS.has(wordOf(node) ?? '') || (node.kind === 'sign' && BOOLEAN_SIGNS.has(node.text)),
  );
}

// Clauses and operators

const truthCheck: Check = ({ nodes, at, context }) => {
  const next = wordOf(nodes[at + 1]) === 'not' ? nodes[at + 2] : nodes[at + 1];
  const isTruth = wordOf(nodes[at]) === 'is' && ['true', 'false', 'unknown'].includes(wordOf(next) ?? '');
  return isTruth && context.inSelectList ? [`IS ${wordOf(next)} cannot stand in a select list`] : [];
};

const OPERATORS: ReadonlySet<string> = new Set(['->', '->>', '#>', '#>>', '@>', '<@', '~*', '!~*']);

const operatorCheck: Check = ({ nodes, at }) => {
  const node = nodes[at];
  if (node?.kind === 'sign' && OPERATORS.has(node.text)) return [`operator ${node.text} does not exist in Redshift`];
  if (isSign(node, ';')) return ['there is more than one statement'];
  const isOddLiteral = node?.kind === 'string' && /^(\$|u&|b|x)/i.test(node.text);
  return isOddLiteral ? [`literals like ${node.text.slice(0, 10)} are not documented by Redshift`] : [];
};

/** Source: 'POSIX operators' (pattern: a string literal). */
const patternCheck: Check = ({ nodes, at }) => {
  const node = nodes[at];
  const isMatch = isSign(node, '~') || isSign(node, '!~');
  if (!isMatch || at === 0 || nodes[at + 1]?.kind === 'string') return [];
  return ['the pattern of a regular expression must be a literal'];
};

/** Sequences of words, `(` for a round and `[` for a square bracket, that Redshift has not. */
const REFUSED_CLAUSES: readonly (readonly [string, string])[] = [
  ['filter (', 'FILTER does not exist in Redshift'],
  ['lateral', 'LATERAL does not exist in Redshift'],
  ['distinct on (', 'DISTINCT ON does not exist in Redshift'],
  ['array [', 'array constructors do not exist in Redshift: use ARRAY(…)'],
  ['is distinct from', 'IS DISTINCT FROM does not exist in Redshift'],
  ['is not distinct from', 'IS DISTINCT FROM does not exist in Redshift'],
  ['from values', 'VALUES is no table in Redshift'],
  ['fetch first', 'FETCH FIRST does not exist in Redshift: use LIMIT'],
  ['fetch next', 'FETCH NEXT does not exist in Redshift: use LIMIT'],
  ['for update', 'FOR UPDATE does not exist in Redshift'],
  ['for share', 'FOR SHARE does not exist in Redshift'],
  ['with ordinality', 'WITH ORDINALITY does not exist in Redshift'],
  ['tablesample', 'TABLESAMPLE does not exist in Redshift'],
  ['range between', 'window frames are of ROWS only in Redshift'],
  ['range unbounded', 'window frames are of ROWS only in Redshift'],
  ['groups between', 'window frames are of ROWS only in Redshift'],
  ['not materialized', 'MATERIALIZED does not exist in Redshift'],
  ['as materialized', 'MATERIALIZED does not exist in Redshift'],
  ['returning', 'RETURNING does not exist in Redshift'],
  ['on conflict', 'ON CONFLICT does not exist in Redshift'],
];

const clauseCheck: Check = ({ nodes, at }) => {
  if (isSign(nodes[at - 1], '.')) return [];
  if (at === 0 && wordOf(nodes[at]) === 'values') return ['VALUES is no query in Redshift'];
  return REFUSED_CLAUSES.filter(([clause]) =>
    clause.split(' ').every((word, step) => shapeOf(nodes[at + step]) === word),
  ).map(([, problem]) => problem);
};

const shapeOf = (node: Node | undefined): string | undefined =>
  node?.kind === 'group' ? node.open.text : wordOf(node);

const CHECKS: readonly Check[] = [
  callCheck,
  nodeCheck,
  castCheck,
  truthCheck,
  operatorCheck,
  patternCheck,
  clauseCheck,
];

// The parser

const parser = new redshiftParser.Parser();

/** A failure of the parser is a problem, also when it is its own. */
function parserProblems(nodes: readonly Node[]): string[] {
  try {
    parser.parse(render(forParser(nodes)), { database: 'Redshift' });
    return [];
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error)
      .split(' but ')
      .slice(-1);
    return [`node-sql-parser does not read it: ${reason}`];
  }
}

/** Takes out, or words otherwise, what Redshift has and the parser does not know. Literals become harmless ones. */
function forParser(nodes: readonly Node[]): Node[] {
  const result: Node[] = [];
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    const words = [0, 1, 2].map((step) => wordOf(nodes[at + step])).join(' ');
    if (node === undefined) continue;
    if (words.startsWith('within group')) at += 2;
    else if (words === 'at time zone') at += 3;
    else if (wordOf(node) === 'top' && nodes[at + 1]?.kind === 'number') at += 1;
    else if (node.kind === 'group') result.push({ ...node, nodes: forParser(argumentsOf(nodes[at - 1], node)) });
    else if (node.kind === 'string') result.push({ ...node, text: "'x'" });
    else if (isSign(node, '^')) result.push({ ...node, text: '*' });
    else result.push({ ...node, text: OTHER_WORDS.get(wordOf(node) ?? '') ?? node.text });
  }
  return result;
}

/** LISTAGG stands as COUNT of its first argument. */
const argumentsOf = (name: Node | undefined, group: Group): readonly Node[] =>
  wordOf(name) === 'listagg' ? (splitByComma(group.nodes)[0] ?? []) : group.nodes;

const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['minus', 'EXCEPT'],
  ['qualify', 'HAVING'],
  ['listagg', 'count'],
  ['approximate', ''],
  ['timestamptz', 'timestamp'],
  ['timetz', 'time'],
  ...['super', 'nchar', 'nvarchar', 'bpchar', 'varbyte', 'varbinary', 'geography', 'hllsketch'].map(
    (type) => [type, 'varchar'] as const,
  ),
]);
