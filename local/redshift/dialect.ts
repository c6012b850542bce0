/**
 * Redshift's SQL as PostgreSQL reads it: rewrites tokens, never inside literals, quoted names or comments.
 *
 * Rewritten: bare date parts (`DATEADD(day, …)`), EXTRACT, SYSDATE and CURRENT_DATE, NVL, NVL2, DECODE, CONVERT, LISTAGG,
 * MEDIAN, ARRAY(…), OBJECT(…), SELECT TOP, MINUS, APPROXIMATE; the types SUPER, VARCHAR(MAX), NVARCHAR, VARBYTE, and
 * NUMERIC without precision in a cast, which is NUMERIC(18,0) in Redshift; in DDL the table attributes (DISTKEY, SORTKEY,
 * DISTSTYLE, ENCODE, BACKUP), IDENTITY and WITH NO SCHEMA BINDING. Quoted names are folded to lower case, as Redshift does
 * unless it is configured otherwise. The functions themselves are in functions.ts.
 *
 * Not imitated: QUALIFY, PIVOT, SUPER navigation (`a.b[0].c`), LISTAGG … OVER with an order, COPY and UNLOAD, permissions
 * (GRANT is ignored), constraints that are not enforced (PostgreSQL enforces them), VARCHAR sizes in bytes (here they are
 * characters), trailing blanks that count for nothing in comparisons. PostgreSQL also accepts much that Redshift refuses.
 * What is not recognized passes unchanged, and the database says what it thinks of it.
 * Sources: Amazon Redshift Database Developer Guide, 'SQL reference', 'Names and identifiers', 'CREATE TABLE'.
 */
import { CLOCK_SETTING, FUNCTION_SCHEMA, FUNCTIONS_SQL } from './functions.ts';
import {
  type Backslash,
  type Group,
  isGroup,
  type Node,
  nest,
  render,
  splitByComma,
  type Token,
  tokenize,
  wordOf,
} from './sql.ts';

export { CLOCK_SETTING, FUNCTION_SCHEMA, FUNCTIONS_SQL };

/** The schemas of a session, in order: the functions win over built-in ones of the same name. */
export const SEARCH_PATH = `public, ${FUNCTION_SCHEMA}, pg_catalog`;

export type RewriteOptions = {
  readonly backslash: Backslash;
  /** Returns the number of a named parameter (`:name`); undefined leaves the text as it is. */
  readonly parameterNumber?: (name: string) => number | undefined;
};

/** Returns one statement in PostgreSQL's words. Throws nothing: what it does not know it leaves alone. */
export function toPostgres(sql: string, options: RewriteOptions): string {
  const { tokens, tail } = tokenize(sql, options.backslash);
  const nodes = nest(tokens.map((token) => rewriteToken(token, options)));
  return render(rewriteStatement(nodes)) + tail;
}

const IGNORED_COMMANDS = new Set(['vacuum', 'analyze', 'analyse', 'grant', 'revoke']);
const IGNORED_ALTERATIONS = new Set(['distkey', 'diststyle', 'sortkey', 'compound', 'encode']);

/** Tells whether a script's statement only tunes or permits, so that the emulator has nothing to do for it. */
export function isIgnored(sql: string, backslash: Backslash): boolean {
  const words = tokenize(sql, backslash).tokens.map(wordOf);
  if (words[0] !== undefined && IGNORED_COMMANDS.has(words[0])) return true;
  const isTableAlteration = words[0] === 'alter' && words[1] === 'table';
  return isTableAlteration && words.some((word, at) => word === 'alter' && at > 0 && isTuning(words.slice(at + 1)));
}

const isTuning = (words: readonly (string | undefined)[]): boolean =>
  words.slice(0, 3).some((word) => word !== undefined && IGNORED_ALTERATIONS.has(word));

/** What stands in place of one or more nodes; `used` is how many. */
type Replacement = { readonly nodes: readonly Node[]; readonly used: number };
type Rule = (nodes: readonly Node[], at: number) => Replacement | undefined;

function rewriteToken(token: Token, { parameterNumber }: RewriteOptions): Token {
  if (token.kind === 'name') return { ...token, text: token.text.replace(/[A-Z]+/g, (upper) => upper.toLowerCase()) };
  if (token.kind !== 'parameter') return token;
  const number = parameterNumber?.(token.text.slice(1));
  return number === undefined ? token : { ...token, text: `$${number}` };
}

function rewriteStatement(nodes: readonly Node[]): Node[] {
  const first = wordOf(nodes[0]);
  const rewritten = rewriteSequence(nodes);
  if (first === 'create') return rewriteCreate(rewritten);
  if (first === 'alter') return rewriteAlter(rewritten);
  if (first === 'set') return rewriteSet(rewritten);
  return rewritten;
}

