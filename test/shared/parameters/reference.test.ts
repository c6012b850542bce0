import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { STANDARD_ATTRIBUTES } from '../../../shared/braze/attributes.ts';
import { editorSchema } from '../../../shared/parameters/json-schema.ts';
import { parseParameters } from '../../../shared/parameters/read.ts';
import { renderReference } from '../../../shared/parameters/reference.ts';

const committed = readFileSync('docs/parameters.md', 'utf8');
const example = /```yaml\n(.*?)```/s.exec(committed)?.[1] ?? '';
const content = parseParameters(example, 'docs/parameters.md');

test('docs/parameters.md is what the schema generates (npm run docs)', () => {
  expect(committed).toBe(renderReference());
});

test('parameters/schema.json is what the schema generates (npm run docs)', () => {
  expect(readFileSync('parameters/schema.json', 'utf8')).toBe(`${JSON.stringify(editorSchema(), null, 2)}\n`);
});

test('the example of the reference is a valid parameter file that an editor knows the schema of', () => {
  expect(Object.keys(content.destinations)).toEqual(['customers_to_braze', 'companies_to_braze']);
  expect(example).toMatch(/^# yaml-language-server: \$schema=\.\/schema\.json\n/);
});

test('every standard attribute is in the reference', () => {
  expect(Object.keys(STANDARD_ATTRIBUTES).filter((name) => !committed.includes(`| \`${name}\` |`))).toEqual([]);
});

test('every key of the reference has a meaning', () => {
  const rows = committed.split('\n').filter((line) => /^\| `/.test(line));
  expect(rows.filter((row) => / \| *\|$/.test(row))).toEqual([]);
  expect(rows.length).toBeGreaterThan(70);
});

describe('the JSON Schema for editors', () => {
  const { $defs, ...root } = editorSchema();
  const branch = (name: 'then' | 'else') =>
    z.fromJSONSchema(
      z
        .record(z.string(), z.unknown())
        .parse(JSON.parse(JSON.stringify({ ...z.looseObject({}).parse(root[name]), $defs }))),
    );
  const whole = branch('else');
  const partial = branch('then');

  test('has a title and no id', () => {
    expect(root.title).toBe('warehouse-to-braze parameters');
    expect(JSON.stringify(root)).not.toContain('$id');
  });

  test('accepts a whole file, and refuses it with a mistake', () => {
    expect(whole.safeParse(content).success).toBe(true);
    expect(whole.safeParse({ ...content, environment: 12 }).success).toBe(false);
    expect(whole.safeParse({ ...content, other: 12 }).success).toBe(false);
    expect(whole.safeParse({ ...content, models: undefined }).success).toBe(false);
  });

  test('asks nothing of a file that extends another but that its keys are right', () => {
    const near = { extends: 'base.yaml', destinations: { a: { deletionGuard: { maxPercent: 1 } } } };
    expect(partial.safeParse(near).success).toBe(true);
    expect(partial.safeParse({ ...near, destinations: { a: { deletionGard: {} } } }).success).toBe(false);
    expect(root.if).toEqual({ required: ['extends'] });
  });
});
