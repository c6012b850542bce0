/** Writes what is made from the schema: `parameters/schema.json` and `docs/parameters.md`. Run as `npm run docs`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { editorSchema } from '../shared/parameters/json-schema.ts';
import { renderReference } from '../shared/parameters/reference.ts';

const root = join(import.meta.dirname, '..');
const files = {
  'parameters/schema.json': `${JSON.stringify(editorSchema(), null, 2)}\n`,
  'docs/parameters.md': renderReference(),
};

for (const [file, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
  process.stdout.write(`${file}\n`);
}