/** Rewrites the groups first and then the sequence, so that a rule sees arguments that are done. */
function rewriteSequence(given: readonly Node[]): Node[] {
  const nodes = given.map((node) => (node.kind === 'group' ? { ...node, nodes: rewriteSequence(node.nodes) } : node));
  const result: Node[] = [];
  for (let at = 0; at < nodes.length; ) {
    const replacement = firstReplacement(nodes, at);
    const node = nodes[at];
    if (replacement !== undefined) result.push(...replacement.nodes);
    else if (node !== undefined) result.push(node);
    at += replacement?.used ?? 1;
  }
  return limitTop(result);
}

function firstReplacement(nodes: readonly Node[], at: number): Replacement | undefined {
  if (isDot(nodes[at - 1])) return undefined;
  for (const rule of RULES) {
    const replacement = rule(nodes, at);
    if (replacement !== undefined) return replacement;
  }
  return undefined;
}

const isDot = (node: Node | undefined): boolean => node?.kind === 'sign' && node.text === '.';
const isName = (node: Node | undefined): boolean => node?.kind === 'word' || node?.kind === 'name';
const leadOf = (node: Node | undefined): string => (node?.kind === 'group' ? node.open.lead : (node?.lead ?? ''));
const trimmed = (nodes: readonly Node[]): string => render(nodes).trim();

/** A piece of finished SQL; the later steps leave it alone. */
const raw = (text: string, lead: string): Token => ({ kind: 'sign', text, lead, offset: -1 });
const withText = (token: Node | undefined, text: string): Token => raw(text, leadOf(token));

// Calls

type CallRewriter = (call: {
  args: readonly Node[][];
  group: Group;
  following: readonly Node[];
}) => { text: string; used?: number } | undefined;

const callRule: Rule = (nodes, at) => {
  const name = wordOf(nodes[at]);
  const group = nodes[at + 1];
  if (name === undefined || !isGroup(group) || !Object.hasOwn(CALLS, name)) return undefined;
  const call = { args: splitByComma(group.nodes), group, following: nodes.slice(at + 2) };
  const rewritten = CALLS[name]?.(call);
  if (rewritten === undefined) return undefined;
  return { nodes: [withText(nodes[at], rewritten.text)], used: 2 + (rewritten.used ?? 0) };
};

const renamed =
  (name: string): CallRewriter =>
  ({ group }) => ({ text: `${name}${render([group])}` });

/** `DATEADD(day, 1, x)`: the first argument becomes a literal with the part's canonical name. */
const withDatePart =
  (name: string): CallRewriter =>
  ({ args: [first = [], ...others] }) => {
    const part = first.length === 1 ? datePartOf(first[0]) : undefined;
    if (part === undefined) return undefined;
    return { text: `${name}('${part}',${others.map(render).join(',')})` };
  };

const nvl2: CallRewriter = ({ args: [value, present, absent] }) =>
  value && present && absent
    ? { text: `(CASE WHEN (${render(value)}) IS NOT NULL THEN${spaced(present)} ELSE${spaced(absent)} END)` }
    : undefined;

/** DECODE with two arguments is PostgreSQL's function for binary strings. */
const decode: CallRewriter = ({ args: [value, ...others] }) => {
  if (value === undefined || others.length < 2) return undefined;
  const branches: string[] = [];
  for (let at = 0; at + 1 < others.length; at += 2) {
    const [search = [], result = []] = others.slice(at);
    branches.push(`WHEN (${render(value)}) IS NOT DISTINCT FROM (${render(search)}) THEN${spaced(result)}`);
  }
  const fallback = others.length % 2 === 1 ? ` ELSE${spaced(others.at(-1) ?? [])}` : '';
  return { text: `(CASE ${branches.join(' ')}${fallback} END)` };
};

const extract: CallRewriter = ({ group }) => {
  const [first, from, ...source] = group.nodes;
  const part = datePartOf(first);
  if (part === undefined || wordOf(from) !== 'from') return undefined;
  return { text: `${FUNCTION_SCHEMA}.extract_part('${part}',${spaced(source)})` };
};

