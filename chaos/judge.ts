/**
 * The invariants of a history, told from what the services see: statements, requests, writes of tables, ends of
 * invocations. It goes by rows, parameters and history alone, and shares no code with what it judges.
 */
import type { BrazeRequest, Change } from './braze.ts';
import type { Item } from './dynamo/expressions.ts';
import type { Tables } from './dynamo/tables.ts';
import { type Knowledge, knowledge } from './knowledge.ts';
import type { Invocation } from './lambda.ts';
import type { ModelState, WarehouseRow } from './redshift.ts';
import { md5 } from './redshift.ts';
import {
  type ColumnTypes,
  type Deployed,
  destinationNamed,
  intervalOf,
  type Limits,
  NEVER_UNSET,
  recordsOf,
  type Wanted,
  wantedOf,
} from './specs.ts';
import { LEDGER_TABLE, RUNS_TABLE, START_RUN } from './world.ts';

export type Violation = { readonly invariant: string; readonly text: string; readonly at: number };

export type RunInfo = {
  readonly run: string;
  /** Whatever its name was. */
  readonly destination: string;
  readonly spec: Deployed;
  readonly startedAt: number;
  /** Effects that a person has approved, and in which run they were shown. */
  readonly approvals: ReadonlyMap<string, string | undefined>;
  readonly retry: boolean;
  readonly resync: unknown;
  readonly rekey: boolean;
  readonly interval: (name: string) => number | undefined;
  types: ColumnTypes;
  /** What the shards' statements yield, together. */
  readonly rows: WarehouseRow[];
  records: Map<string | null, WarehouseRow[]> | undefined;
  shards: number;
  /** Entries of the ledger that Braze may have, when the rows were read. */
  known: number;
  /** Entries of the ledger that Braze may have and that the rows no longer have. */
  removable: ReadonlySet<string>;
  /** Users that may hold an attribute or group, by its name, when the rows were read. */
  holders: ReadonlyMap<string, number>;
  /** Users of which an effect was sent: `deletions`, and names of attributes and groups that end. */
  readonly effects: Map<string, Set<string>>;
  dataPoints: number;
  readonly counted: Set<string>;
  status: string;
  /** Since when it fails. */
  failingSince: number;
  item: Item;
  requests: number;
};

export type Judge = {
  readonly knowledge: Knowledge;
  readonly runs: ReadonlyMap<string, RunInfo>;
  readonly sent: (request: BrazeRequest) => void;
  readonly submitted: (
    name: string,
    model: ModelState,
    rows: readonly WarehouseRow[],
    audience: string | undefined,
  ) => void;
  readonly wrote: (invocation: Invocation, table: string, before: Item | undefined, after: Item | undefined) => void;
  readonly violation: (invariant: string, text: string) => void;
  readonly violations: readonly Violation[];
};

export type JudgeOptions = {
  readonly now: () => number;
  /** What was deployed for a destination when an environment was made. */
  readonly specOf: (destination: string, deployment: number) => Deployed;
  readonly tables: () => Tables;
  /** Whether anything has happened that messages of a run can be lost by. */
  readonly mayLoseMessages: (run: string) => boolean;
};

const OPEN = new Set(['running', 'failing']);

/** A message of a failing run may wait for a rate limit, or for its visibility timeout, this long. */
const FAILING_MS = 100 * 60_000;

type Body = { readonly kind?: string; readonly run?: string; readonly destination?: string };

/** True for a write by which a batch is let go of: others may send its users from then on. */
export const endsLease = (before: Item | undefined, after: Item | undefined): boolean =>
  String((after ?? before)?.pk).startsWith('intents#') && (after === undefined || after.leaseUntil === 0);

