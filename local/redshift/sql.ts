/**
 * SQL text as tokens and as nested groups, for the dialect and for the checks in the tests.
 *
 * Nothing here understands a statement: it only knows what is a literal, a quoted name, a comment, a word, a number or
 * a sign, so that whoever rewrites or searches never looks inside literals, quoted names and comments. Joining the
 * tokens' `lead` and `text` gives the very text that came in. An unterminated literal or comment runs to the end of the
 * text: the database's own error is better than one from here.
 */

export type TokenKind = 'word' | 'name' | 'string' | 'number' | 'parameter' | 'sign';

/** `lead` is the white space and the comments before it; `offset` where its text starts. */
export type Token = { readonly kind: TokenKind; readonly text: string; readonly lead: string; readonly offset: number };

/** What stands between two brackets. A bracket that is never closed is an ordinary sign. */
export type Group = {
  readonly kind: 'group';
  readonly open: Token;
  readonly nodes: readonly Node[];
  readonly close: Token;
};
export type Node = Token | Group;

export type Tokens = { readonly tokens: readonly Token[]; readonly tail: string };

/**
 * How ordinary literals ('…') treat a backslash: Redshift as an escape (its documented LIKE patterns and regular
 * expressions double it), PostgreSQL as itself. Source: Amazon Redshift, 'LIKE'.
 */
export type Backslash = 'escapes' | 'literal';

const LEAD = /(?:\s+|--[^\n]*)+/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const PARAMETER = /:[A-Za-z_]\w*/y;
const NAME = /"(?:[^"]+|"")*(?:"|$)/y;
const STRING = { literal: /'(?:[^']+|'')*(?:'|$)/y, escapes: /'(?:[^'\\]+|''|\\[\s\S]|\\$)*(?:'|$)/y };
const ESCAPE_STRING = /[eE](?=')/y;
const PREFIXED_STRING = /(?:[bBxX]|[uU]&)(?=')/y;
const PREFIXED_NAME = /[uU]&(?=")/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
/** Two-character signs matter only where their parts would be read otherwise: `::` is no parameter. */
const SIGN = /::|:=|<=|>=|<>|!=|\|\||->>|->|@>|<@|#>>|#>|!~\*|~\*|!~|=>|[\s\S]/y;

/** Splits `sql` into tokens; `tail` is what follows the last one. */
export function tokenize(sql: string, backslash: Backslash): Tokens {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    const offset = endOfLead(sql, at);
    const lead = sql.slice(at, offset);
    if (offset >= sql.length) return { tokens, tail: lead };
    const [kind, end] = read(sql, offset, backslash);
    tokens.push({ kind, text: sql.slice(offset, end), lead, offset });
    at = end;
  }
}

/** Nests tokens by their brackets, round and square. */
export function nest(tokens: readonly Token[]): Node[] {
  const root: Node[] = [];
  const opened: { open: Token; nodes: Node[] }[] = [];
  const here = () => opened.at(-1)?.nodes ?? root;
  for (const token of tokens) {
    const isClose = token.text === ')' || token.text === ']';
    const last = opened.at(-1);
    if (token.text === '(' || token.text === '[') opened.push({ open: token, nodes: [] });
    else if (isClose && last !== undefined && closes(last.open.text, token.text)) {
      opened.pop();
      here().push({ kind: 'group', open: last.open, nodes: last.nodes, close: token });
    } else here().push(token);
  }
  for (const { open, nodes } of opened) root.push(open, ...nodes);
  return root;
}

/** Returns the text of the nodes, leads included. */
export function render(nodes: readonly Node[]): string {
  return nodes
    .map((node) =>
      node.kind === 'group'
        ? node.open.lead + node.open.text + render(node.nodes) + node.close.lead + node.close.text
        : node.lead + node.text,
    )
    .join('');
}

/** Returns the nodes between the commas; nothing at all has no parts. */
export function splitByComma(nodes: readonly Node[]): Node[][] {
  if (nodes.length === 0) return [];
  const parts: Node[][] = [[]];
  for (const node of nodes) {
    if (node.kind === 'sign' && node.text === ',') parts.push([]);
    else parts.at(-1)?.push(node);
  }
  return parts;
}

/** A statement of a script: its text without the semicolon, and the line on which it starts (1 is the first). */
export type ScriptStatement = { readonly sql: string; readonly line: number };

/** Splits a script at its semicolons; empty statements are left out. */
export function splitScript(script: string, backslash: Backslash): ScriptStatement[] {
  const statements: ScriptStatement[] = [];
  const lineAt = lineCounter(script);
  let start: number | undefined;
  const finish = (end: number) => {
    if (start !== undefined) statements.push({ sql: script.slice(start, end), line: lineAt(start) });
    start = undefined;
  };
  for (const token of tokenize(script, backslash).tokens) {
    if (token.kind === 'sign' && token.text === ';') finish(token.offset);
    else start ??= token.offset;
  }
  finish(script.length);
  return statements;
}

/** Counts lines for offsets that only grow: a script of many statements is read once. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let at = 0;
  return (offset) => {
    for (; at < offset; at += 1) if (text[at] === '\n') line += 1;
    return line;
  };
}

/** Returns the word in lower case, as both databases read it; undefined for anything else. */
export const wordOf = (node: Node | undefined): string | undefined =>
  node?.kind === 'word' ? node.text.toLowerCase() : undefined;

export const isGroup = (node: Node | undefined, open = '('): node is Group =>
  node?.kind === 'group' && node.open.text === open;

/** Returns where the first of a node's tokens starts. */
export const offsetOf = (node: Node): number => (node.kind === 'group' ? node.open.offset : node.offset);

const closes = (open: string, close: string): boolean => (open === '(' ? close === ')' : close === ']');

function match(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}

function endOfLead(sql: string, start: number): number {
  let at = start;
  for (;;) {
    const end = sql.startsWith('/*', at) ? endOfComment(sql, at) : match(LEAD, sql, at);
    if (end === undefined) return at;
    at = end;
  }
}

/** Block comments nest. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at += 1) {
    if (sql.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith('*/', at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  return sql.length;
}

function read(sql: string, at: number, backslash: Backslash): [TokenKind, number] {
  const string = endOfString(sql, at, backslash);
  if (string !== undefined) return ['string', string];
  const name = match(NAME, sql, match(PREFIXED_NAME, sql, at) ?? at);
  if (name !== undefined) return ['name', name];
  for (const [kind, pattern] of PLAIN) {
    const end = match(pattern, sql, at);
    if (end !== undefined) return [kind, end];
  }
  return ['sign', at + 1];
}

const PLAIN: readonly (readonly [TokenKind, RegExp])[] = [
  ['word', WORD],
  ['number', NUMBER],
  ['parameter', PARAMETER],
  ['sign', SIGN],
];

function endOfString(sql: string, at: number, backslash: Backslash): number | undefined {
  const escaped = match(ESCAPE_STRING, sql, at);
  if (escaped !== undefined) return match(STRING.escapes, sql, escaped);
  const prefixed = match(PREFIXED_STRING, sql, at);
  if (prefixed !== undefined) return match(STRING.literal, sql, prefixed);
  const tagEnd = match(DOLLAR_TAG, sql, at);
  if (tagEnd !== undefined) {
    const tag = sql.slice(at, tagEnd);
    const end = sql.indexOf(tag, tagEnd);
    return end === -1 ? sql.length : end + tag.length;
  }
  return match(STRING[backslash], sql, at);
}