/** NULL and the empty string are ignored, as LISTAGG does. */
const listagg: CallRewriter = ({ args: [first = [], delimiter], following }) => {
  const isDistinct = wordOf(first[0]) === 'distinct';
  const value = trimmed(isDistinct ? first.slice(1) : first);
  const expression = `NULLIF((${value})::text, '')`;
  const [within, group, order] = following;
  const isOrdered = wordOf(within) === 'within' && wordOf(group) === 'group' && isGroup(order);
  const parts = isOrdered ? splitByComma(order.nodes.slice(2)) : [];
  const keys = parts.map((part) => orderKey(part, isDistinct, value, expression));
  const orderBy = keys.length > 0 ? ` ORDER BY ${keys.join(', ')}` : '';
  const separator = delimiter === undefined ? "''" : trimmed(delimiter);
  const text = `string_agg(${isDistinct ? 'DISTINCT ' : ''}${expression}, ${separator}${orderBy})`;
  return { text, used: isOrdered ? 3 : 0 };
};

/** With DISTINCT, PostgreSQL only orders by what it aggregates. */
function orderKey(part: readonly Node[], isDistinct: boolean, value: string, expression: string): string {
  const direction = ['asc', 'desc'].find((word) => wordOf(part.at(-1)) === word);
  const key = trimmed(direction === undefined ? part : part.slice(0, -1));
  return `${isDistinct && key === value ? expression : key}${direction === undefined ? '' : ` ${direction}`}`;
}

const median: CallRewriter = ({ group }) => ({
  text: `percentile_cont(0.5) WITHIN GROUP (ORDER BY ${trimmed(group.nodes)})`,
});

const convert: CallRewriter = ({ args }) => {
  const [type, value] = args;
  if (args.length !== 2 || type === undefined || value === undefined) return undefined;
  return { text: `CAST((${trimmed(value)}) AS ${trimmed(rewriteType(type, 'cast'))})` };
};

const cast: CallRewriter = ({ group }) => {
  const as = group.nodes.findLastIndex((node) => wordOf(node) === 'as');
  if (as === -1) return undefined;
  const type = rewriteType(group.nodes.slice(as + 1), 'cast');
  return { text: `CAST(${render([...group.nodes.slice(0, as + 1), ...type])})` };
};

const array: CallRewriter = ({ group }) =>
  wordOf(group.nodes[0]) === 'select' ? undefined : { text: `jsonb_build_array${render([group])}` };

const CALLS: Readonly<Record<string, CallRewriter>> = {
  nvl: renamed('COALESCE'),
  nvl2,
  decode,
  extract,
  listagg,
  median,
  convert,
  cast,
  array,
  object: renamed('jsonb_build_object'),
  // JSON_SERIALIZE is PostgreSQL syntax with another meaning unless its schema is named.
  json_serialize: renamed(`${FUNCTION_SCHEMA}.json_serialize`),
  ...Object.fromEntries(
    ['dateadd', 'date_add', 'datediff', 'date_diff', 'date_part', 'date_trunc'].map((n) => [n, withDatePart(n)]),
  ),
};

const spaced = (nodes: readonly Node[]): string => ` ${trimmed(nodes)}`;

// Date parts

/** Canonical name to the spellings that Redshift takes. Source: 'Date parts for date or timestamp functions'. */
const DATE_PARTS: Readonly<Record<string, string>> = {
  millennium: 'millennium millennia mil mils',
  century: 'century centuries c cent cents',
  decade: 'decade decades dec decs',
  epoch: 'epoch',
  year: 'year years y yr yrs',
  quarter: 'quarter quarters qtr qtrs',
  month: 'month months mon mons',
  week: 'week weeks w',
  dow: 'dayofweek dow dw weekday',
  doy: 'dayofyear doy dy yearday',
  day: 'day days d',
  hour: 'hour hours h hr hrs',
  minute: 'minute minutes m min mins',
  second: 'second seconds s sec secs',
  milliseconds: 'millisecond milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon',
  microseconds: 'microsecond microseconds microsec microsecs microsecon usecond useconds us usec usecs',
  timezone: 'timezone',
  timezone_hour: 'timezone_hour',
  timezone_minute: 'timezone_minute',
};
const datePartBySpelling = new Map(
  Object.entries(DATE_PARTS).flatMap(([part, spellings]) => spellings.split(' ').map((spelling) => [spelling, part])),
);

function datePartOf(node: Node | undefined): string | undefined {
  if (node?.kind !== 'word' && node?.kind !== 'string') return undefined;
  const spelling = node.kind === 'string' ? node.text.slice(1, -1) : node.text;
  return datePartBySpelling.get(spelling.toLowerCase());
}

// Words and types

const CLOCKS: Readonly<Record<string, string>> = { sysdate: 'sysdate()', current_date: 'today()' };

