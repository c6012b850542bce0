/** Who may import whom, and what the domain may touch: kept by reading the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Returns the TypeScript files below a folder, relative to the project. @throws Error when there is none. */
function sourcesUnder(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));
  if (files.length === 0) throw new Error(`there are no sources under ${folder}`);
  return files.sort();
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Returns a source without its comments. Texts stay, so that a `//` in one is not taken for a comment. */
const codeOf = (file: string): string =>
  read(file).replace(/("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*/g, '$1');

/** Returns what a source imports, types too: a path of the project, or a package without what is inside it. */
function importsOf(file: string): string[] {
  const names = [...codeOf(file).matchAll(/(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*['"]([^'"]+)['"]/g)];
  return names.map(([, name = '']) => {
    if (name.startsWith('.')) return posix.join(posix.dirname(file), name);
    const [scope = '', inScope = ''] = name.split('/');
    return name.startsWith('@') ? `${scope}/${inScope}` : scope;
  });
}

/** True for an import of one of the folders or packages named. */
const isOneOf = (names: readonly string[]) => (imported: string) =>
  names.some((name) => imported === name || (name.endsWith('/') && imported.startsWith(name)));

const all = ['shared', 'lambdas', 'cdk', 'local', 'cli'].flatMap(sourcesUnder);
const shared = sourcesUnder('shared');

test('imports are found, of the project and of packages', () => {
  const imports = importsOf('lambdas/start-run/function.ts');
  expect(imports).toEqual(expect.arrayContaining(['shared/runs/start-run.ts', '@aws-sdk/client-sqs']));
  expect(importsOf('cdk/pipeline.ts')).toContain('lambdas/common/environment.ts');
  expect(all.flatMap(importsOf).filter((name) => name.startsWith('..'))).toEqual([]);
});

test.each(shared)('%s knows no function, stack, command or local cloud', (file) => {
  const outside = ['lambdas/', 'cdk/', 'local/', 'cli/', 'test/', 'aws-lambda', '@types/aws-lambda', 'aws-cdk-lib'];
  expect(importsOf(file).filter(isOneOf([...outside, 'constructs', 'cdk-nag']))).toEqual([]);
});

test.each(sourcesUnder('lambdas'))('%s knows no stack, command or local cloud', (file) => {
  expect(importsOf(file).filter(isOneOf(['cdk/', 'local/', 'cli/', 'test/', 'aws-cdk-lib']))).toEqual([]);
});

test.each(sourcesUnder('cdk'))('%s knows no command or local cloud', (file) => {
  expect(importsOf(file).filter(isOneOf(['local/', 'cli/', 'test/']))).toEqual([]);
});

test.each(sourcesUnder('lambdas').filter((file) => file.endsWith('/handler.ts')))(
  '%s only wires: it has 60 lines at most',
  (file) => {
    expect(read(file).trimEnd().split('\n').length).toBeLessThanOrEqual(60);
  },
);

test('every function has a handler', () => {
  const handlers = sourcesUnder('lambdas').filter((file) => file.endsWith('/handler.ts'));
  expect(handlers.map((file) => posix.basename(posix.dirname(file)))).toEqual([
    'extract-shard',
    'start-run',
    'write-batch',
  ]);
});

test('one file only names the SQL parser, which functions do without', () => {
  expect(all.filter((file) => codeOf(file).includes('node-sql-parser'))).toEqual(['shared/parameters/columns.ts']);
});

const CLOCK =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\b|\bperformance\.now\b/;

test('the clock of production is in shared/time.ts', () => {
  expect(codeOf('shared/time.ts')).toMatch(CLOCK);
});

test.each(shared.filter((file) => file !== 'shared/time.ts'))('%s is given time and chance', (file) => {
  expect(codeOf(file).match(CLOCK)?.[0]).toBeUndefined();
});

test.each(shared)('%s says what it has to say through the log that it is given', (file) => {
  expect(codeOf(file)).not.toMatch(/\bconsole\.|\bprocess\.(stdout|stderr|env)\b/);
});
