/**
 * A look at SQL texts that knows no grammar: literals, quoted names, comments, parentheses and semicolons.
 *
 * A model's query and predicates become parts of a larger statement, so each must be complete in itself: nothing left
 * open, nothing that ends the statement. What the warehouse thinks of the rest, it says when it runs.
 */

/** What is wrong with a SQL text. */
export type SqlProblem = { readonly found: string; readonly allowed: string };

type Kind = 'space' | 'comment' | 'literal' | 'name' | 'open' | 'close' | 'semicolon' | 'other';
type Part = { readonly kind: Kind; readonly start: number; readonly end: number };
type Scan = { readonly parts: readonly Part[]; readonly problem?: SqlProblem };

/**
 * Returns what is wrong with a query, or undefined: it must be one SELECT or WITH statement, complete in itself. One
 * semicolon at its end is let pass (see `stripTrailingSemicolon`).
 */
export function queryProblem(text: string): SqlProblem | undefined {
  const scan = scanSql(text);
  const common = textProblem(text, scan, true);
  if (common) return common;
  const word = firstWord(text, scan);
  if (/^(select|with)$/i.test(word)) return undefined;
  const found = `${word === '' ? 'a sign' : word.toUpperCase()} at the beginning`;
  return { found, allowed: 'one SELECT or WITH statement' };
}

/** Returns what is wrong with a predicate, or undefined: it must be complete in itself and hold no semicolon. */
export function predicateProblem(text: string): SqlProblem | undefined {
  const scan = scanSql(text);
  const common = textProblem(text, scan, false);
  if (common) return common;
  const word = firstWord(text, scan);
  return /^(where|select|with)$/i.test(word)
    ? { found: `the word ${word.toUpperCase()}`, allowed: 'only the predicate, such as ltv > 100' }
    : undefined;
}

/**
 * Returns a statement without its one trailing semicolon and without the white space and comments around its end, so
 * that it can be put into parentheses. A text with something left open is returned as it is.
 */
export function stripTrailingSemicolon(query: string): string {
  const { parts, problem } = scanSql(query);
  if (problem) return query;
  const significant = parts.filter(isSignificant);
  const last = significant.at(-1);
  return query.slice(0, last?.kind === 'semicolon' ? (significant.at(-2)?.end ?? 0) : last?.end);
}

/** Returns a predicate without the white space and comments at its end; a line comment there would hide what follows. */
export function stripTrailingComments(predicate: string): string {
  const { parts, problem } = scanSql(predicate);
  return problem ? predicate : predicate.slice(0, parts.filter(isSignificant).at(-1)?.end);
}

/** Returns how deeply parentheses nest; 0 for a text without any. */
export function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const { kind } of scanSql(text).parts) {
    depth += kind === 'open' ? 1 : kind === 'close' ? -1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const isSignificant = ({ kind }: Part): boolean => kind !== 'space' && kind !== 'comment';

function firstWord(text: string, { parts }: Scan): string {
  const first = parts.find(isSignificant);
  return first?.kind === 'other' ? (/^\w+/.exec(text.slice(first.start, first.end))?.[0] ?? '') : '';
}

function textProblem(text: string, { parts, problem }: Scan, mayEndInSemicolon: boolean): SqlProblem | undefined {
  if (text.includes('\0')) return { found: 'a NUL character', allowed: 'text without NUL' };
  if (problem) return problem;
  const significant = parts.filter(isSignificant);
  const content = significant.filter(({ kind }) => kind !== 'semicolon');
  if (content.length === 0) return { found: 'no SQL', allowed: 'SQL' };
  const semicolons = significant.flatMap((part, index) => (part.kind === 'semicolon' ? [{ part, index }] : []));
  const [stray] = mayEndInSemicolon ? semicolons.filter(({ index }) => index < significant.length - 1) : semicolons;
  if (stray === undefined) return undefined;
  const allowed = mayEndInSemicolon ? 'one statement' : 'one predicate without a semicolon';
  return { found: `a semicolon in line ${lineOf(text, stray.part.start)}`, allowed };
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

/** Splits a text into parts that cover it without a gap; with a problem, up to where the problem begins. */
function scanSql(text: string): Scan {
  const parts: Part[] = [];
  const open: number[] = [];
  let start = 0;
  while (start < text.length) {
    const { kind, end } = partAt(text, start);
    if (end === undefined) {
      const found = `${UNCLOSED[kind]} in line ${lineOf(text, start)} that does not end`;
      return { parts, problem: { found, allowed: 'closed quotes and comments' } };
    }
    if (kind === 'literal' && isEscapedQuote(text.slice(start, end))) {
      const found = `a backslash before a quote in line ${lineOf(text, start)}`;
      return { parts, problem: { found, allowed: "'' for a quote, and \\\\ for a backslash, inside a literal" } };
    }
    if (kind === 'open') open.push(start);
    if (kind === 'close' && open.pop() === undefined) {
      return {
        parts,
        problem: { found: `a ) too many in line ${lineOf(text, start)}`, allowed: 'balanced parentheses' },
      };
    }
    parts.push({ kind, start, end });
    start = end;
  }
  const unclosed = open.at(-1);
  if (unclosed === undefined) return { parts };
  return {
    parts,
    problem: { found: `a ( in line ${lineOf(text, unclosed)} that is not closed`, allowed: 'balanced parentheses' },
  };
}

const UNCLOSED: Readonly<Record<Kind, string>> = {
  comment: 'a comment',
  literal: 'a literal',
  name: 'a quoted name',
  space: 'a space',
  open: 'a (',
  close: 'a )',
  semicolon: 'a semicolon',
  other: 'a word',
};

/** Warehouses differ in whether a backslash escapes a quote, so a literal must read alike both ways. */
const isEscapedQuote = (literal: string): boolean => /(?<!\\)(\\\\)*\\'/.test(literal);

/** Returns the part that begins at `start`; its end is undefined when it never ends. */
function partAt(text: string, start: number): { kind: Kind; end: number | undefined } {
  const two = text.slice(start, start + 2);
  if (two === '--') return { kind: 'comment', end: endOfLine(text, start) };
  if (two === '/*') return { kind: 'comment', end: endOfComment(text, start) };
  const one = text.charAt(start);
  if (one === "'") return { kind: 'literal', end: endOfQuoted(text, start, "'") };
  if (one === '"') return { kind: 'name', end: endOfQuoted(text, start, '"') };
  const sign = SIGNS[one];
  if (sign) return { kind: sign, end: start + 1 };
  return /\s/.test(one)
    ? { kind: 'space', end: endOf(/\S/g, text, start) }
    : { kind: 'other', end: endOf(/[\s'"();]|--|\/\*/g, text, start) };
}

const SIGNS: Readonly<Record<string, Kind>> = { '(': 'open', ')': 'close', ';': 'semicolon' };

function endOf(next: RegExp, text: string, start: number): number {
  next.lastIndex = start + 1;
  return next.exec(text)?.index ?? text.length;
}

function endOfLine(text: string, start: number): number {
  return endOf(/[\n\r]/g, text, start);
}

/** A doubled quote inside stands for one; the scan may begin anew after it, as both halves are quoted. */
function endOfQuoted(text: string, start: number, mark: string): number | undefined {
  for (let from = start + 1; ; ) {
    const close = text.indexOf(mark, from);
    if (close === -1) return undefined;
    if (text.charAt(close + 1) !== mark) return close + 1;
    from = close + 2;
  }
}

/** Comments nest, as in PostgreSQL. */
function endOfComment(text: string, start: number): number | undefined {
  let depth = 0;
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return undefined;
}
