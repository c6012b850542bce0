/**
 * YAML text to a tree with places, and nothing that a parameter file has no use for.
 *
 * Limits hold before anything is built, since a text that nests too deeply would end the process: size, number of
 * tokens, depth, aliases. Messages are this file's own, because the parser's may quote the text, and a text may hold a
 * secret. Failure is never an exception: problems are returned, and `tree` is left out when the text cannot be read.
 */
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, YAMLError } from 'yaml';
import { describe, type Finding, type Place, type Problem, problemAt, quote } from './problems.ts';
import { type Entry, isForbiddenKey, type Tree } from './tree.ts';

const MAX_BYTES = 1_000_000;
/** More than any file that people write; a hostile one is turned away in about a second. */
const MAX_TOKENS = 300_000;
/** Rules nest 20 levels of two each; the rest is above them. */
const MAX_DEPTH = 100;
const MAX_ALIASES = 100;
/** Parts with every alias written out. */
const MAX_PARTS = 100_000;

/** The content of a YAML text; without `tree` it could not be read, or not without doubt. */
export type YamlResult = { readonly tree?: Tree; readonly problems: readonly Problem[] };

/** Returns the tree of a YAML text and its problems. `file` is the name that places carry. */
export function readYaml(text: string, file: string): YamlResult {
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refused = (found: string, allowed: string, offset = 0): YamlResult => ({
    problems: [problemAt(at(offset), { path: [], found, allowed })],
  });
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) return refused(`${bytes} bytes`, `at most ${MAX_BYTES} bytes`);

  const tokens = tokensOf(text, lines);
  if (!Array.isArray(tokens)) return refused(tokens.found, tokens.allowed, tokens.offset);
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, resolveKnownTags: false };
  const [document, second] = [...new Composer(options).compose(tokens, true, text.length)];
  if (document === undefined) return refused('nothing', 'a parameter file');
  const problems = syntaxProblems(document, at);
  if (second !== undefined) {
    const finding = {
      path: [],
      found: 'a second document',
      allowed: 'one document in a file',
      hint: 'leave out the --- before it',
    };
    problems.push(problemAt(at(second.range[0]), finding));
  }
  if (problems.length > 0) return { problems };
  return treeOfDocument(document, at);
}

type Refusal = { readonly found: string; readonly allowed: string; readonly offset: number };

function tokensOf(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    count += 1;
    const refusal = (found: string, allowed: string): Refusal => ({ found, allowed, offset: parser.offset });
    if (parser.stack.length > MAX_DEPTH) return refusal('parts inside one another', `at most ${MAX_DEPTH} levels`);
    if (count > MAX_TOKENS) return refusal('a text of very many parts', `at most ${MAX_TOKENS} words and signs`);
  }
  tokens.push(...parser.end());
  return tokens;
}

/** What the parser's codes mean for the writer of a parameter file: found, allowed, advice. */
const SYNTAX: Readonly<Record<string, readonly [found: string, allowed: string, hint?: string]>> = {
  BAD_DQ_ESCAPE: ['an unknown escape in double quotes', '\\n, \\t, \\", \\\\ and the like', 'use single quotes'],
  BAD_INDENT: [
    'a line that is indented in another way than its neighbours',
    'the same spaces before each key of a map',
  ],
  BAD_SCALAR_START: ['a value that begins with a reserved sign', "the value in quotes: '…'"],
  BLOCK_AS_IMPLICIT_KEY: ['a second key in one line', 'one key a line', "put a text with ': ' into quotes"],
  MISSING_CHAR: ['a quote, bracket or colon that is missing', 'closed quotes and brackets, and a : after each key'],
  MULTILINE_IMPLICIT_KEY: ['a key over several lines', 'key: value', 'is a : missing?'],
  TAB_AS_INDENT: ['a tab', 'spaces before a key'],
  TAG_RESOLVE_FAILED: ['an unknown tag (!…)', 'plain values', 'put a text that begins with ! into quotes'],
  BAD_DIRECTIVE: ['a directive (%…)', 'no directives'],
  UNEXPECTED_TOKEN: ['something unexpected after a value', 'one value', 'put a text with quotes or : into quotes'],
};

function syntaxProblems(document: Document.Parsed, at: (offset: number) => Place): Problem[] {
  const byLine = new Map<number, Problem>();
  for (const error of [...document.errors, ...document.warnings]) {
    const { code, pos } = error instanceof YAMLError ? error : { code: 'IMPOSSIBLE', pos: [0] };
    const [found, allowed, hint] = SYNTAX[code] ?? ['something that is no YAML', 'key: value, lists and quoted texts'];
    const problem = problemAt(at(pos[0] ?? 0), { path: [], found, allowed, hint });
    if (!byLine.has(problem.line)) byLine.set(problem.line, problem);
  }
  const { yaml } = document.directives ?? {};
  if (byLine.size === 0 && yaml?.explicit === true && yaml.version !== '1.2') {
    const finding = { path: [], found: `YAML ${yaml.version}`, allowed: 'YAML 1.2', hint: 'leave out the %YAML line' };
    byLine.set(1, problemAt(at(0), finding));
  }
  return [...byLine.values()];
}

/** A converted node; height and parts count every alias as if it were written out. */
type Built = { readonly tree: Tree; readonly height: number; readonly parts: number };