/** Returns a judge of an empty world. */
export function judge({ now, specOf, tables, mayLoseMessages }: JudgeOptions): Judge {
  const violations: Violation[] = [];
  const violation = (invariant: string, text: string): void => {
    violations.push({ invariant, text, at: now() });
  };
  const known = knowledge(violation);
  const runs = new Map<string, RunInfo>();
  const users = new Map<string, string>();

  const infoOf = (invocation: Invocation): { info: RunInfo | undefined; kind: string } => {
    const { run, kind = '' }: Body = JSON.parse(invocation.body ?? '{}');
    return { info: runs.get(run ?? ''), kind };
  };

  const checkRemoval = (info: RunInfo, change: Change): void => {
    if (info.records?.has(change.user))
      violation('only what left is removed', `${change.user} is removed, and the extract of its run has it`);
    note(info, 'deletions', change.user);
    if (change.deletes && info.spec.syncMode !== 'sync')
      violation('only sync deletes', `${change.user} is deleted by a run of mode ${info.spec.syncMode}`);
    if (!change.deletes) {
      if (info.spec.syncMode === 'sync') violation('sync deletes', `${change.user} leaves its groups only`);
      for (const [name, value] of change.values)
        if (!name.startsWith('g:') || value !== 'unsubscribed')
          violation('who left leaves groups', `${change.user}: ${name} = ${String(value)}`);
      if (!change.existingOnly) violation('who left is not made anew', change.user);
    }
    checkGuard(info, 'deletions');
  };

  const note = (info: RunInfo, effect: string, user: string): void => {
    const users_ = info.effects.get(effect);
    if (users_) users_.add(user);
    else info.effects.set(effect, new Set([user]));
  };

  const limitsOf = ({ spec }: RunInfo, effect: string): Limits =>
    effect === 'deletions' ? spec.guard : effect.startsWith('g:') ? spec.groupGuard : spec.nullGuard;

  const isOver = (limits: Limits, found: number, of: number): boolean =>
    found > (limits.minRecords ?? 0) &&
    (found > limits.maxRecords || found * 100 > limits.maxPercent * of * (1 + 1e-9));

  const checkGuard = (info: RunInfo, effect: string): void => {
    const { approvals, effects, rows, run } = info;
    const approval = effect.startsWith('g:') ? `group:${effect.slice(2)}` : effect.replace(/^a:/, 'attribute:');
    let concerned = [...(effects.get(effect) ?? [])];
    if (approvals.has(approval)) {
      const shownIn = approvals.get(approval);
      if (shownIn === undefined || effect !== 'deletions') return;
      // Leave was given for what an earlier run has shown, and for nothing else.
      concerned = concerned.filter((user) => !runs.get(shownIn)?.removable.has(user));
    }
    const of = effect === 'deletions' ? info.known : (info.holders.get(effect) ?? 0);
    if (isOver(limitsOf(info, effect), concerned.length, of))
      violation('the guards hold mass effects', `${effect}: ${concerned.length} of ${of} by ${run}, unapproved`);
    if (rows.length === 0 && concerned.length > 0)
      violation('an empty extract removes nothing', `${concerned.join(' ')} by ${run}`);
  };

  /** An effect is held for a reason only. */
  const checkHeld = (info: RunInfo): void => {
    for (const { effect, records } of listIn(info.item.held)) {
      if (effect !== 'deletions' || info.rows.length === 0) continue;
      if (!isOver(info.spec.guard, info.removable.size, info.known))
        violation('what is within the limits is not held', `${records} deletions by ${info.run}`);
    }
  };

  const checkUpsert = (info: RunInfo, change: Change): void => {
    const { spec } = info;
    if (change.existingOnly !== (spec.syncMode === 'enrich'))
      violation('only enrich is update-only', `${change.user}: ${change.text}`);
    const rows = info.records?.get(change.user) ?? [];
    const [row] = rows;
    const wanted = row && rows.length === 1 ? wantedOf(spec, row, info.types) : undefined;
    if (!wanted) {
      violation('only good records are sent', `${change.user} has ${rows.length} rows: ${change.text}`);
      return;
    }
    for (const [name, value] of change.values) {
      checkValue(spec, wanted, change.user, name, value);
      const isGuarded = name.startsWith('g:')
        ? value === 'unsubscribed' && spec.groups.some(({ id }) => `g:${id}` === name)
        : value === null && wanted.values.has(name.slice(2));
      if (isGuarded) note(info, name, change.user);
      if (isGuarded) checkGuard(info, name);
    }
    checkBudget(info, change);
  };

  const checkBudget = (info: RunInfo, change: Change): void => {
    const { budget, dayBudget } = info.spec;
    if (info.approvals.has('budget') || info.counted.has(change.user)) return;
    info.counted.add(change.user);
    for (const name of change.values.keys()) if (!isFree(name)) info.dataPoints++;
    if (budget !== undefined && info.dataPoints > budget)
      violation('a run keeps its budget', `${info.dataPoints} data points of ${budget} by ${info.run}, unapproved`);
    if (dayBudget === undefined || info.dataPoints === 0) return;
    // A rename does not begin a new day: what counts is whose ledger it is.
    const spent = sum(
      [...runs.values()]
        .filter(({ item, startedAt }) => item.ledger === info.item.ledger && startedAt > info.startedAt - SURE_DAY_MS)
        .map(({ item }) => numbersIn(item.totals).dataPoints ?? 0),
    );
    if (spent + info.dataPoints > dayBudget)
      violation(
        'a day keeps its budget',
        `${info.dataPoints} data points and ${spent} before, of ${dayBudget}, by ${info.run}, unapproved`,
      );
  };

  const checkValue = (spec: Deployed, wanted: Wanted, user: string, name: string, value: unknown): void => {
    const bare = name.slice(2);
    const expected = name.startsWith('a:')
      ? (wanted.values.get(bare) ?? null)
      : wanted.members.has(bare)
        ? 'subscribed'
        : 'unsubscribed';
    if (wanted.omitted.has(bare) && name.startsWith('a:'))
      violation('an omitted field stays behind', `${user}: ${bare} = ${JSON.stringify(value)}`);
    else if (value !== expected)
      violation(
        'values are those of the row',
        `${user}: ${name} = ${JSON.stringify(value)}, not ${JSON.stringify(expected)}`,
      );
    if (bare === NEVER_UNSET && value === null) violation('a consent is never unset', user);
    if (name.startsWith('g:') && value === 'subscribed' && !spec.groups.some(({ id }) => id === bare))
      violation('values are those of the row', `${user} joins ${bare}`);
  };

  const checkRun = (before: Item | undefined, after: Item, invocation: Invocation): void => {
    const [run, name, status] = [String(after.run), String(after.destination), String(after.status)];
    const destination = destinationNamed(name);
    let info = runs.get(run);
    if (!info) {
      const spec = specOf(destination, invocation.environment.deployment);
      info = {
        run,
        destination,
        spec: { ...spec, name },
        startedAt: Number(after.startedAt),
        approvals: new Map(
          listIn(after.approvals).map(({ effect, shownIn }) => [
            String(effect),
            shownIn === undefined ? undefined : String(shownIn),
          ]),
        ),
        retry: after.retryRejections === true,
        resync: after.resync,
        rekey: after.rekey === true,
        interval: (each) => intervalOf(spec, each),
        types: new Map(),
        rows: [],
        records: undefined,
        shards: 0,
        known: 0,
        removable: new Set(),
        holders: new Map(),
        effects: new Map(),
        dataPoints: 0,
        counted: new Set(),
        status,
        failingSince: Number.POSITIVE_INFINITY,
        item: after,
        requests: 0,
      };
      runs.set(run, info);
    }
    info.item = after;
    info.status = status;
    if (status === 'failing') info.failingSince = Math.min(info.failingSince, now());
    const open = [...runs.values()].filter((other) => other.destination === destination && OPEN.has(other.status));
    if (open.length > 1)
      violation('one run is open', `${open.map((other) => other.run).join(' and ')} of ${destination}`);
    if (before && !OPEN.has(String(before.status)) && OPEN.has(status))
      violation('an ended run stays ended', `${run} is ${status} again`);
    if (before && OPEN.has(String(before.status)) && !OPEN.has(status)) checkTotals(info, invocation);
  };

  const checkTotals = (info: RunInfo, invocation: Invocation): void => {
    const { item, run, spec } = info;
    const totals = numbersIn(item.totals);
    const parts = tables().partition(RUNS_TABLE, `run#${run}`);
    const shards = parts.filter(({ sk }) => String(sk).startsWith('shard#'));
    const settled = parts.filter(({ sk }) => String(sk).startsWith('settled#')).map(numbersIn);
    const total = (name: string): number => totals[name] ?? 0;
    const found = (count: string, of = shards): number => sum(of.map(({ counts }) => numbersIn(counts)[count] ?? 0));
    const answered = (count: string): number => sum(settled.map((counts) => counts[count] ?? 0));
    const balance = found('unchanged') + found('added') + found('changed') + found('rejected');
    if (found('extracted') !== balance || total('extracted') !== found('extracted'))
      violation('totals add up', `${run}: ${found('extracted')} extracted, ${balance} accounted for`);
    const sending = shards.filter(({ pass }) => pass === 'send');
    const told = total('accepted') + total('deleted') + total('refused') + total('absent') + total('undelivered');
    if (total('sent') !== found('sent', sending) || total('sent') !== told)
      violation('totals add up', `${run}: ${total('sent')} sent, ${told} accounted for`);
    if (now() - info.failingSince > FAILING_MS && !mayLoseMessages(run))
      violation('no run loses its way', `${run} has failed, and ended ${now() - info.failingSince} ms later`);
    const [error] = listIn([item.error]);
    // The secret always holds a key that is valid.
    if (String(error?.found).includes('answered 401')) violation('a new key is read from its secret', run);
    if (String(error?.found).includes('messages are lost') && !mayLoseMessages(run))
      violation('no run loses its way', `${run}: ${String(error?.found)}`);
    // Only the sweeper, and a start in its place, may end a run whose shards nobody reads to their end. Another delivery
    // of the first step may make the shards of a run that has failed meanwhile; nobody ever reads those.
    const isUnread = ({ done, progress }: Item): boolean =>
      done !== true && (info.status !== 'failed' || progress !== 0);
    if (invocation.name !== START_RUN && shards.some(isUnread))
      violation('totals add up', `${run} is ${info.status} while a shard of it is read`);
    if (listIn(item.held).some(({ effect }) => effect === 'budget') && info.requests > 0)
      violation('a run keeps its budget', `${run} is held as a whole, and has sent ${info.requests} requests`);
    if (!['succeeded', 'partial', 'held'].includes(info.status)) return;
    if (shards.length !== spec.shards || shards.some(({ done }) => done !== true))
      violation('totals add up', `${run} is ${info.status} with shards that are not read`);
    if (total('extracted') !== info.rows.length)
      violation('totals add up', `${run}: ${total('extracted')} extracted of ${info.rows.length} rows`);
    const settledSum = answered('accepted') + answered('rejected') + answered('absent') + answered('deleted');
    if (total('sent') !== settledSum)
      violation('totals add up', `${run}: ${total('sent')} sent, ${settledSum} settled`);
    const status =
      listIn(item.held).length > 0 ? 'held' : total('rejected') + total('unremoved') > 0 ? 'partial' : 'succeeded';
    if (status !== info.status) violation('the status tells', `${run} ended as ${info.status}, not as ${status}`);
    checkHeld(info);
  };

  return {
    knowledge: known,
    runs,
    violations,
    violation,
    submitted: (name, model, rows, _audience) => {
      const [, , run = '', part = ''] = name.split(' ');
      const info = runs.get(run);
      if (!info) return violation('statements belong to runs', name);
      if (part === 'describe') {
        info.types = new Map(model.columns.map((column) => [column.name, column.typeName]));
        return;
      }
      info.shards++;
      info.rows.push(...rows);
      const records = recordsOf(info.spec, info.rows);
      info.records = records;
      const entries = ledgerOf(tables(), String(info.item.ledger));
      const { spec } = info;
      // A profile that stayed is removed once more when it may be in a group again, or when all who left are deleted.
      const owed = ({ k, g }: Item): boolean =>
        !records.has(String(k)) && (g !== true || spec.syncMode === 'sync' || known.mayBeInGroup(String(k)));
      info.known = entries.filter((entry) => entry.g !== true || owed(entry)).length;
      info.removable = new Set(entries.filter(owed).map(({ k }) => String(k)));
      info.holders = known.holders((user) => user.includes(info.destination));
    },
    sent: (request) => {
      const { info, kind } = infoOf(request.invocation);
      if (!info) return violation('requests belong to runs', request.path);
      info.requests++;
      if (!OPEN.has(info.status)) violation('an ended run sends nothing', `${info.run}: ${request.path}`);
      if (request.invocation.startedAt > info.failingSince)
        violation('a failing run sends nothing new', `${info.run}: ${request.path}`);
      for (const change of request.changes) {
        if (kind === 'remove') checkRemoval(info, change);
        else checkUpsert(info, change);
      }
      known.sent(request, info);
    },
    wrote: (invocation, table, before, after) => {
      if (table === LEDGER_TABLE) {
        const item = after ?? before;
        const [keyBefore, keyAfter] = [keyColumnOf(before), keyColumnOf(after)];
        const { info } = infoOf(invocation);
        if (keyBefore !== undefined && keyBefore !== keyAfter && info?.rekey !== true)
          violation('another primary key is refused', `${keyAfter} takes the place of ${keyBefore} by ${info?.run}`);
        const hash = String(item?.sk);
        const user = typeof item?.k === 'string' ? item.k : users.get(hash);
        if (user !== undefined && user !== '') {
          if (md5(user) !== hash) violation('the ledger is keyed by record hash', `${user}: ${hash}`);
          users.set(hash, user);
          known.committed(invocation, user, after?.r, after === undefined);
        }
        return;
      }
      if (endsLease(before, after)) invocation.released = true;
      if (after && String(after.sk).startsWith('settled#')) {
        const isResolved = sizeOf(after.unresolved) === sizeOf(before?.unresolved);
        const cost = isResolved ? known.dataPoints(invocation, isFree) : 0;
        const counted = (numbersIn(after).dataPoints ?? 0) - (numbersIn(before).dataPoints ?? 0);
        // A write may come after the invocation that asked for it has ended, and with it what is known of its requests.
        if (invocation.alive && counted !== cost)
          violation('data points are counted', `${counted} for ${cost} by a batch of ${infoOf(invocation).info?.run}`);
        if (isResolved) known.settled(invocation);
      }
      if (after && String(after.sk).startsWith('run#')) checkRun(before, after, invocation);
    },
  };
}

/** Runs that started less than this before another one are surely within its day, whatever the clocks say. */
const SURE_DAY_MS = 24 * 3_600_000 - 10_000;

/** Groups and a consent cost nothing. */
const isFree = (name: string): boolean => !name.startsWith('a:') || name === `a:${NEVER_UNSET}`;

/** The primary key that a ledger's dictionary names. */
const keyColumnOf = (item: Item | undefined): unknown => (item?.identity as Item | undefined)?.primaryKey;

const sizeOf = (value: unknown): number => (value instanceof Set ? value.size : 0);

const listIn = (value: unknown): readonly Item[] => (Array.isArray(value) ? value : []);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function numbersIn(value: unknown): Record<string, number> {
  const entries = Object.entries((value ?? {}) as Item);
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

/** Returns the entries of a ledger that Braze may have. */
function ledgerOf(store: Tables, destination: string): Item[] {
  const entries: Item[] = [];
  for (const pk of store.partitions(LEDGER_TABLE)) {
    if (!pk.startsWith(`${destination}#`)) continue;
    entries.push(...store.partition(LEDGER_TABLE, pk).filter(({ f }) => f !== undefined));
  }
  return entries;
}
