/** `w2b held` and `w2b discard`: what waits for a person, and what a person does not want. */
import pc from 'picocolors';
import type { Hold } from '../shared/runs/model.ts';
import { inLocalCloud } from './local.ts';
import { type CommandOptions, ExitCode, Mistake } from './options.ts';
import { personOf } from './start.ts';

/** Lists what is held. Returns the exit code: 1 while something waits. */
export const heldCommand = (options: CommandOptions): Promise<number> =>
  inLocalCloud(options, async (cloud, { destinations }) => {
    const found: { destination: string; hold: Hold }[] = [];
    for (const destination of destinations)
      for (const hold of await cloud.runs().holds(destination)) found.push({ destination, hold });
    if (options.json) process.stdout.write(`${JSON.stringify({ held: found.map(jsonOf) })}\n`);
    else process.stdout.write(found.length === 0 ? 'Nothing is held.\n' : found.map(textOf).join(''));
    return found.some(({ hold }) => hold.discardedBy === undefined) ? ExitCode.notAllWell : ExitCode.ok;
  });

/** Discards held effects of one destination. Returns the exit code. */
export const discardCommand = (effects: readonly string[], options: CommandOptions): Promise<number> =>
  inLocalCloud(options, async (cloud, { destinations }) => {
    const [destination] = destinations;
    if (destination === undefined || destinations.length > 1)
      throw new Mistake('--destination: name the destination whose held effects are discarded.');
    const because = await cloud.discard({ destination, discard: [...effects], by: personOf(options) });
    process.stdout.write(`${pc.bold(destination)}  ${because}\n`);
    return ExitCode.ok;
  });

const jsonOf = ({ destination, hold }: { destination: string; hold: Hold }) => {
  const { effect, records, of, because, samples, run, heldAt, discardedBy, dataPoints } = hold;
  return {
    ...{ destination, effect, records, of, because, samples, run, heldAt: new Date(heldAt).toISOString() },
    ...(dataPoints === undefined ? {} : { dataPoints }),
    ...(discardedBy === undefined ? {} : { discardedBy }),
  };
};

function textOf({ destination, hold }: { destination: string; hold: Hold }): string {
  const { effect, because, samples, run, heldAt, discardedBy } = hold;
  const state = discardedBy === undefined ? pc.yellow('waits') : `discarded by ${discardedBy}`;
  return [
    `${pc.bold(destination)}  ${effect}  ${state}  ${pc.dim(`${run}, ${new Date(heldAt).toISOString()}`)}`,
    `  ${because}`,
    ...samples.map((hash) => `    ${pc.dim(hash)}`),
    '',
  ].join('\n');
}
