/**
 * Bundles a program of the simulation. The commands of the AWS SDK become plain objects of the same names: nothing but
 * their names and inputs is looked at here, and making the real ones takes longer than all the rest.
 */
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/lib-dynamodb': [
    'GetCommand',
    'PutCommand',
    'UpdateCommand',
    'DeleteCommand',
    'QueryCommand',
    'ScanCommand',
    'BatchGetCommand',
    'BatchWriteCommand',
    'TransactWriteCommand',
    'TransactGetCommand',
  ],
  '@aws-sdk/client-sqs': [
    'SendMessageCommand',
    'SendMessageBatchCommand',
    'ChangeMessageVisibilityCommand',
    'ChangeMessageVisibilityBatchCommand',
  ],
  '@aws-sdk/client-redshift-data': [
    'ExecuteStatementCommand',
    'DescribeStatementCommand',
    'GetStatementResultCommand',
    'CancelStatementCommand',
  ],
  '@aws-sdk/client-secrets-manager': ['GetSecretValueCommand'],
};

const plainCommands: Plugin = {
  name: 'plain-commands',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^@aws-sdk\// }, ({ path }) => ({ path, namespace: 'plain-commands' }));
    onLoad({ filter: /.*/, namespace: 'plain-commands' }, ({ path }) => ({
      contents: (COMMANDS[path] ?? [])
        .map((name) => `export class ${name} { constructor(input) { this.input = input; } }`)
        .join('\n'),
      loader: 'js',
    }));
  },
};

/** Bundles `chaos/<program>.ts` of a project's folder into a file. @throws what esbuild finds wrong. */
export async function bundle(root: string, program: string, outfile: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'chaos', `${program}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: false,
    sourcemap: 'inline',
    logLevel: 'error',
    plugins: [plainCommands],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
}
