import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RULES } from '../../../local/braze/rules.ts';

test('every rule from 1 to 59 has a test whose name begins with its number', () => {
  const folder = import.meta.dirname;
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  const names = sources.flatMap((source) => [...source.matchAll(/^[^'"`\n]*['"`](\d{1,2}): [^\n]*$/gm)]);
  const tested = new Set(names.map(([, rule]) => Number(rule)));
  const rules = Array.from({ length: 59 }, (_, index) => index + 1);
  expect(Object.keys(RULES).map(Number)).toEqual(rules);
  expect(rules.filter((rule) => !tested.has(rule))).toEqual([]);
});
