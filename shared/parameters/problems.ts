/**
 * What is wrong with a parameter file, in words that a person can act on: where, what was found, what is allowed.
 *
 * Everything found is shown on one line and cut short, with control and formatting characters escaped, so that a hostile file cannot
 * draw on a terminal. Secrets are masked by whoever describes them (see `secret.ts`).
 */
/** A position in a file; line and column count from 1. Values that come from no file have line 0. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** A key of a map, or an index of a list. */
export type Segment = string | number;
export type Path = readonly Segment[];

/** What a check finds, before it has a position. `on` says whether the key or its value is at fault. */
export type Finding = {
  readonly path: Path;
  readonly on?: 'key' | 'value';
  readonly found: string;
  readonly allowed: string;
  readonly hint?: string | undefined;
};

/** One mistake in a parameter file. `message` holds `found`, `allowed` and advice, without the place. */
export type Problem = Place & {
  readonly path: string;
  readonly found: string;
  readonly allowed: string;
  readonly message: string;
};

/** All the mistakes of a parameter file; its message lists them, one a line. */
export class ParametersError extends Error {
  override readonly name = 'ParametersError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(formatProblems(problems));
    this.problems = problems;
  }

  /** Returns every problem, one a line: `file:line:column  path  found …, allowed: …; advice`. */
  format(): string {
    return formatProblems(this.problems);
  }
}

const formatProblems = (problems: readonly Problem[]): string =>
  problems
    .map(({ file, line, column, path, message }) =>
      [line > 0 ? `${file}:${line}:${column}` : file, path, message].filter((part) => part !== '').join('  '),
    )
    .join('\n');

/** Returns the problem that a finding is at a place. */
export function problemAt(place: Place, { path, found, allowed, hint }: Finding): Problem {
  const message = shown(`found ${found}, allowed: ${allowed}${hint === undefined ? '' : `; ${hint}`}`);
  const { file, line, column } = place;
  return { file, line, column, path: pathText(path), found: shown(found), allowed: shown(allowed), message };
}

/** Returns a path as a person would write it: `models.customers.groups.vip.all[0].op`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!/^[\w$-]+$/.test(segment)) return `${text}[${quote(segment)}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}

const MAX_SHOWN_CHARACTERS = 60;

/** Returns a text in single quotes on one line, cut at 60 characters. */
export function quote(text: string): string {
  return `'${shown(text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text)}'`;
}

/** Returns a text without signs that would steer a terminal or begin a line: names of the file are in many messages. */
const shown = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu, escaped);

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  return character === '\t' ? '\\t' : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}

/** Returns a value in words: `'abc'`, `the number 12`, `true`, `nothing`, `a list of 2`, `a map with 'a'`. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return value === '' ? 'an empty text' : quote(value);
  if (typeof value === 'number') return `the number ${value}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (!isMap(value)) return String(value);
  const keys = Object.keys(value);
  if (keys.length === 0) return 'an empty map';
  return `a map with ${keys.slice(0, 3).map(quote).join(', ')}${keys.length > 3 ? ', …' : ''}`;
}

/** True for what a YAML map becomes. */
export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns what a map says of a key itself, never what its prototype does. */
export const own = <T>(map: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(map, key) ? map[key] : undefined;

const MAX_LISTED = 40;

/** Returns words as a list for reading: `a, b or c`; `none` when there are none; the first 40 of very many. */
export function listed(words: readonly string[], conjunction = 'or'): string {
  if (words.length > MAX_LISTED) return `${words.slice(0, MAX_LISTED).join(', ')}, … (${words.length} in all)`;
  if (words.length < 2) return words[0] ?? 'none';
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** Returns the pieces of advice that there are as one, or undefined. */
export function advice(...hints: readonly (string | undefined)[]): string | undefined {
  const given = hints.filter((hint) => hint !== undefined);
  return given.length === 0 ? undefined : given.join('; ');
}
