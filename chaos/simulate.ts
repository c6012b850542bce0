/** Plays the history of a seed to its end, and past it until everything has to be right. */
import { createHash } from 'node:crypto';
import type { BrazeRequest, Profile } from './braze.ts';
import { type Fault, faultsOf } from './faults.ts';
import { COLUMN_TYPES, type Flags, GROUP_IDS, type History, historyOf, mended, type Step } from './history.ts';
import { judge, type RunInfo, type Violation } from './judge.ts';
import type { Outcome } from './lambda.ts';
import type { ModelState, WarehouseRow } from './redshift.ts';
import {
  ASK_AGAIN_MS,
  type Deployed,
  type DestinationSpec,
  destinationNamed,
  keyedBy,
  NEVER_UNSET,
  parametersOf,
  recordsOf,
  wantedOf,
} from './specs.ts';
import { timeline } from './timeline.ts';
import { BATCH_QUEUE, EXTRACT_QUEUE, RUNS_TABLE, START_RUN, type World, world } from './world.ts';

export type SimulateOptions = {
  readonly history?: History;
  /** Only these chances, by number, may become faults. */
  readonly only?: ReadonlySet<number>;
  /** Kinds of faults that are left out. */
  readonly without?: readonly string[];
  /** Told of everything that happens. */
  readonly trace?: (text: string) => void;
};

export type Result = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly Fault[];
  readonly runs: number;
  readonly invocations: number;
  readonly requests: number;
  readonly events: number;
  /** Virtual milliseconds. */
  readonly durationMs: number;
  /** Of all that was told, where it was asked for. */
  readonly traceHash: string | undefined;
};

const START_MS = Date.UTC(2026, 0, 15, 8, 30, 0);
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** After these, a message may never come, or too late. */
const LOSSES: ReadonlySet<string> = new Set([
  'message vanishes',
  'message is very late',
  'message is lost with its function',
]);
const SWEEP_MS = 15 * MINUTE_MS;
const RUN_ID = /\d{8}T\d{9}Z-[0-9a-f]{6}/g;

