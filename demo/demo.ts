/**
 * `npm run demo`: tells the story in a local cloud of its own, in a temporary folder that is gone at the end.
 * Exit code 0 when everything was as the story says, 1 with what differs, 130 when it was interrupted.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Read by modules when they are loaded: hence the imports below come later.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
if (!process.stdout.isTTY && !process.env.FORCE_COLOR) process.env.NO_COLOR = '1';

const INTERRUPTED = 130;
/** What an interruption does; once the cloud has started, it is closed first. */
let stop = (): void => process.exit(INTERRUPTED);

process.exitCode = await main();

async function main(): Promise<number> {
  const startedAt = Date.now();
  const dir = mkdtempSync(join(tmpdir(), 'w2b-demo-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop());

  const write = (text: string): void => void process.stdout.write(text);
  write('Starting a warehouse, a Braze and the functions between them on this machine ...\n');
  try {
    await runStory(dir, write);
  } catch (error) {
    process.stderr.write(`\n✗ The demo ends here. ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  write(`Everything was as told, in ${Math.round((Date.now() - startedAt) / 1000)} seconds.\n`);
  return 0;
}

async function runStory(dir: string, write: (text: string) => void): Promise<void> {
  const { startLocalCloud } = await import('../local/cloud.ts');
  const { readParameters } = await import('../shared/parameters/read.ts');
  const { page } = await import('./page.ts');
  const { plannerOf } = await import('./planner.ts');
  const { tellStory } = await import('./story.ts');
  const parameters = readParameters(join(import.meta.dirname, '..', 'parameters', 'demo.yaml'));
  const cloud = await startLocalCloud({ parameters, dir });
  stop = () => void cloud.close().finally(() => process.exit(INTERRUPTED));
  const planner = plannerOf(cloud);
  try {
    await tellStory({ cloud, planner, page: page(write) });
  } finally {
    planner.close();
    await cloud.close();
  }
}
