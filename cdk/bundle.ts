/**
 * Bundles a function's handler: one ES module, minified, with its source map beside it, and the checked parameters.
 * Each handler is bundled once a process, however many functions run it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** CommonJS packages in the bundle ask for Node's own modules by `require`, which an ES module does not have. */
const REQUIRE = "import{createRequire as w2bRequire}from'node:module';const require=w2bRequire(import.meta.url);";

type BundleFile = { readonly name: string; readonly contents: Uint8Array };

const bundles = new Map<string, readonly BundleFile[]>();
let keptIn: string | undefined;

/** Keeps bundles in a folder, by the content of all sources: for the local cloud, which starts often. Deployments always build. */
export function keepBundles(folder: string): void {
  keptIn = folder;
}

/** Returns the files of a handler's bundle: index.mjs and index.mjs.map. @throws Error when it does not build. */
export function bundle(entry: string): readonly BundleFile[] {
  const known = bundles.get(entry);
  if (known) return known;
  const kept = keptIn === undefined ? undefined : join(keptIn, sourcesHash(), entry.replaceAll('/', '-'));
  const files = (kept === undefined ? undefined : readKept(kept)) ?? build(entry);
  if (kept !== undefined) writeKept(kept, files);
  bundles.set(entry, files);
  return files;
}

const FILES = ['index.mjs', 'index.mjs.map'];

function readKept(folder: string): BundleFile[] | undefined {
  if (!existsSync(folder)) return undefined;
  return FILES.map((name) => ({ name, contents: readFileSync(join(folder, name)) }));
}

/** Written aside and moved into place, so that another process never reads half of it. */
function writeKept(folder: string, files: readonly BundleFile[]): void {
  if (existsSync(folder)) return;
  const aside = `${folder}.${process.pid}`;
  mkdirSync(aside, { recursive: true });
  for (const { name, contents } of files) writeFileSync(join(aside, name), contents);
  try {
    renameSync(aside, folder);
  } catch {
    // Another process was first.
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Everything that a bundle is made of: the sources, the packages, and how they are put together. */
function sourcesHash(): string {
  const hash = createHash('sha256');
  const files = ['lambdas', 'shared'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  for (const file of ['package-lock.json', 'cdk/bundle.ts', ...files.filter((name) => name.endsWith('.ts')).sort()]) {
    hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 32);
}

function build(entry: string): BundleFile[] {
  const { outputFiles } = buildSync({
    entryPoints: [join(ROOT, entry)],
    outfile: 'index.mjs',
    bundle: true,
    platform: 'node',
    // Older than the Lambda runtime, so that the same bundle runs in the local cloud on any supported Node.
    target: 'node20',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    minify: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    write: false,
    logLevel: 'error',
  });
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
}

/** Returns the code of a function: its bundle and the parameters it reads when it starts. */
export const functionCode = (entry: string, parametersJson: string): Code =>
  Code.fromAsset(join(ROOT, 'lambdas'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never used: bundling happens in this process, without Docker.
      image: DockerImage.fromRegistry('scratch'),
      // CDK takes two bundlings with the same options for one: these tell ours apart.
      environment: { ENTRY: entry, PARAMETERS: createHash('sha256').update(parametersJson).digest('hex') },
      local: {
        tryBundle: (outputDir) => {
          mkdirSync(outputDir, { recursive: true });
          for (const { name, contents } of bundle(entry)) writeFileSync(join(outputDir, name), contents);
          writeFileSync(join(outputDir, 'parameters.json'), parametersJson);
          return true;
        },
      },
    },
  });