/** Plays a seed's history, or the one given. Never throws for what goes wrong: that is a violation. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Result> {
  const history = options.history ?? historyOf(seed);
  const time = timeline(START_MS);
  const faults = faultsOf({ seed, only: options.only, without: options.without });
  const traceHash = options.trace ? createHash('sha256') : undefined;
  const aliases = new Map<string, string>();
  const trace = (text: () => string): void => {
    if (!options.trace || !traceHash) return;
    // The name of a run has a random part.
    const line = `${stamp(time.now())} ${text().replace(RUN_ID, (run) => {
      const alias = aliases.get(run) ?? `run${aliases.size + 1}`;
      aliases.set(run, alias);
      return alias;
    })}`;
    traceHash.update(line).update('\n');
    options.trace(line);
  };

  const specs = new Map<string, Deployed>(
    [...history.specs].map(([name, spec]) => [name, { ...spec, name, renamedFrom: undefined }]),
  );
  const deployments = [new Map(specs)];
  const namesOf = (destination: string): string[] => ['', '_x', '_y'].map((ending) => `${destination}${ending}`);
  const rows = new Map([...specs.keys()].map((name) => [name, new Map<string, readonly WarehouseRow[]>()]));
  const types = new Map([...specs.keys()].map((name) => [name, { ...COLUMN_TYPES }]));
  const modelOf = (destination: string): ModelState => ({
    columns: Object.entries(types.get(destination) ?? {}).map(([name, typeName]) => ({ name, typeName })),
    rows: [...(rows.get(destination)?.values() ?? [])].flat(),
  });
  let losses = 0;
  let kills = 0;
  /** Invocations that died, by run. */
  const deaths = new Map<string, number>();
  const court = judge({
    now: time.now,
    mayLoseMessages: (run) =>
      losses > 0 ||
      account.queues.lost().some((body) => runOf(body) === run) ||
      // A message whose function dies comes again after 18 minutes: a few times in a row, and its run counts as stuck.
      (deaths.get(run) ?? 0) > 2 ||
      faults.injected().some(({ kind }) => LOSSES.has(kind)),
    tables: () => account.tables,
    specOf: (destination, deployment) => {
      const spec = deployments[deployment]?.get(destination);
      if (!spec) throw new Error(`no destination '${destination}'`);
      return spec;
    },
  });
  const settleMs = Math.max(200, history.app.settleSeconds * SECOND_MS - 2 * history.maxSkewMs - 500);
  const account: World = world({
    seed,
    timeline: time,
    faults,
    settleMs,
    concurrency: history.app.concurrency,
    pageItems: history.pageItems,
    pageRows: history.pageRows,
    maxSkewMs: history.maxSkewMs,
    modelOf: (name) => modelOf(destinationNamed(name)),
    parameters: parametersOf(history.app, specs),
    watcher: {
      trace,
      violation: court.violation,
      sent: court.sent,
      answered: court.knowledge.answered,
      ended: (invocation, outcome) => {
        if (outcome.kind === 'killed') {
          kills++;
          const run = runOf(invocation.body);
          deaths.set(run, (deaths.get(run) ?? 0) + 1);
        }
        court.knowledge.ended(invocation, outcome);
      },
      wrote: court.wrote,
      submitted: court.submitted,
      log: (_, level, event, data) => trace(() => `  log ${level} ${event} ${JSON.stringify(data)}`),
    },
  });
  const { braze } = account;

  let starts = 0;
  let keys = 0;
  const start = (destination: string, flags: Flags, twice: boolean): void => {
    const event = {
      destination: specs.get(destination)?.name,
      execution: `execution-${++starts}`,
      ...(flags.approve === 'nothing' ? {} : { by: 'somebody' }),
      ...(flags.approve === 'all' ? { approve: ['all'] } : {}),
      approveDeletions: flags.approve === 'deletions',
      retryRejections: flags.retry,
      resync: flags.resync !== 'no',
      withGroups: flags.resync === 'groups',
      rekey: flags.rekey,
    };
    const attempt = (attempts: number): void => {
      account.lambda.invoke(START_RUN, event, (outcome: Outcome) => {
        if (outcome.kind === 'returned') return;
        // What a start says no to, it has not opened.
        if (outcome.kind === 'threw' && outcome.error instanceof Error && outcome.error.name === 'FatalError') return;
        // What a start has opened without a message is as good as lost until it is tried again.
        losses++;
        if (attempts === 3) return;
        // Source: AWS Lambda Developer Guide, 'Error handling for asynchronous invocation'.
        time.after(attempts * MINUTE_MS, () => {
          attempt(attempts + 1);
        });
      });
    };
    attempt(1);
    if (twice || faults.draw('start')) {
      time.after(1 + (starts % 5) * 700, () => {
        attempt(1);
      });
    }
  };

  const deploy = (): void => {
    deployments.push(new Map(specs));
    account.deploy(parametersOf(history.app, specs));
  };

  const change = (destination: string, changes: Partial<Deployed>): void => {
    const spec = specs.get(destination);
    if (spec) specs.set(destination, { ...spec, ...changes });
    deploy();
  };

  /** Runs that there were before a destination got its present name. */
  const runsBefore = new Map<string, ReadonlySet<string>>();
  const hasRun = (name: string | undefined, before?: ReadonlySet<string>): boolean =>
    [...court.runs.values()].some(({ run, spec }) => spec.name === name && !before?.has(run));

  /** A name that has had runs of its own is another destination's, unless it was the last one. */
  const rename = (destination: string, name: string): void => {
    const spec = specs.get(destination);
    if (!spec || spec.name === name || (hasRun(name) && name !== spec.renamedFrom)) return;
    // The ledger is that of the last name that has had a run.
    const ran = [...court.runs.values()].filter((run) => destinationNamed(run.spec.name) === destination);
    const from = ran.at(-1)?.spec.name ?? spec.renamedFrom ?? spec.name;
    runsBefore.set(destination, new Set(court.runs.keys()));
    change(destination, { name, renamedFrom: from === name ? undefined : from });
  };

  const act = (step: Step): void => {
    trace(() => `== ${describeStep(step)}`);
    switch (step.kind) {
      case 'rows':
        rows.get(step.destination)?.set(step.key, step.rows);
        break;
      case 'empty':
        rows.get(step.destination)?.clear();
        break;
      case 'deploy':
        change(step.destination, step.spec);
        break;
      case 'rename':
        rename(step.destination, `${step.destination}${step.ending}`);
        break;
      case 'forget former name':
        if (hasRun(specs.get(step.destination)?.name, runsBefore.get(step.destination)))
          change(step.destination, { renamedFrom: undefined });
        break;
      case 'column': {
        const columns = types.get(step.destination);
        if (columns) columns[step.name] = step.typeName;
        break;
      }
      case 'start':
        start(step.destination, step, step.twice);
        break;
      case 'own user':
        if (!braze.profiles.has(step.user))
          braze.profiles.set(step.user, { attributes: new Map([['foreign', 'mine']]), groups: new Map(), ours: false });
        break;
      case 'consent': {
        const profile = braze.profiles.get(step.user);
        profile?.groups.set(step.group, { state: step.state, by: 'user' });
        break;
      }
      case 'rotate key': {
        const [before, next] = [`key-${keys}`, `key-${++keys}`];
        account.setSecret(next);
        braze.setKeys(step.graceMs > 0 ? [before, next] : [next]);
        if (step.graceMs > 0) time.after(step.graceMs, () => braze.setKeys([`key-${keys}`]));
        break;
      }
      case 'purge':
        losses++;
        account.queues.purge(step.queue === 'extract' ? EXTRACT_QUEUE : BATCH_QUEUE);
        break;
      case 'refuse':
        braze.setRefusing(step.refuses);
        break;
      case 'outage':
        braze.setOutage({ ...step, untilMs: time.now() + step.lastsMs, turnsAtMs: time.now() + step.turnsAfterMs });
        break;
      case 'discard': {
        const event = { destination: specs.get(step.destination)?.name, discard: ['all'], by: 'somebody' };
        account.lambda.invoke(START_RUN, event, () => undefined);
        break;
      }
      case 'wait':
    }
  };

  /** The sweeper's schedule; while no run is open there is nothing to sweep. */
  const sweepLater = (): void => {
    time.after(SWEEP_MS, () => {
      const isOpen = [...specs.keys()]
        .flatMap(namesOf)
        .some((name) =>
          account.tables
            .partition(RUNS_TABLE, `destination#${name}`)
            .some(({ sk, open }) => sk === 'state' && open !== undefined),
        );
      if (isOpen) account.lambda.invoke(START_RUN, { sweep: true }, () => undefined);
      sweepLater();
    });
  };
  if (history.sweeps) sweepLater();

  const failed = (): boolean => court.violations.length > 0;
  const openRuns = (destination?: string): RunInfo[] =>
    [...court.runs.values()].filter(
      (run) =>
        (run.status === 'running' || run.status === 'failing') &&
        (destination === undefined || run.destination === destination),
    );

  /** Runs a destination until it has ended. Returns the run, or undefined when it did not. */
  const runOnce = async (destination: string, flags: Flags): Promise<RunInfo | undefined> => {
    const before = new Set(court.runs.keys());
    start(destination, flags, false);
    const newRun = (): RunInfo | undefined =>
      [...court.runs.values()].find((run) => run.destination === destination && !before.has(run.run));
    const isOver = (): boolean => {
      const run = newRun();
      return failed() || (run !== undefined && run.status !== 'running' && run.status !== 'failing');
    };
    await time.moveTo(time.now() + 3 * HOUR_MS, isOver);
    const run = newRun();
    if (run && !failed()) await time.moveTo(time.now() + 2 * MINUTE_MS, failed);
    return run;
  };

  const finish = async (): Promise<void> => {
    faults.stop();
    trace(() => '== no more faults');
    if (history.mends)
      for (const byKey of rows.values()) for (const [key, list] of byKey) byKey.set(key, list.map(mended));
    // Messages may be late by hours, statements may take hours, and a stuck run is closed after six.
    await time.moveTo(time.now() + 16 * HOUR_MS, failed);
    for (const destination of specs.keys()) {
      if (failed()) return;
      await converge(destination);
    }
  };

  const converge = async (destination: string): Promise<void> => {
    let done = false;
    // What is held after one approval may be more than a budget then, and so on.
    const attempts = (specs.get(destination)?.budget ?? specs.get(destination)?.dayBudget) === undefined ? 5 : 9;
    for (let attempt = 1; attempt <= attempts && !done; attempt++) {
      const run = await runOnce(destination, {
        approve: attempt % 2 || attempt > 5 ? 'all' : 'deletions',
        retry: true,
        resync: 'no',
        rekey: true,
      });
      if (failed()) return;
      done = run !== undefined && (run.status === 'succeeded' || run.status === 'partial');
      await time.moveTo(time.now() + ASK_AGAIN_MS + 5 * MINUTE_MS, failed);
      if (attempt === attempts && !done)
        court.violation('every run ends', `the last run of ${destination} is ${run?.status ?? 'not there'}`);
    }
    // What was asked about while nobody was there is asked about again; a budget may hold that until it is approved.
    for (let attempt = 1, status = ''; attempt <= 3 && status !== 'succeeded' && status !== 'partial'; attempt++) {
      status = (await runOnce(destination, { approve: 'all', retry: false, resync: 'no', rekey: false }))?.status ?? '';
      if (failed()) return;
    }
    if (openRuns(destination).length > 0) return court.violation('every run ends', `a run of ${destination} is open`);
    await time.moveTo(time.now() + 10 * MINUTE_MS, failed);
    checkState(destination);
    if (failed()) return;
    const last = await runOnce(destination, { approve: 'nothing', retry: false, resync: 'no', rekey: false });
    if (failed() || !last) return;
    const changes = braze
      .requests()
      .filter(({ at, invocation }) => at >= Number(last.item.startedAt) && isOf(invocation.body, destination));
    if (changes.length > 0)
      court.violation(
        'a run without changes sends nothing',
        `${changes.length} requests, the first: ${changes[0]?.path} ${changes[0]?.changes[0]?.text ?? ''}`,
      );
    checkRejected(destination, last);
  };

  const rowsOf = (destination: string): readonly WarehouseRow[] =>
    keyedBy(specs.get(destination)?.primaryKey ?? 'id', modelOf(destination).rows);

  const checkState = (destination: string): void => {
    const spec = specs.get(destination);
    if (!spec) return;
    const records = recordsOf(spec, rowsOf(destination));
    const columnTypes = new Map(Object.entries(types.get(destination) ?? {}));
    const users = new Set([...braze.profiles.keys()].filter((user) => user.includes(destination)));
    for (const key of records.keys()) if (key !== null) users.add(key);
    for (const user of users) {
      const list = records.get(user);
      const profile = braze.profiles.get(user);
      const wrong = (text: string): void =>
        court.violation('Braze is what the warehouse says', `${user} (${spec.syncMode}): ${text}`);
      if (profile && !profile.ours && profile.attributes.get('foreign') !== 'mine')
        wrong('a foreign attribute is gone');
      if (!list) checkGone(spec, user, profile, wrong);
      else if (list.length > 1) checkKept(user, profile, wrong);
      else checkPresent(spec, user, list[0], profile, columnTypes, wrong);
    }
  };

  const checkGone = (
    spec: DestinationSpec,
    user: string,
    profile: Profile | undefined,
    wrong: (text: string) => void,
  ): void => {
    if (!profile) return;
    if (spec.syncMode === 'sync') {
      if (profile.ours) wrong('it left the warehouse and is still there');
      return;
    }
    for (const [id, { state, by }] of profile.groups) {
      if (by === 'us' && state === 'subscribed') wrong(`it left the warehouse and is still in ${id}`);
      const told = court.knowledge.told(user, `g:${id}`);
      if (told !== 'uncertain' && told?.value === 'subscribed') wrong(`it was never told to leave ${id}`);
    }
  };

  /** A rejected record stays as it was. */
  const checkKept = (user: string, profile: Profile | undefined, wrong: (text: string) => void): void => {
    const names = [...(profile?.attributes.keys() ?? [])];
    for (const name of names) {
      const told = court.knowledge.told(user, `a:${name}`);
      if (told !== undefined && told !== 'uncertain' && told.value !== profile?.attributes.get(name))
        wrong(`${name} is ${String(profile?.attributes.get(name))}, and was told to be ${String(told.value)}`);
    }
  };

  const checkPresent = (
    spec: DestinationSpec,
    user: string,
    row: WarehouseRow | undefined,
    profile: Profile | undefined,
    columnTypes: ReadonlyMap<string, string>,
    wrong: (text: string) => void,
  ): void => {
    const wanted = row && wantedOf(spec, row, columnTypes);
    if (!wanted || isRefused(user, wanted.values)) {
      checkKept(user, profile, wrong);
      return;
    }
    if (!profile) {
      if (spec.syncMode !== 'enrich') wrong('it is not there');
      return;
    }
    for (const [name, value] of wanted.values) {
      if (name === NEVER_UNSET && value === null) continue;
      const actual = profile.attributes.get(name) ?? null;
      if (actual !== value) wrong(`${name} is ${JSON.stringify(actual)}, not ${JSON.stringify(value)}`);
    }
    for (const name of profile.attributes.keys()) {
      if (name === 'foreign' || name === NEVER_UNSET || wanted.omitted.has(name)) continue;
      if (!wanted.values.has(name)) wrong(`${name} is no longer mapped and still there`);
    }
    for (const id of Object.values(GROUP_IDS)) {
      const isMember = wanted.members.has(id);
      const told = court.knowledge.told(user, `g:${id}`);
      const isTold = told !== 'uncertain' && told?.value === 'subscribed';
      if (told !== 'uncertain' && isTold !== isMember) wrong(`it was ${isTold ? '' : 'not '}told to be in ${id}`);
      const group = profile.groups.get(id);
      if (group?.by === 'us' && (group.state === 'subscribed') !== isMember) wrong(`it is ${group.state} in ${id}`);
      if (!group && isMember) wrong(`it is not in ${id}`);
    }
  };

  let refusing = true;
  /** Whether Braze would refuse what is wanted of a user: what it has taken before is not sent again. */
  const isRefused = (user: string, values: ReadonlyMap<string, unknown>): boolean | 'maybe' => {
    if (user.startsWith('refused')) return true;
    const tolds = [...values]
      .filter(([, value]) => typeof value === 'string' && value.startsWith('refused'))
      .map(([name, value]) => {
        const told = court.knowledge.told(user, `a:${name}`);
        return told === 'uncertain' ? 'maybe' : told?.value !== value;
      });
    if (!refusing || tolds.length === 0) return false;
    return tolds.includes(true) || (tolds.includes('maybe') && 'maybe');
  };

  /** Whatever is not sent is listed, in each run. */
  const checkRejected = (destination: string, run: RunInfo): void => {
    const spec = specs.get(destination);
    if (!spec) return;
    const columnTypes = new Map(Object.entries(types.get(destination) ?? {}));
    let [least, most] = [0, 0];
    const expect = (count: number, isSure = true): void => {
      if (isSure) least += count;
      most += count;
    };
    for (const [key, list] of recordsOf(spec, rowsOf(destination))) {
      const [row] = list;
      if (key === null || list.length > 1) expect(list.length);
      else {
        const wanted = row && wantedOf(spec, row, columnTypes);
        const isThere = spec.syncMode !== 'enrich' || braze.profiles.has(key);
        const refused = wanted && isThere ? isRefused(key, wanted.values) : false;
        if (!wanted || refused) expect(1, refused !== 'maybe');
      }
    }
    const totals = run.item.totals as Readonly<Record<string, number>>;
    const rejected = totals.rejected ?? 0;
    if (rejected < least || rejected > most)
      court.violation(
        'what is not sent is listed',
        `${rejected} rejected by ${run.run}, not ${least}${least === most ? '' : ` to ${most}`}`,
      );
  };

  try {
    for (const step of history.steps) {
      if (step.kind === 'refuse') refusing = step.refuses;
      act(step);
      if (step.waitMs > 0) await time.moveTo(time.now() + step.waitMs, failed);
      if (failed()) break;
    }
    if (!failed()) await finish();
    if (!failed()) checkRates(braze.requests(), history, kills, court.violation);
  } catch (error) {
    court.violation('nothing is unexpected', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    seed,
    violations: court.violations,
    faults: faults.injected(),
    runs: court.runs.size,
    invocations: account.lambda.invocations(),
    requests: braze.requests().length,
    events: time.events(),
    durationMs: time.now() - START_MS,
    traceHash: traceHash?.digest('hex'),
  };
}

