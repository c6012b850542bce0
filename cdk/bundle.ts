/**
 * Bundles a function's handler: one ES module, minified, with its source map beside it, and the checked parameters.
 * Each handler is bundled once a process, however many functions run it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync, type OutputFile } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** CommonJS packages in the bundle ask for Node's own modules by `require`, which an ES module does not have. */
const REQUIRE = "import{createRequire as w2bRequire}from'node:module';const require=w2bRequire(import.meta.url);";

const bundles = new Map<string, readonly OutputFile[]>();

/** Returns the files of a handler's bundle: index.mjs and index.mjs.map. @throws Error when it does not build. */
export function bundle(entry: string): readonly OutputFile[] {
  const known = bundles.get(entry);
  if (known) return known;
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
  bundles.set(entry, outputFiles);
  return outputFiles;
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
          for (const { path, contents } of bundle(entry)) {
            writeFileSync(join(outputDir, path.endsWith('.map') ? 'index.mjs.map' : 'index.mjs'), contents);
          }
          writeFileSync(join(outputDir, 'parameters.json'), parametersJson);
          return true;
        },
      },
    },
  });
