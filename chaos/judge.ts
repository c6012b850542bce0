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
import { type ColumnTypes, type DestinationSpec, NEVER_UNSET, recordsOf, type Wanted, wantedOf } from './specs.ts';
import { LEDGER_TABLE, RUNS_TABLE } from './world.ts';

export type Violation = { readonly invariant: string; readonly text: string; readonly at: number };

export type RunInfo = {
  readonly run: string;
  readonly destination: string;
  readonly spec: DestinationSpec;
  readonly approved: boolean;
  readonly retry: boolean;
  types: ColumnTypes;
  /** What the shards' statements yield, together. */
  readonly rows: WarehouseRow[];
  records: Map<string | null, WarehouseRow[]> | undefined;
  shards: number;
  /** Entries of the ledger that Braze may have, when the rows were read. */
  known: number;
  readonly removed: Set<string>;
  status: string;
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
  readonly specOf: (destination: string, deployment: number) => DestinationSpec;
  readonly tables: () => Tables;
};

const OPEN = new Set(['running', 'failing']);

type Body = { readonly kind?: string; readonly run?: string; readonly destination?: string };

/** Returns a judge of an empty world. */
export function judge({ now, specOf, tables }: JudgeOptions): Judge {
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
    info.removed.add(change.user);
    if (change.deletes && info.spec.syncMode !== 'sync')
      violation('only sync deletes', `${change.user} is deleted by a run of mode ${info.spec.syncMode}`);
    if (!change.deletes) {
      if (info.spec.syncMode === 'sync') violation('sync deletes', `${change.user} leaves its groups only`);
      for (const [name, value] of change.values)
        if (!name.startsWith('g:') || value !== 'unsubscribed')
          violation('who left leaves groups', `${change.user}: ${name} = ${String(value)}`);
      if (!change.existingOnly) violation('who left is not made anew', change.user);
    }
    checkGuard(info);
  };

  const checkGuard = ({ approved, removed, rows, known: had, spec, run }: RunInfo): void => {
    if (approved) return;
    const { maxPercent, maxRecords } = spec.guard;
    const over = removed.size > maxRecords || removed.size * 100 > maxPercent * had * (1 + 1e-9);
    if (over) violation('the guard holds removals', `${removed.size} of ${had} removed by ${run}, unapproved`);
    if (rows.length === 0) violation('an empty extract removes nothing', `${[...removed].join(' ')} by ${run}`);
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
    for (const [name, value] of change.values) checkValue(spec, wanted, change.user, name, value);
  };

  const checkValue = (spec: DestinationSpec, wanted: Wanted, user: string, name: string, value: unknown): void => {
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
    const [run, destination, status] = [String(after.run), String(after.destination), String(after.status)];
    let info = runs.get(run);
    if (!info) {
      info = {
        run,
        destination,
        spec: specOf(destination, invocation.environment.deployment),
        approved: after.approveDeletions === true,
        retry: after.retryRejections === true,
        types: new Map(),
        rows: [],
        records: undefined,
        shards: 0,
        known: 0,
        removed: new Set(),
        status,
        item: after,
        requests: 0,
      };
      runs.set(run, info);
    }
    info.item = after;
    info.status = status;
    const open = [...runs.values()].filter((other) => other.destination === destination && OPEN.has(other.status));
    if (open.length > 1)
      violation('one run is open', `${open.map((other) => other.run).join(' and ')} of ${destination}`);
    if (before && !OPEN.has(String(before.status)) && OPEN.has(status))
      violation('an ended run stays ended', `${run} is ${status} again`);
    if (before && OPEN.has(String(before.status)) && !OPEN.has(status)) checkTotals(info);
  };

  const checkTotals = (info: RunInfo): void => {
    const { item, run, spec } = info;
    const totals = numbersIn(item.totals);
    const parts = tables().partition(RUNS_TABLE, `run#${run}`);
    const shards = parts.filter(({ sk }) => String(sk).startsWith('shard#'));
    const settled = parts.filter(({ sk }) => String(sk).startsWith('settled#')).map(numbersIn);
    const found = (count: string): number => sum(shards.map(({ counts }) => numbersIn(counts)[count] ?? 0));
    const answered = (count: string): number => sum(settled.map((counts) => counts[count] ?? 0));
    const rejectedBefore = found('rejected');
    const balance = found('unchanged') + found('added') + found('changed') + rejectedBefore;
    if (found('extracted') !== balance)
      violation('totals add up', `${run}: ${found('extracted')} extracted, ${balance} accounted for`);
    if (!['succeeded', 'partial', 'held'].includes(info.status)) return;
    if (shards.length !== spec.shards || shards.some(({ done }) => done !== true))
      violation('totals add up', `${run} is ${info.status} with shards that are not read`);
    if (totals.extracted !== info.rows.length)
      violation('totals add up', `${run}: ${totals.extracted} extracted of ${info.rows.length} rows`);
    const held = parts.filter(({ sk }) => String(sk).startsWith('held#'));
    const idle = item.released === true ? idleLeavers(held, shards) : 0;
    const sent = found('added') + found('changed') + (item.released === true ? found('removed') : 0) - idle;
    const told =
      answered('accepted') + answered('rejected') + answered('absent') + answered('deleted') + answered('undelivered');
    if (sent !== told) violation('totals add up', `${run}: ${sent} sent, ${told} accounted for`);
    const status = statusOf(totals, item.released === true);
    if (status !== info.status) violation('the status tells', `${run} ended as ${info.status}, not as ${status}`);
  };

  return {
    knowledge: known,
    runs,
    violations,
    violation,
    submitted: (name, model, rows, _audience) => {
      const [, destination = '', run = '', part = ''] = name.split(' ');
      const info = runs.get(run);
      if (!info) return violation('statements belong to runs', name);
      if (part === 'describe') {
        info.types = new Map(model.columns.map((column) => [column.name, column.typeName]));
        return;
      }
      info.shards++;
      info.rows.push(...rows);
      info.records = recordsOf(info.spec, info.rows);
      info.known = ledgerCount(tables(), destination);
    },
    sent: (request) => {
      const { info, kind } = infoOf(request.invocation);
      if (!info) return violation('requests belong to runs', request.path);
      info.requests++;
      if (!OPEN.has(info.status)) violation('an ended run sends nothing', `${info.run}: ${request.path}`);
      for (const change of request.changes) {
        if (kind === 'remove') checkRemoval(info, change);
        else checkUpsert(info, change);
      }
      known.sent(request, info.retry);
    },
    wrote: (invocation, table, before, after) => {
      if (table === LEDGER_TABLE) {
        const item = after ?? before;
        const hash = String(item?.pk).slice(-2) + String(item?.sk);
        const user = typeof item?.k === 'string' ? item.k : users.get(hash);
        if (user !== undefined) {
          if (md5(user) !== hash) violation('the ledger is keyed by record hash', `${user}: ${hash}`);
          users.set(hash, user);
          known.committed(invocation, user);
          if (!after) known.forgotten(user);
        }
        return;
      }
      if (after && String(after.sk).startsWith('run#')) checkRun(before, after, invocation);
    },
  };
}