/** Returns the run that a message is of. */
const runOf = (body = '{}'): string => (JSON.parse(body) as { readonly run?: string }).run ?? '';

const isOf = (body: string | undefined, destination: string): boolean =>
  destinationNamed((JSON.parse(body ?? '{}') as { readonly destination?: string }).destination ?? '') === destination;

/** Requests in any three seconds, and lookups in any minute, against the app's settings. */
/** An environment whose invocation dies leaves its interval unfinished. */
function checkRates(
  requests: readonly BrazeRequest[],
  { app }: History,
  kills: number,
  violation: (invariant: string, text: string) => void,
): void {
  const busiest = (list: readonly BrazeRequest[], windowMs: number): number => {
    let [most, from] = [0, 0];
    list.forEach((request, index) => {
      while ((list[from]?.at ?? 0) <= request.at - windowMs) from++;
      most = Math.max(most, index - from + 1);
    });
    return most;
  };
  const changes = busiest(
    requests.filter((request) => request.changes.length > 0),
    3 * SECOND_MS,
  );
  const allowed = Math.max(1.1 * app.requestsPerSecond * 3, app.requestsPerSecond * 3 + app.concurrency) + kills;
  if (changes > allowed) violation('the rate is kept', `${changes} requests in 3 seconds, ${allowed} allowed`);
  const lookups = busiest(
    requests.filter((request) => request.asks.length > 0),
    MINUTE_MS,
  );
  const allowedLookups = app.lookupsPerMinute * 1.1 + app.concurrency + kills;
  if (lookups > allowedLookups)
    violation('the rate is kept', `${lookups} lookups in a minute, ${allowedLookups} allowed`);
}

