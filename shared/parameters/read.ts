/**
 * Reads a parameter file with all that it extends, checks it, and returns parameters with every default filled in.
 *
 * Every mistake is reported in one go, each where it was written: syntax, then schema and references together. The one
 * exception thrown is ParametersError. For synth and the CLI; Lambda functions use `checked.ts`.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import * as z from 'zod';
import { outputColumns } from './columns.ts';
import { draftOf } from './draft.ts';
import { explain } from './explain.ts';
import { describe, type Finding, ParametersError, type Place, type Problem, problemAt, quote } from './problems.ts';
import { referenceFindings } from './references.ts';
import { Environment, Parameters } from './schema.ts';
import { senseFindings } from './sense.ts';
import { type Json, merged, placeOf, plainOf, type Tree, treeOf } from './tree.ts';
import { readYaml } from './yaml.ts';

export { ParametersError, type Problem } from './problems.ts';
export type { Json } from './tree.ts';

/** Returns the text of a file; throws when there is none. */
export type ReadFile = (file: string) => string;
/** Values that are laid over the file, as if it were extended by another. */
export type Overrides = { readonly [key: string]: Json | undefined };
export type ReadOptions = { readonly overrides?: Overrides };

/**
 * Returns the parameters of a file.
 * @throws ParametersError with every problem of the file and of those it extends.
 */
export function readParameters(file: string, options: ReadOptions = {}): Parameters {
  return check(loadFile(file, { readFile: readTextFile, files: [] }, wholeFile(file)), file, options);
}

/**
 * Returns the parameters of a text; `file` is the name in its problems, and what `extends` is relative to.
 * @throws ParametersError with every problem of the text and of the files that it extends.
 */
export function parseParameters(
  text: string,
  file: string,
  readFile: ReadFile = readTextFile,
  options: ReadOptions = {},
): Parameters {
  return check(loadText(text, file, { readFile, files: [file] }), file, options);
}

/** Returns where the parameters of an environment are: `parameters/<environment>.yaml`. */
export const environmentFile = (environment: string): string => join('parameters', `${environment}.yaml`);

/**
 * Returns the parameters of an environment, from `parameters/<environment>.yaml` in the working directory.
 * @throws ParametersError with every problem, also when the file is of another environment than its name says.
 */
export function parametersFor(environment: string, options: ReadOptions = {}): Parameters {
  const file = environmentFile(environment);
  const name = Environment.safeParse(environment);
  if (!name.success) {
    const allowed = name.error.issues[0]?.message ?? 'the name of an environment';
    throw new ParametersError([
      problemAt({ file, line: 0, column: 0 }, { path: [], found: quote(environment), allowed }),
    ]);
  }
  const parameters = readParameters(file, options);
  if (parameters.environment === environment) return parameters;
  const finding = {
    path: ['environment'],
    found: quote(parameters.environment),
    allowed: `${quote(environment)}, as the file is named`,
  };
  const { tree } = loadFile(file, { readFile: readTextFile, files: [] }, wholeFile(file));
  throw new ParametersError([problemAt(tree ? placeOf(tree, ['environment']) : wholeFile(file), finding)]);
}

const wholeFile = (file: string): Place => ({ file, line: 1, column: 1 });

/** A directory, device or huge file is not worth reading; yaml.ts has the exact limit. */
const MAX_FILE_BYTES = 4_000_000;

function readTextFile(file: string): string {
  const stats = statSync(file);
  if (!stats.isFile()) throw new Error('it is no file');
  if (stats.size > MAX_FILE_BYTES) throw new Error(`it has ${stats.size} bytes`);
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
}

/** What loading has come to: the files read so far in order, each as often as it is extended. */
type Loading = { readonly readFile: ReadFile; readonly files: string[] };
type Loaded = { readonly tree?: Tree; readonly problems: readonly Problem[]; readonly files: readonly string[] };

const MAX_FILES = 50;

function loadFile(file: string, loading: Loading, from: Place, chain: readonly string[] = []): Loaded {
  const refused = (finding: Omit<Finding, 'path'>): Loaded => ({
    problems: [problemAt(from, { path: chain.length === 0 ? [] : ['extends'], ...finding })],
    files: loading.files,
  });
  if (chain.includes(resolve(file)))
    return refused({ found: `files in a circle: ${file} extends itself`, allowed: 'files that do not' });
  if (loading.files.length >= MAX_FILES) return refused({ found: 'very many files', allowed: `at most ${MAX_FILES}` });
  loading.files.push(file);
  const text = textOf(file, loading.readFile);
  return typeof text === 'string'
    ? loadText(text, file, loading, chain)
    : refused({ found: `${quote(file)}, which ${text.because}`, allowed: 'a readable YAML file in UTF-8' });
}

