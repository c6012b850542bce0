/** What runs and plans look like to a person, and the counts that both print for programs. */
import pc from 'picocolors';
import { type Held, type Rejection, type Run, Totals } from '../shared/runs/model.ts';
import type { Plan } from '../shared/runs/plan-tally.ts';

/** The counts of a run or plan, in the order in which a record passes them. */
export function countsOf(totals: Totals = Totals.parse({})) {
  const { extracted, unchanged, added, changed, removed, held, accepted, rejected, deleted } = totals;
  const { requests, dataPoints, omitted, absent, undelivered, lookups, sent, refused, unremoved } = totals;
  return {
    ...{ extracted, unchanged, added, changed, removed, held, accepted, rejected, deleted, requests, dataPoints },
    ...{ omitted, absent, undelivered, lookups, sent, refused, unremoved },
  };
}

/** One entry for each rejected row or omitted field. */
export const rejectionList = (rejections: readonly Rejection[]) =>
  rejections.flatMap(({ hash, field, reason, rows, omitted, tries, since }) =>
    Array.from({ length: Math.min(rows, 100) }, () => ({
      recordHash: hash,
      ...(field === '' ? {} : { field }),
      reason,
      ...(omitted ? { omitted } : { tries, ...(since === undefined ? {} : { since: new Date(since).toISOString() }) }),
    })),
  );

/** What waits for a person. */
export const heldList = (held: readonly Held[]) =>
  held.map(({ effect, records, of, because, samples, dataPoints }) => ({
    ...{ effect, records, of, because, samples },
    ...(dataPoints === undefined ? {} : { dataPoints }),
  }));

const STATUS = {
  succeeded: pc.green('✓ succeeded'),
  held: pc.yellow('⏸ held'),
  partial: pc.yellow('! partial'),
  failed: pc.red('✗ failed'),
  running: 'running',
  failing: 'failing',
} as const satisfies Record<Run['status'], string>;

const SHOWN_REJECTIONS = 10;

/** Returns the lines that tell how a run ended. */
export function runText(run: Run, rejections: readonly Rejection[]): string {
  const totals = run.totals ?? Totals.parse({});
  const seconds = (((run.endedAt ?? run.startedAt) - run.startedAt) / 1000).toFixed(1);
  return lines([
    `${pc.bold(run.destination)}  ${STATUS[run.status]} in ${seconds} s  ${pc.dim(run.run)}`,
    ...(run.error ? [`  ${pc.red(run.error.found)}`, `  ${run.error.next}`] : []),
    `  warehouse  ${number(totals.extracted)} rows: ${found(totals)}`,
    `  Braze      ${sent(totals)}`,
    `  cost       ${plural(totals.dataPoints, 'data point')}, ${plural(totals.requests, 'request')}`,
    ...heldLines(run.held),
    ...rejectionLines(rejections, totals.rejected),
  ]);
}

const found = (totals: Totals): string =>
  [
    `${number(totals.unchanged)} unchanged`,
    `${number(totals.added)} added`,
    `${number(totals.changed)} changed`,
    `${number(totals.removed)} removed`,
  ].join(', ');

function sent(totals: Totals): string {
  const parts = [
    `${number(totals.accepted)} accepted`,
    `${number(totals.deleted)} deleted`,
    `${number(totals.rejected)} rejected`,
    ...(totals.held > 0 ? [pc.yellow(`${number(totals.held)} held`)] : []),
    ...(totals.absent > 0 ? [`${number(totals.absent)} not known to Braze`] : []),
    ...(totals.omitted > 0 ? [`${number(totals.omitted)} fields left out`] : []),
    ...(totals.undelivered > 0 ? [pc.red(`${number(totals.undelivered)} without an answer`)] : []),
  ];
  return parts.join(', ');
}

/** How many and why, and what to do about it. */
function heldLines(held: readonly Held[]): string[] {
  if (held.length === 0) return [];
  const flags = held.map(({ effect }) => (effect === 'deletions' ? '--approve-deletions' : `--approve '${effect}'`));
  return [
    ...held.map(({ because }) => pc.yellow(`  ${because}`)),
    '  This waits for a person: nothing of it was sent.',
    `  If it is right, run again with ${flags.join(' ')}; if not, mend the query.`,
  ];
}

function rejectionLines(rejections: readonly Rejection[], rejected: number): string[] {
  const shown = rejections.slice(0, SHOWN_REJECTIONS);
  const more = rejections.length - shown.length;
  return [
    ...(rejections.length > 0 ? [`  ${rejected > 0 ? 'rejected' : 'left out'}`] : []),
    ...shown.map(({ hash, field, reason, omitted }) => {
      const who = hash === '' ? '(no key)' : hash;
      return `    ${pc.dim(who.padEnd(32))}  ${field === '' || field === 'external_id' ? '' : `${field} `}${reason}${omitted ? ' (field left out)' : ''}`;
    }),
    ...(more > 0 ? [pc.dim(`    and ${number(more)} more`)] : []),
  ];
}

/** Returns the lines that tell what a run would do. */
export function planText(plan: Plan): string {
  const { totals } = plan;
  const fields = Object.entries(plan.changedFields).sort(([, a], [, b]) => b - a);
  return lines([
    `${pc.bold(plan.destination)}  plan (${plan.syncMode}): nothing is sent`,
    `  warehouse  ${number(totals.extracted)} rows: ${found(totals)}`,
    ...fields.map(([field, records]) => `    ${field.padEnd(28)} ${plural(records, 'changed record')}`),
    ...Object.entries(plan.groups).map(
      ([group, { joined, left }]) => `    ${`group ${group}`.padEnd(28)} ${number(joined)} join, ${number(left)} leave`,
    ),
    `  would send ${number(totals.accepted)} updates, ${number(totals.deleted)} deletions in ${plural(totals.requests, 'request')}`,
    `  would cost ${plural(totals.dataPoints, 'data point')}`,
    ...heldLines(plan.held),
    ...plan.samples.map(({ recordHash, change, fields: named, primaryKey, values }) => {
      const who = primaryKey === undefined ? recordHash : `${recordHash} (${primaryKey})`;
      return `    ${change.padEnd(8)} ${pc.dim(who)}  ${values ? JSON.stringify(values) : named.join(', ')}`;
    }),
    ...rejectionLines(plan.rejections, totals.rejected),
  ]);
}

const lines = (texts: readonly string[]): string => `${texts.join('\n')}\n`;
const number = (value: number): string => value.toLocaleString('en-US');
const plural = (count: number, word: string): string => `${number(count)} ${word}${count === 1 ? '' : 's'}`;
