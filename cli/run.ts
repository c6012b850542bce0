/** `w2b run`: one run of each destination, with its progress, its outcome and its cost. */
import { SingleBar } from 'cli-progress';
import pc from 'picocolors';
import type { LocalCloud } from '../local/cloud.ts';
import { totalsOf } from '../shared/runs/close.ts';
import type { Rejection, Run } from '../shared/runs/model.ts';
import { isOver } from '../shared/runs/model.ts';
import { inLocalCloud } from './local.ts';
import { type CommandOptions, ExitCode } from './options.ts';
import { countsOf, heldList, rejectionList, runText } from './output.ts';
import { startEvent } from './start.ts';

/** Rejections that one run prints at most; all of them are counted. */
const MAX_REJECTIONS = 1000;
const PROGRESS_MS = 200;

/** Runs the destinations one after the other, so that no two of them write to a user at once. Returns the exit code. */
export const runCommand = (options: CommandOptions): Promise<number> =>
  inLocalCloud(options, async (cloud, { destinations }) => {
    const results: { run: Run; rejections: readonly Rejection[] }[] = [];
    for (const destination of destinations) {
      const run = await runDestination(cloud, destination, options);
      const rejections = await cloud.runs().rejections(run.run, MAX_REJECTIONS);
      results.push({ run, rejections });
      if (!options.json) process.stdout.write(runText(run, rejections));
    }
    if (options.json)
      process.stdout.write(
        `${JSON.stringify({ runs: results.map(({ run, rejections }) => jsonOf(run, rejections)) })}\n`,
      );
    else if (destinations.length === 0) process.stderr.write('No destination is enabled.\n');
    return results.every(({ run }) => run.status === 'succeeded') ? ExitCode.ok : ExitCode.notAllWell;
  });

async function runDestination(cloud: LocalCloud, destination: string, options: CommandOptions): Promise<Run> {
  const run = await cloud.start(startEvent(destination, options));
  const stopProgress = showProgress(cloud, destination, run);
  try {
    return await cloud.ended(destination, run);
  } finally {
    stopProgress();
  }
}

/** A bar on a terminal, nothing elsewhere: a log file has no use for it. */
function showProgress(cloud: LocalCloud, destination: string, run: string): () => void {
  if (!process.stderr.isTTY) return () => undefined;
  const format = `${destination} ${pc.cyan('{bar}')} {value} of {total} changes settled, {rows} rows read`;
  const bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, hideCursor: true, barsize: 24 });
  bar.start(0, 0, { rows: 0 });
  const update = async (): Promise<void> => {
    const [current, shards, settlements] = await Promise.all([
      cloud.runs().get(destination, run),
      cloud.runs().shards(run),
      cloud.runs().settlements(run),
    ]);
    if (!current || isOver(current)) return;
    const totals = totalsOf(current, shards, settlements);
    bar.setTotal(totals.added + totals.changed + totals.removed);
    bar.update(totals.sent - totals.undelivered, { rows: totals.extracted });
  };
  const timer = setInterval(() => void update().catch(() => undefined), PROGRESS_MS);
  return () => {
    clearInterval(timer);
    bar.stop();
  };
}

/** A run in the form that other programs read. */
const jsonOf = (run: Run, rejections: readonly Rejection[]) => ({
  destination: run.destination,
  run: run.run,
  status: run.status,
  syncMode: run.syncMode,
  ...countsOf(run.totals),
  durationMs: (run.endedAt ?? run.startedAt) - run.startedAt,
  rejections: rejectionList(rejections),
  ...(run.held.length > 0 ? { holds: heldList(run.held) } : {}),
  ...(run.error ? { error: `${run.error.found}. ${run.error.next}` } : {}),
});