const stamp = (ms: number): string => `+${String(((ms - START_MS) / SECOND_MS).toFixed(3)).padStart(10)}`;

/** Returns a step in words. */
export function describeStep(step: Step): string {
  const wait = step.waitMs > 0 ? `, then ${Math.round(step.waitMs / SECOND_MS)} s` : '';
  switch (step.kind) {
    case 'rows': {
      const said = step.rows.map(
        ({ cells, holds }) => `${JSON.stringify(cells).slice(0, 200)} in ${[...holds].join(' ')}`,
      );
      return `rows of ${step.destination}: ${step.key} = ${said.join(' and ') || 'none'}${wait}`;
    }
    case 'empty':
      return `rows of ${step.destination}: none at all${wait}`;
    case 'deploy':
      return `deploy ${step.destination}: ${step.what} -> ${describeSpec(step.spec)}${wait}`;
    case 'rename':
      return `${step.destination} gets the name ${step.destination}${step.ending}${wait}`;
    case 'forget former name':
      return `${step.destination} no longer says what its name was${wait}`;
    case 'column':
      return `column ${step.name} of ${step.destination} becomes ${step.typeName}${wait}`;
    case 'start':
      return `start ${step.destination}${step.approve === 'nothing' ? '' : `, approved: ${step.approve}`}${step.resync === 'no' ? '' : `, resync ${step.resync}`}${step.retry ? ', with rejections' : ''}${step.rekey ? ', rekey' : ''}${step.twice ? ', twice' : ''}${wait}`;
    case 'own user':
      return `${step.user} appears in Braze${wait}`;
    case 'consent':
      return `${step.user} makes itself ${step.state} in ${step.group.slice(0, 2)}${wait}`;
    case 'rotate key':
      return `the key is rotated${wait}`;
    case 'purge':
      return `the ${step.queue} queue is purged${wait}`;
    case 'refuse':
      return `Braze ${step.refuses ? 'refuses' : 'takes'} values that begin with 'refused'${wait}`;
    case 'outage':
      return `Braze ${step.first} for ${step.lastsMs / MINUTE_MS} minutes, and after ${Math.round(step.turnsAfterMs / SECOND_MS)} s ${step.later}${wait}`;
    case 'discard':
      return `what is held for ${step.destination} is discarded${wait}`;
    case 'wait':
      return `wait${wait}`;
  }
}

/** Returns a specification in words. */
export const describeSpec = (spec: DestinationSpec): string =>
  `${spec.syncMode}, ${spec.fields.map(({ attribute, column, type, resolution, minIntervalMinutes }) => `${attribute}<-${column}${type ? `:${type}` : ''}${resolution ? `/${resolution}` : ''}${minIntervalMinutes ? `@${minIntervalMinutes}` : ''}`).join(' ')}, groups ${spec.groups.map(({ name }) => `${name}:${spec.rules[name]}`).join(' ')}, audience ${spec.audience ?? 'all'}${spec.audience ? `:${spec.rules[spec.audience]}` : ''}, ${spec.invalidValues}, guards ${[spec.guard, spec.groupGuard, spec.nullGuard].map(({ maxPercent, maxRecords, minRecords = 0 }) => `${maxPercent}%/${maxRecords}/${minRecords}`).join(' ')}, budget ${spec.budget ?? 'none'}, of a day ${spec.dayBudget ?? 'none'}, key ${spec.primaryKey}, ${spec.shards} shards`;
