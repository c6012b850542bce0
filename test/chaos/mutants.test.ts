/** The seeded defects of `npm run mutants` still fit the sources. */
import { readFileSync } from 'node:fs';
import { MUTANTS } from '../../chaos/mutant-list.ts';

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

test.each(MUTANTS)('the text of "$name" occurs once', ({ file, find }) => {
  expect(read(file).split(find).length - 1).toBe(1);
});

test.each(MUTANTS)('"$name" changes it', ({ find, replace }) => {
  expect(replace).not.toBe(find);
});

test('mutants have names of their own, and there are many', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
});