function textOf(file: string, readFile: ReadFile): string | { because: string } {
  try {
    return readFile(file);
  } catch (error) {
    return { because: whyUnreadable(error) };
  }
}

function whyUnreadable(error: unknown): string {
  const { code, message } = Failure.catch({}).parse(error);
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not in UTF-8';
  return `cannot be read${code ? ` (${code})` : message ? `: ${message}` : ''}`;
}

const Failure = z.object({ code: z.string().optional(), message: z.string().optional() });

function loadText(text: string, file: string, loading: Loading, chain: readonly string[] = []): Loaded {
  const { tree, problems } = readYaml(text, file);
  if (tree === undefined) return { problems, files: loading.files };
  if (tree.kind !== 'map') {
    const finding = {
      path: [],
      found: describe(plainOf(tree)),
      allowed: 'a map with environment, apps, models and destinations',
    };
    return { problems: [...problems, problemAt(wholeFile(file), finding)], files: loading.files };
  }
  const { extends: extended, tree: rest } = splitExtends(tree);
  const bases = extended.files.map(({ name, at }) =>
    loadFile(isAbsolute(name) ? name : join(dirname(file), name), loading, at, [...chain, resolve(file)]),
  );
  const all = [...problems, ...extended.problems, ...bases.flatMap((base) => base.problems)];
  // A base that cannot be read leaves too much open to say anything of the whole.
  if (bases.some((base) => base.tree === undefined)) return { problems: all, files: loading.files };
  const trees = [...bases.flatMap((base) => base.tree ?? []), rest];
  return { tree: trees.reduce((below, near) => merged(below, near)), problems: all, files: loading.files };
}

type Extends = { files: { name: string; at: Place }[]; problems: Problem[] };

function splitExtends(tree: Extract<Tree, { kind: 'map' }>): { extends: Extends; tree: Tree } {
  const entries = new Map(tree.entries);
  const value = entries.get('extends')?.value;
  entries.delete('extends');
  const found: Extends = { files: [], problems: [] };
  for (const item of value?.kind === 'list' ? value.items : value ? [value] : []) {
    if (item.kind === 'scalar' && typeof item.value === 'string' && item.value !== '')
      found.files.push({ name: item.value, at: item.at });
    else
      found.problems.push(
        problemAt(item.at, {
          path: ['extends'],
          found: describe(plainOf(item)),
          allowed: 'the path of a file, or a list of paths',
        }),
      );
  }
  return { extends: found, tree: { ...tree, entries } };
}

const OVERRIDES: Place = { file: '(overrides)', line: 0, column: 0 };

function check({ tree, problems, files }: Loaded, file: string, { overrides }: ReadOptions): Parameters {
  if (tree === undefined) throw new ParametersError(sorted(problems, files));
  const whole = overrides ? { ...merged(tree, treeOf(overrides, OVERRIDES)), at: tree.at } : tree;
  const content = plainOf(whole);
  const result = Parameters.safeParse(content);
  const draft = draftOf(content);
  const findings = [
    ...(result.success ? [] : explain(content)),
    ...senseFindings(draft),
    ...referenceFindings(draft, outputColumns),
  ];
  if (!result.success && findings.length === 0) findings.push(...unexplained(result.error.issues));
  const all = [...problems, ...findings.map((finding) => problemAt(placeOf(whole, finding.path, finding.on), finding))];
  if (all.length === 0 && result.success) return result.data;
  throw new ParametersError(sorted(all, [...files, file]));
}

/** Only for a rule of the schema that `explain` does not know. */
const unexplained = (issues: readonly { path: readonly PropertyKey[]; message: string }[]): Finding[] =>
  issues.map(({ path, message }) => ({
    path: path.map((segment) => (typeof segment === 'number' ? segment : String(segment))),
    found: 'a value that the schema refuses',
    allowed: message,
  }));

function sorted(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const order = (a: Problem, b: Problem): number =>
    files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column;
  const unique = new Map(
    problems.map((problem) => [`${problem.file}\0${problem.line}\0${problem.path}\0${problem.message}`, problem]),
  );
  return [...unique.values()].sort(order);
}
