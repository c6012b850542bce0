/**
 * Synthesizes the stack for the local cloud: the same code, feature flags and bundles as `cdk synth`, without the checks
 * that only a deployment needs (they take seconds, and `npm run check` runs them).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Parameters } from '../shared/parameters/schema.ts';
import { type QueueUrl, readStack, type StackSpec } from './template.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CdkJson = z.object({ context: z.record(z.string(), z.unknown()) });

export type Synthesized = {
  readonly stack: StackSpec;
  /** Removes what was written. */
  readonly remove: () => void;
};

/** Returns the stack of the parameters, written to a folder of its own. @throws Error when it does not synthesize. */
export async function synthesize(parameters: Parameters, queueUrl: QueueUrl): Promise<Synthesized> {
  // Loaded here only, as it takes more than a second: what does not run anything does not need it.
  const { App } = await import('aws-cdk-lib');
  const { WarehouseToBrazeStack, stackName } = await import('../cdk/stack.ts');
  const { keepBundles } = await import('../cdk/bundle.ts');
  keepBundles(join(ROOT, 'node_modules', '.cache', 'warehouse-to-braze', 'bundles'));
  const outdir = mkdtempSync(join(tmpdir(), 'w2b-'));
  const remove = () => rmSync(outdir, { recursive: true, force: true });
  try {
    const { context } = CdkJson.parse(JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')));
    const app = new App({ outdir, context, analyticsReporting: false, builtinCloudFormationValidation: false });
    const name = stackName(parameters.environment);
    quietly(() => {
      new WarehouseToBrazeStack(app, name, { parameters });
      app.synth();
    });
    return { stack: readStack(outdir, name, queueUrl), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** CDK tells stderr of every bundle; here it is no news. */
function quietly(work: () => void): void {
  const write = process.stderr.write;
  process.stderr.write = () => true;
  try {
    work();
  } finally {
    process.stderr.write = write;
  }
}
