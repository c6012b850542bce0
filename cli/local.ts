/** Starts the local cloud for a command and ends it, whatever happens in between. */
import pc from 'picocolors';
import type { LocalCloud } from '../local/cloud.ts';
import { messageOf } from '../shared/errors.ts';
import { type CommandOptions, ExitCode, type Input, Mistake, readInput } from './options.ts';

/** Runs a command's work in the local cloud. Returns its exit code, or that of the mistake that stopped it. */
export async function inLocalCloud(
  options: CommandOptions,
  work: (cloud: LocalCloud, input: Input) => Promise<number>,
): Promise<number> {
  let cloud: LocalCloud | undefined;
  const stop = (): void => {
    void cloud?.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const input = readInput(options);
    const { startLocalCloud } = await import('../local/cloud.ts');
    cloud = await startLocalCloud({
      parameters: input.parameters,
      dir: options.local,
      secrets: input.secrets,
      ...(options.brazeEndpoint === undefined ? {} : { brazeEndpoint: options.brazeEndpoint }),
      ...(options.verbose ? { onLog: (name, line) => process.stderr.write(`${pc.dim(name)} ${line}\n`) } : {}),
    });
    await executeScripts(cloud, input);
    return await work(cloud, input);
  } catch (error) {
    process.stderr.write(`${pc.red('✗')} ${messageOf(error)}\n`);
    return error instanceof Mistake ? ExitCode.mistake : ExitCode.notAllWell;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await cloud?.close();
  }
}

async function executeScripts(cloud: LocalCloud, { scripts }: Input): Promise<void> {
  for (const { file, sql } of scripts) {
    try {
      await cloud.warehouse.exec(sql);
    } catch (error) {
      throw new Mistake(`--warehouse-sql: ${file}: ${messageOf(error)}`);
    }
  }
}