function treeOfDocument(document: Document.Parsed, at: (offset: number) => Place): YamlResult {
  const problems: Problem[] = [];
  const anchored = new Map<string, Built | 'open'>();
  let aliases = 0;
  let isInDoubt = false;

  const report = (offset: number, finding: Finding): void => {
    problems.push(problemAt(at(offset), finding));
  };
  const doubt = (offset: number, finding: Finding): Built => {
    report(offset, finding);
    isInDoubt = true;
    return scalar(null, offset);
  };
  const scalar = (value: unknown, offset: number): Built => ({
    tree: { kind: 'scalar', at: at(offset), value: isPlainValue(value) ? value : String(value) },
    height: 1,
    parts: 1,
  });
  const offsetOf = (node: unknown, otherwise: number): number => {
    const range: unknown = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
    return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : otherwise;
  };

  function build(node: unknown, path: readonly (string | number)[], around: number): Built {
    const offset = offsetOf(node, around);
    if (isAlias(node)) return buildAlias(node.source, path, offset);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) anchored.set(anchor, 'open');
    const built = buildContent(node, path, offset);
    if (anchor !== undefined) anchored.set(anchor, built);
    return built;
  }

  function buildAlias(name: string, path: readonly (string | number)[], offset: number): Built {
    aliases += 1;
    const target = anchored.get(name);
    const alias = 'an alias (*…)';
    if (target === undefined)
      return doubt(offset, { path, found: alias, allowed: 'an anchor (&…) that stands before it' });
    if (target === 'open')
      return doubt(offset, { path, found: `${alias} inside itself`, allowed: 'an alias of another part' });
    if (aliases > MAX_ALIASES)
      return doubt(offset, { path, found: 'one more alias', allowed: `at most ${MAX_ALIASES} aliases` });
    return target;
  }

  function buildContent(node: unknown, path: readonly (string | number)[], offset: number): Built {
    if (isMap(node)) return buildMap(node.items, path, offset);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => build(item, [...path, index], offset));
      return sum({ kind: 'list', at: at(offset), items: items.map(({ tree }) => tree) }, items, path, offset);
    }
    const value = isScalar(node) ? node.value : null;
    const finding = scalarFinding(value, path);
    if (finding) report(offset, finding);
    return scalar(value, offset);
  }

  function buildMap(
    pairs: readonly { key: unknown; value: unknown }[],
    path: readonly (string | number)[],
    offset: number,
  ): Built {
    const entries = new Map<string, Entry>();
    const children: Built[] = [];
    for (const { key: keyNode, value } of pairs) {
      const keyOffset = offsetOf(keyNode, offset);
      const key: unknown = isScalar(keyNode) ? keyNode.value : keyNode;
      const finding = keyFinding(key, path, entries);
      if (finding) {
        report(keyOffset, finding);
        // What a merge key brings is unknown, so nothing more can be said of the file.
        if (key === '<<') isInDoubt = true;
      } else if (typeof key === 'string') {
        const child = build(value, [...path, key], keyOffset);
        children.push(child);
        entries.set(key, { keyAt: at(keyOffset), value: child.tree });
      }
    }
    return sum({ kind: 'map', at: at(offset), entries }, children, path, offset);
  }

  function sum(tree: Tree, children: readonly Built[], path: readonly (string | number)[], offset: number): Built {
    const height = 1 + children.reduce((most, child) => Math.max(most, child.height), 0);
    const parts = 1 + children.reduce((total, child) => total + child.parts, 0);
    if (height > MAX_DEPTH)
      return doubt(offset, { path, found: 'parts inside one another', allowed: `at most ${MAX_DEPTH} levels` });
    if (parts > MAX_PARTS)
      return doubt(offset, { path, found: 'aliases that grow without end', allowed: `at most ${MAX_PARTS} parts` });
    return { tree, height, parts };
  }

  const { tree } = build(document.contents, [], 0);
  return isInDoubt ? { problems } : { tree, problems };
}

const isPlainValue = (value: unknown): value is string | number | boolean | null =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function keyFinding(
  key: unknown,
  path: readonly (string | number)[],
  before: ReadonlyMap<string, Entry>,
): Finding | undefined {
  if (typeof key !== 'string') {
    const [found, hint] = isPlainValue(key)
      ? [describe(key), 'put the key into quotes']
      : ['a list, map or alias', undefined];
    return { path, on: 'key', found: `${found} as a key`, allowed: 'text as a key', hint };
  }
  const at = { path: [...path, key], on: 'key', found: quote(key) } as const;
  if (isForbiddenKey(key)) return { ...at, allowed: 'any other key' };
  if (key === '<<')
    return { ...at, found: 'a merge key (<<)', allowed: 'plain keys', hint: 'use extends for what files share' };
  const first = before.get(key);
  if (first)
    return {
      ...at,
      found: `${quote(key)} a second time`,
      allowed: 'each key once',
      hint: `the first is in line ${first.keyAt.line}`,
    };
  return unwritable(key) ? { ...at, allowed: unwritableAllowed } : undefined;
}

function scalarFinding(value: unknown, path: readonly (string | number)[]): Finding | undefined {
  if (typeof value === 'string' && unwritable(value)) {
    return { path, found: 'a text with a NUL or half a character', allowed: unwritableAllowed };
  }
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    const allowed = 'a whole number that survives exactly, up to 9007199254740991';
    return { path, found: 'a very large whole number', allowed, hint: 'put it into quotes if it is a text' };
  }
  return undefined;
}

/** Neither a warehouse nor Braze can hold a NUL or half of a surrogate pair. */
const unwritable = (text: string): boolean => /[\0\p{Surrogate}]/u.test(text);
const unwritableAllowed = 'text without NUL and with whole characters';
