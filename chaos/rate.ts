/**
 * The rate of one Braze app and the fairness between its destinations, measured: many batches, no faults, environments
 * that come and go as Lambda likes.
 */
import { faultsOf } from './faults.ts';
import { COLUMN_TYPES } from './history.ts';
import { endsLease } from './judge.ts';
import type { WarehouseRow } from './redshift.ts';
import { type AppSpec, type DestinationSpec, parametersOf } from './specs.ts';
import { timeline } from './timeline.ts';
import { RUNS_TABLE, START_RUN, world } from './world.ts';

export type RateOptions = {
  readonly seed: number;
  readonly app: AppSpec;
  /** Rows by destination; they are started in this order. */
  readonly rows: ReadonlyMap<string, number>;
  /** Between two starts, ms. */
  readonly apartMs?: number;
  /** Longest time that Braze takes for an answer, ms. */
  readonly answerMs?: number;
  /** Without, the queue does not tell destinations apart. */
  readonly fair?: boolean;
  /** All destinations have the same users. */
  readonly shared?: boolean;
};

export type Measured = {
  /** Most requests that began within three seconds. */
  readonly busiest: number;
  readonly requests: number;
  /** From a run's start to its end, ms; undefined when it has not ended well. */
  readonly durationMs: ReadonlyMap<string, number | undefined>;
};

const START_MS = Date.UTC(2026, 0, 15, 8, 30, 0);
const SECOND_MS = 1000;
const WINDOW_MS = 3 * SECOND_MS;
/** Every run has ended by then. */
const LIMIT_MS = 6 * 3_600_000;

const SPEC: DestinationSpec = {
  primaryKey: 'id',
  syncMode: 'additive',
  fields: [{ attribute: 'color', column: 'c_text', standard: false }],
  groups: [],
  rules: {},
  audience: undefined,
  invalidValues: 'reject',
  guard: { maxPercent: 100, maxRecords: 10_000 },
  groupGuard: { maxPercent: 100, maxRecords: 10_000 },
  nullGuard: { maxPercent: 100, maxRecords: 10_000 },
  budget: undefined,
  dayBudget: undefined,
  shards: 1,
};

/** Runs every destination once, all at about the same time. @throws Error when a run does not end. */
export async function measureRate({
  seed,
  app,
  rows,
  apartMs = SECOND_MS,
  answerMs,
  fair,
  shared,
}: RateOptions): Promise<Measured> {
  const time = timeline(START_MS);
  const specs = new Map([...rows.keys()].map((name) => [name, { ...SPEC, name, renamedFrom: undefined }]));
  const rowsOf = (name: string): WarehouseRow[] =>
    Array.from({ length: rows.get(name) ?? 0 }, (_, index) => ({
      key: `${shared ? 'user' : name}-${index}`,
      cells: { c_text: 'red' },
      holds: new Set<string>(),
    }));
  const columns = Object.entries(COLUMN_TYPES).map(([name, typeName]) => ({ name, typeName }));
  const violations: string[] = [];
  const account = world({
    seed,
    timeline: time,
    faults: faultsOf({ seed, only: new Set() }),
    settleMs: SECOND_MS,
    concurrency: app.concurrency,
    pageItems: 1000,
    pageRows: 1000,
    maxSkewMs: 300,
    modelOf: (destination) => ({ columns, rows: rowsOf(destination) }),
    parameters: parametersOf(app, specs),
    ...(answerMs === undefined ? {} : { answerMs }),
    ...(fair === undefined ? {} : { fair }),
    watcher: {
      trace: () => undefined,
      violation: (invariant, text) => violations.push(`${invariant}: ${text}`),
      sent: () => undefined,
      answered: () => undefined,
      ended: () => undefined,
      wrote: (invocation, _, before, after) => {
        if (endsLease(before, after)) invocation.released = true;
      },
      submitted: () => undefined,
      log: () => undefined,
    },
  });
  let delayMs = 0;
  for (const name of rows.keys()) {
    time.after(delayMs, () =>
      account.lambda.invoke(START_RUN, { destination: name, execution: name }, () => undefined),
    );
    delayMs += apartMs;
  }
  const runOf = (name: string) =>
    account.tables.partition(RUNS_TABLE, `destination#${name}`).find(({ sk }) => String(sk).startsWith('run#'));
  let looks = 0;
  const areOver = (): boolean =>
    ++looks % 500 === 0 && [...rows.keys()].every((name) => runOf(name)?.endedAt !== undefined);
  await time.moveTo(START_MS + LIMIT_MS, areOver);
  if (violations.length > 0) throw new Error(violations.join('; '));
  const starts = account.braze.requests().map(({ at }) => at);
  return {
    busiest: busiest(starts),
    requests: starts.length,
    durationMs: new Map(
      [...rows.keys()].map((name) => {
        const { status, startedAt, endedAt } = runOf(name) ?? {};
        return [name, status === 'succeeded' ? Number(endedAt) - Number(startedAt) : undefined];
      }),
    ),
  };
}

function busiest(starts: readonly number[]): number {
  let [most, from] = [0, 0];
  starts.forEach((at, index) => {
    while ((starts[from] ?? 0) <= at - WINDOW_MS) from++;
    most = Math.max(most, index - from + 1);
  });
  return most;
}