/** Records that left without having been in a group: nothing is said of them to Braze. */
function idleLeavers(held: readonly Item[], shards: readonly Item[]): number {
  const heldOf = new Map(shards.map(({ shard, held: count }) => [shard, Number(count)]));
  let idle = 0;
  for (const { shard, seq, records } of held) {
    if (Number(seq) >= (heldOf.get(shard) ?? 0) || !Array.isArray(records)) continue;
    for (const { f, s } of records) if (f !== undefined && Array.isArray(s) && s.length === 0) idle++;
  }
  return idle;
}

function statusOf(totals: Readonly<Record<string, number>>, released: boolean): string {
  if ((totals.undelivered ?? 0) > 0) return 'failed';
  if (!released && (totals.removed ?? 0) > 0) return 'held';
  return (totals.rejected ?? 0) > 0 ? 'partial' : 'succeeded';
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function numbersIn(value: unknown): Record<string, number> {
  const entries = Object.entries((value ?? {}) as Item);
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

/** Counts the entries of a ledger that Braze may have. */
export function ledgerCount(store: Tables, destination: string): number {
  let count = 0;
  for (const pk of store.partitions(LEDGER_TABLE)) {
    if (!pk.startsWith(`${destination}#`)) continue;
    for (const { f, g } of store.partition(LEDGER_TABLE, pk)) if (f !== undefined && g !== true) count++;
  }
  return count;
}
