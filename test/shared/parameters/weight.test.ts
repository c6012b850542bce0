import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Returns what a file of ours imports, directly and through other files of ours. */
function importsOf(file: string, seen = new Set<string>()): Set<string> {
  for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?'([^']+)'/g)) {
    const target = from.startsWith('.') ? join(dirname(file), from) : from;
    if (seen.has(target)) continue;
    seen.add(target);
    if (from.startsWith('.')) importsOf(target, seen);
  }
  return seen;
}

test('what Lambda functions import of the parameters carries no YAML or SQL parser and reads no file', () => {
  const imports = [...importsOf('shared/parameters/checked.ts')];
  expect(imports).toContain('shared/parameters/schema.ts');
  expect(imports.filter((name) => /yaml|columns|node-sql-parser|levenshtein|^node:/.test(name))).toEqual([]);
});

test('only one file knows the SQL parser', () => {
  const knows = [...importsOf('shared/parameters/read.ts')].filter(
    (file) => file.endsWith('.ts') && readFileSync(file, 'utf8').includes("'node-sql-parser"),
  );
  expect(knows).toEqual(['shared/parameters/columns.ts']);
});
