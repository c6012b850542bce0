/** What the documents promise: their links lead somewhere, their examples are valid, their commands exist. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import * as z from 'zod';
import { main } from '../../cli/main.ts';
import { parseParameters } from '../../shared/parameters/read.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/deploy.md',
  'docs/runbook.md',
  'docs/security.md',
];

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');

/** Headings as GitHub names them: lower case, no punctuation, hyphens for spaces. */
const anchorsOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

const linksOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

/** Each link of each document into the project, once. */
const links = DOCUMENTS.flatMap((file) =>
  [...new Set(linksOf(read(file)))]
    .filter((target) => !target.startsWith('https://'))
    .map((target): [string, string] => [file, target]),
);

test.each(links)('%s: the link %s leads to a file and a heading that exist', (file, target) => {
  const [path = '', anchor] = target.split('#');
  const linked = path === '' ? file : join(dirname(file), path);
  expect(existsSync(join(ROOT, linked))).toBe(true);
  if (anchor !== undefined) expect(anchorsOf(read(linked))).toContain(anchor);
});

const examples = DOCUMENTS.flatMap((file) =>
  [...read(file).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']): [string, string] => [file, text]),
);

test.each(examples)('%s: the parameter file has no mistakes', (file, text) => {
  expect(parseParameters(text, file).environment).toBe('production');
});

const Package = z.object({ scripts: z.record(z.string(), z.string()) });

test('every npm script that the documents name exists', () => {
  const { scripts } = Package.parse(JSON.parse(read('package.json')));
  const named = DOCUMENTS.flatMap((file) => [...read(file).matchAll(/npm run ([a-z0-9:]+)/g)].map(([, name]) => name));
  expect([...new Set(named)].filter((name) => name === undefined || !Object.hasOwn(scripts, name))).toEqual([]);
  expect(named.length).toBeGreaterThan(5);
});

test('the build server runs the test command of the README, and may execute the file that does', () => {
  const [, command] = /^(npm ci && npm test)\b/m.exec(read('README.md')) ?? [];
  expect(read('.ci/run').trim().split('\n').at(-1)).toBe(command);
  expect(statSync(join(ROOT, '.ci/run')).mode & 0o111).toBe(0o111);
});

test.each(['validate', 'plan', 'run'])('the README names every option of w2b %s', async (command) => {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  await main(['node', 'w2b', command, '--help']);
  const help = write.mock.calls.map(([text]) => String(text)).join('');
  write.mockRestore();
  const options = [...help.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, option = '']) => option);
  const readme = read('README.md');
  const told = (option: string): boolean =>
    readme.includes(`\`${option}`) || readme.includes(`, ${option}`) || readme.includes(` ${option} DIR`);
  expect(options.filter((option) => !['--help', '--parameters'].includes(option) && !told(option))).toEqual([]);
  expect(options).toContain('--json');
});