const clockRule: Rule = (nodes, at) => {
  const word = wordOf(nodes[at]);
  if (word === undefined || !Object.hasOwn(CLOCKS, word)) return undefined;
  if (wordOf(nodes[at - 1]) === 'as' || isGroup(nodes[at + 1]) || isDot(nodes[at + 1])) return undefined;
  return { nodes: [withText(nodes[at], `${FUNCTION_SCHEMA}.${CLOCKS[word]}`)], used: 1 };
};

const minusRule: Rule = (nodes, at) => {
  const next = nodes[at + 1];
  if (wordOf(nodes[at]) !== 'minus' || at === 0) return undefined;
  const isQuery = wordOf(next) === 'select' || (isGroup(next) && wordOf(next.nodes[0]) === 'select');
  return isQuery ? { nodes: [withText(nodes[at], 'EXCEPT')], used: 1 } : undefined;
};

const approximateRule: Rule = (nodes, at) =>
  wordOf(nodes[at]) === 'approximate' && isGroup(nodes[at + 2]) ? { nodes: [], used: 1 } : undefined;

const castSignRule: Rule = (nodes, at) => {
  const sign = nodes[at];
  if (sign?.kind !== 'sign' || sign.text !== '::') return undefined;
  const type = nodes.slice(at + 1, at + 1 + typeLength(nodes.slice(at + 1)));
  return { nodes: [sign, ...rewriteType(type, 'cast')], used: 1 + type.length };
};

const RULES: readonly Rule[] = [callRule, clockRule, minusRule, approximateRule, castSignRule];

/** `SELECT TOP n …` is `SELECT … LIMIT n` at the end of the same query. */
function limitTop(nodes: readonly Node[]): Node[] {
  const top = nodes.findIndex((node, at) => wordOf(node) === 'top' && isSelect(nodes, at) && isCount(nodes[at + 1]));
  const count = nodes[top + 1];
  if (top === -1 || count === undefined) return [...nodes];
  const rest = nodes.slice(top + 2);
  const end = rest.findIndex((node) => SET_OPERATORS.has(wordOf(node) ?? '') || trimmed([node]) === ';');
  const limited = [...(end === -1 ? rest : rest.slice(0, end)), raw(`LIMIT ${trimmed([count])}`, '\n')];
  return [...nodes.slice(0, top), ...limited, ...(end === -1 ? [] : rest.slice(end))];
}

const SET_OPERATORS = new Set(['union', 'intersect', 'except']);
const isSelect = (nodes: readonly Node[], at: number): boolean =>
  ['select', 'distinct', 'all'].includes(wordOf(nodes[at - 1]) ?? '');
const isCount = (node: Node | undefined): boolean => node?.kind === 'number';

/** Nodes of the type at the start: its words and the group of its size. */
function typeLength(nodes: readonly Node[]): number {
  const [first, second] = [wordOf(nodes[0]), wordOf(nodes[1])];
  const isDouble = second !== undefined && TWO_WORD_TYPES.has(`${first} ${second}`);
  const words = isDouble ? 2 : 1;
  return isGroup(nodes[words]) ? words + 1 : words;
}

const TWO_WORD_TYPES = new Set(['double precision', 'character varying', 'binary varying']);

/** Returns the nodes with the type at their start in PostgreSQL's words; the others unchanged. */
function rewriteType(nodes: readonly Node[], place: 'cast' | 'column'): Node[] {
  const length = typeLength(nodes);
  const type = nodes.slice(0, length);
  const size = isGroup(type.at(-1)) ? trimmed(type.slice(-1)) : '';
  const name = trimmed(size === '' ? type : type.slice(0, -1)).toLowerCase();
  const postgres = postgresType(name, size, place);
  if (postgres === undefined) return [...nodes];
  return [withText(nodes[0], postgres), ...nodes.slice(length)];
}

function postgresType(name: string, size: string, place: 'cast' | 'column'): string | undefined {
  const isMax = /^\(\s*max\s*\)$/i.test(size);
  if (name === 'super') return 'jsonb';
  if (['varbyte', 'varbinary', 'binary varying'].includes(name)) return 'bytea';
  if (['nvarchar', 'varchar', 'character varying', 'text'].includes(name) && isMax) return 'varchar(65535)';
  if (['nchar', 'char', 'character', 'bpchar'].includes(name) && isMax) return 'char(4096)';
  if (name === 'nvarchar') return `varchar${size}`;
  if (place === 'cast' && ['numeric', 'decimal'].includes(name) && size === '') return 'numeric(18,0)';
  return undefined;
}

// Definitions

function rewriteCreate(nodes: readonly Node[]): Node[] {
  const kind = nodes.slice(1, 6).findIndex((node) => ['table', 'view'].includes(wordOf(node) ?? '')) + 1;
  if (kind === 0) return [...nodes];
  if (wordOf(nodes[kind]) === 'view') return withoutWords(nodes, ['with', 'no', 'schema', 'binding']);
  const as = nodes.findIndex((node, at) => at > kind && wordOf(node) === 'as');
  const head = as === -1 ? nodes : nodes.slice(0, as);
  const columns = head.findIndex((node, at) => at > kind && isGroup(node) && isName(head[at - 1]));
  const isColumns = columns !== -1 && !TABLE_ATTRIBUTES.has(wordOf(head[columns - 1]) ?? '');
  const rewritten = head.map((node, at) =>
    isColumns && at === columns && isGroup(node) ? rewriteColumns(node) : node,
  );
  return [...withoutAttributes(rewritten, TABLE_ATTRIBUTES), ...(as === -1 ? [] : nodes.slice(as))];
}

function rewriteColumns(group: Group): Group {
  const columns = splitByComma(group.nodes).map((column) => {
    const [name] = column;
    const isConstraint = CONSTRAINTS.has(wordOf(name) ?? '');
    return name === undefined || isConstraint ? column : rewriteColumn(column);
  });
  const comma = raw(',', '');
  return { ...group, nodes: columns.flatMap((column, at) => (at === 0 ? column : [comma, ...column])) };
}

const CONSTRAINTS = new Set(['primary', 'unique', 'foreign', 'constraint', 'check', 'like', 'exclude']);

const rewriteColumn = ([name, ...definition]: readonly Node[]): Node[] =>
  name === undefined
    ? []
    : identity(withoutAttributes([name, ...rewriteType(definition, 'column')], COLUMN_ATTRIBUTES));

/** Attributes of a column and of a table, each with the number of nodes that follow it. */
const COLUMN_ATTRIBUTES: ReadonlyMap<string, number> = new Map([
  ['distkey', 0],
  ['sortkey', 0],
  ['encode', 1],
]);
const TABLE_ATTRIBUTES: ReadonlyMap<string, number> = new Map([
  ['diststyle', 1],
  ['distkey', 1],
  ['sortkey', 1],
  ['compound', 0],
  ['interleaved', 0],
  ['encode', 1],
  ['backup', 1],
]);

/** The first node is a name, whatever it looks like. */
function withoutAttributes(nodes: readonly Node[], attributes: ReadonlyMap<string, number>): Node[] {
  const kept: Node[] = [];
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    const following = at > 0 ? attributes.get(wordOf(node) ?? '') : undefined;
    if (following !== undefined) at += following;
    else if (node !== undefined) kept.push(node);
  }
  return kept;
}

/** `IDENTITY(seed, step)`, alone or after GENERATED BY DEFAULT AS. */
function identity(column: readonly Node[]): Node[] {
  const at = column.findIndex((node) => wordOf(node) === 'identity');
  const group = column[at + 1];
  if (at === -1 || !isGroup(group)) return [...column];
  const [seed = [], step = []] = splitByComma(group.nodes);
  const start = `START WITH ${trimmed(seed)} INCREMENT BY ${trimmed(step)} MINVALUE ${Math.min(1, Number(trimmed(seed)))}`;
  const generated = wordOf(column[at - 1]) === 'as' ? '' : 'GENERATED BY DEFAULT AS ';
  return [...column.slice(0, at), withText(column[at], `${generated}IDENTITY (${start})`), ...column.slice(at + 2)];
}

function rewriteAlter(nodes: readonly Node[]): Node[] {
  const add = nodes.findIndex((node) => wordOf(node) === 'add');
  if (wordOf(nodes[1]) !== 'table' || add === -1) return [...nodes];
  const first = wordOf(nodes[add + 1]) === 'column' ? add + 2 : add + 1;
  if (CONSTRAINTS.has(wordOf(nodes[first]) ?? '')) return [...nodes];
  return [...nodes.slice(0, first), ...rewriteColumn(nodes.slice(first))];
}

/** The functions stay in reach when a script sets its own schemas. */
function rewriteSet(nodes: readonly Node[]): Node[] {
  const isSearchPath = nodes.slice(1, 3).some((node) => wordOf(node) === 'search_path');
  return isSearchPath ? [...nodes, raw(`, ${FUNCTION_SCHEMA}, pg_catalog`, '')] : [...nodes];
}

function withoutWords(nodes: readonly Node[], words: readonly string[]): Node[] {
  const at = nodes.findIndex((_, start) => words.every((word, step) => wordOf(nodes[start + step]) === word));
  return at === -1 ? [...nodes] : [...nodes.slice(0, at), ...nodes.slice(at + words.length)];
}
