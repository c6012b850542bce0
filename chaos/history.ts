/**
 * What happens to a simulated world, as a list of steps that stand on their own: a failing history is made shorter by
 * leaving steps out. Each step says how long it is until the next one.
 */
import type { Outage, OutageKind } from './braze.ts';
import { type Random, randomOf } from './random.ts';
import type { Cell, WarehouseRow } from './redshift.ts';
import type { AppSpec, DestinationSpec, FieldSpec, GroupSpec, Limits } from './specs.ts';
import { HISTORY } from './streams.ts';

/** What a person says with a start. */
export type Flags = {
  readonly approve: 'nothing' | 'deletions' | 'all';
  readonly retry: boolean;
  readonly resync: 'no' | 'attributes' | 'groups';
  /** Another primary key is meant. */
  readonly rekey: boolean;
};

export type Step = { readonly waitMs: number } & (
  | {
      readonly kind: 'rows';
      readonly destination: string;
      readonly key: string;
      readonly rows: readonly WarehouseRow[];
    }
  | { readonly kind: 'empty'; readonly destination: string }
  | { readonly kind: 'deploy'; readonly destination: string; readonly spec: DestinationSpec; readonly what: string }
  /** The destination gets another name, by its ending; it says which one it had. */
  | { readonly kind: 'rename'; readonly destination: string; readonly ending: '' | '_x' | '_y' }
  /** It no longer says so. */
  | { readonly kind: 'forget former name'; readonly destination: string }
  | { readonly kind: 'column'; readonly destination: string; readonly name: string; readonly typeName: string }
  | ({ readonly kind: 'start'; readonly destination: string; readonly twice: boolean } & Flags)
  | { readonly kind: 'discard'; readonly destination: string }
  | ({ readonly kind: 'outage'; readonly lastsMs: number; readonly turnsAfterMs: number } & Pick<
      Outage,
      'first' | 'later'
    >)
  | { readonly kind: 'own user'; readonly user: string }
  | { readonly kind: 'consent'; readonly user: string; readonly group: string; readonly state: string }
  | { readonly kind: 'rotate key'; readonly graceMs: number }
  | { readonly kind: 'purge'; readonly queue: 'extract' | 'batch' }
  | { readonly kind: 'refuse'; readonly refuses: boolean }
  | { readonly kind: 'wait' }
);

export type History = {
  readonly seed: number;
  readonly app: AppSpec;
  readonly specs: ReadonlyMap<string, DestinationSpec>;
  readonly pageRows: number;
  readonly pageItems: number;
  readonly maxSkewMs: number;
  readonly steps: readonly Step[];
  /** The sweeper runs; without it, only starts close stuck runs. */
  readonly sweeps: boolean;
  /** Bad values are mended before the end, so that everybody's state is checked. */
  readonly mends: boolean;
};

export const GROUP_IDS: Readonly<Record<string, string>> = {
  g1: '11111111-1111-4111-8111-111111111111',
  g2: '22222222-2222-4222-8222-222222222222',
  g3: '33333333-3333-4333-8333-333333333333',
};
const GROUPS: readonly GroupSpec[] = Object.entries(GROUP_IDS).map(([name, id]) => ({ name, id }));
/** Each group has two rules that it can have, so that a rule can change. */
const PREDICATES = ['g1a', 'g1b', 'g2a', 'g2b', 'g3a', 'g3b'];

const FIELDS: readonly FieldSpec[] = [
  { attribute: 'color', column: 'c_text', standard: false },
  { attribute: 'tint', column: 'c_text', standard: false },
  { attribute: 'color', column: 'c_more', standard: false },
  { attribute: 'visits', column: 'c_int', standard: false },
  { attribute: 'visits', column: 'c_int', standard: false, type: 'string' },
  { attribute: 'visits', column: 'c_int', standard: false, type: 'integer' },
  { attribute: 'visits', column: 'c_int', standard: false, type: 'integer', resolution: 2 },
  { attribute: 'visits', column: 'c_int', standard: false, type: 'integer', resolution: 10, minIntervalMinutes: 120 },
  { attribute: 'tint', column: 'c_text', standard: false, minIntervalMinutes: 30 },
  { attribute: 'note', column: 'c_more', standard: false, minIntervalMinutes: 720 },
  { attribute: 'vip', column: 'c_flag', standard: false },
  { attribute: 'vip', column: 'c_flag', standard: false, type: 'string' },
  { attribute: 'note', column: 'c_more', standard: false },
  { attribute: 'first_name', column: 'c_more', standard: true },
  { attribute: 'email', column: 'c_email', standard: true },
  { attribute: 'email_subscribe', column: 'c_sub', standard: true },
];

const VALUES: Readonly<Record<string, readonly Cell[]>> = {
  c_text: ['red', 'green', 'blue', '', 'grün 😀', null],
  c_more: ['one', 'two', 'three', null],
  c_int: ['1', '2', '3', '12', '-7', null],
  c_flag: [true, false, null],
  c_email: ['a@example.com', 'b@example.com', null],
  c_sub: ['subscribed', 'unsubscribed', 'opted_in', null],
};
/** Values that are rejected before they are sent, or by Braze. */
const BAD: Readonly<Record<string, readonly Cell[]>> = {
  c_text: ['x'.repeat(256), 'refused value'],
  c_more: ['refused note'],
  c_int: ['9007199254740993'],
  c_flag: [null],
  c_email: ['no address'],
  c_sub: ['maybe'],
};
export const COLUMN_TYPES: Readonly<Record<string, string>> = {
  id: 'varchar',
  id2: 'varchar',
  c_text: 'varchar',
  c_more: 'varchar',
  c_int: 'int8',
  c_flag: 'bool',
  c_email: 'varchar',
  c_sub: 'varchar',
};

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Returns a row in which there is nothing at all: its user is known by its key alone. */
const bareRow = (key: string): WarehouseRow => ({
  key,
  cells: Object.fromEntries(Object.keys(VALUES).map((column) => [column, null])),
  holds: new Set(),
});

/** Returns a row of a key. */
function rowOf(random: Random, key: string | null, badness: number): WarehouseRow {
  const cells = Object.entries(VALUES).map(([column, values]): [string, Cell] => [
    column,
    random.chance(badness) ? random.pick(BAD[column] ?? [null]) : random.pick(values),
  ]);
  return {
    key,
    cells: Object.fromEntries(cells),
    holds: new Set(PREDICATES.filter(() => random.chance(0.5))),
  };
}

function changedRow(random: Random, row: WarehouseRow, badness: number): WarehouseRow {
  const column = random.pick(Object.keys(VALUES));
  const predicate = random.pick(PREDICATES);
  if (random.chance(0.35)) {
    const holds = new Set(row.holds);
    if (!holds.delete(predicate)) holds.add(predicate);
    return { ...row, holds };
  }
  const value = random.chance(badness) ? random.pick(BAD[column] ?? [null]) : random.pick(VALUES[column] ?? [null]);
  return { ...row, cells: { ...row.cells, [column]: value } };
}

function fieldsOf(random: Random): FieldSpec[] {
  const byAttribute = new Map<string, FieldSpec>();
  const density = random.pick([0.1, 0.55, 0.55, 0.8]);
  for (const field of random.shuffled(FIELDS)) if (random.chance(density)) byAttribute.set(field.attribute, field);
  return [...byAttribute.values()];
}

const rulesOf = (random: Random): Record<string, string> =>
  Object.fromEntries(GROUPS.map(({ name }) => [name, `${name}${random.pick(['a', 'b'])}`]));

function newSpec(random: Random): DestinationSpec {
  return {
    primaryKey: 'id',
    syncMode: random.pick(['sync', 'sync', 'additive', 'enrich']),
    fields: fieldsOf(random),
    groups: GROUPS.filter(() => random.chance(0.6)),
    rules: rulesOf(random),
    audience: random.chance(0.25) ? random.pick(GROUPS).name : undefined,
    invalidValues: random.pick(['reject', 'omit']),
    guard: random.pick([
      { maxPercent: 100, maxRecords: 10_000 },
      { maxPercent: 100, maxRecords: 10_000 },
      { maxPercent: 30, maxRecords: 10_000 },
      { maxPercent: 100, maxRecords: 1 },
      { maxPercent: 10, maxRecords: 3 },
    ]),
    groupGuard: random.pick(MASS_LIMITS),
    nullGuard: random.pick(MASS_LIMITS),
    budget: random.chance(0.1) ? random.int(1, 30) : undefined,
    dayBudget: random.chance(0.12) ? random.int(3, 50) : undefined,
    shards: random.pick([1, 1, 2, 4]),
  };
}

const MASS_LIMITS: readonly Limits[] = [
  { maxPercent: 100, maxRecords: 10_000, minRecords: 9 },
  { maxPercent: 100, maxRecords: 10_000, minRecords: 9 },
  { maxPercent: 50, maxRecords: 10_000, minRecords: 1 },
  { maxPercent: 100, maxRecords: 1, minRecords: 0 },
];

/** Returns a specification that differs from another in one thing, and what that is. */
function changedSpec(random: Random, spec: DestinationSpec): { spec: DestinationSpec; what: string } {
  const what = random.pick([
    'field',
    'field',
    'fields',
    'group',
    'rule',
    'rule',
    'sync mode',
    'audience',
    'invalid values',
    'guard',
    'shards',
    'primary key',
    'order',
  ]);
  switch (what) {
    case 'field': {
      const field = random.pick(FIELDS);
      const others = spec.fields.filter(({ attribute }) => attribute !== field.attribute);
      const isThere = spec.fields.includes(field);
      return { spec: { ...spec, fields: isThere ? others : [...others, field] }, what: `field ${field.attribute}` };
    }
    case 'fields':
      return { spec: { ...spec, fields: fieldsOf(random) }, what };
    case 'order':
      return { spec: { ...spec, fields: [...spec.fields].reverse(), groups: [...spec.groups].reverse() }, what };
    case 'group': {
      const group = random.pick(GROUPS);
      const others = spec.groups.filter(({ name }) => name !== group.name);
      const groups = others.length < spec.groups.length ? others : [...others, group];
      return { spec: { ...spec, groups }, what: `group ${group.name}` };
    }
    case 'rule':
      return { spec: { ...spec, rules: rulesOf(random) }, what };
    case 'sync mode':
      return { spec: { ...spec, syncMode: random.pick(['sync', 'additive', 'enrich']) }, what };
    case 'audience':
      return { spec: { ...spec, audience: random.chance(0.5) ? undefined : random.pick(GROUPS).name }, what };
    case 'invalid values':
      return { spec: { ...spec, invalidValues: spec.invalidValues === 'omit' ? 'reject' : 'omit' }, what };
    case 'guard': {
      const { guard, groupGuard, nullGuard, budget, dayBudget } = newSpec(random);
      return { spec: { ...spec, guard, groupGuard, nullGuard, budget, dayBudget }, what };
    }
    case 'primary key':
      return { spec: { ...spec, primaryKey: spec.primaryKey === 'id' ? 'id2' : 'id' }, what };
    default:
      return { spec: { ...spec, shards: random.pick([1, 2, 4]) }, what: 'shards' };
  }
}

const LOST: readonly OutageKind[] = [
  'takes all and says nothing of it',
  'takes all and answers 5xx',
  'takes all and loses its connections',
  'takes all and loses its connections',
  'does nothing',
];

/** What is answered, or not, during an outage; some turn into failures that are certain to have no effect. */
function outageOf(random: Random): { turnsAfterMs: number } & Pick<Outage, 'first' | 'later'> {
  const first = random.pick(LOST);
  const turns = random.chance(0.4);
  return {
    first,
    turnsAfterMs: turns ? random.int(SECOND_MS, 50 * SECOND_MS) : HOUR_MS,
    later: turns ? random.pick(['is not reached', 'knows the account no more']) : first,
  };
}

const GAPS: readonly (readonly [number, number])[] = [
  [0, 2 * SECOND_MS],
  [2 * SECOND_MS, 60 * SECOND_MS],
  [MINUTE_MS, 10 * MINUTE_MS],
  [10 * MINUTE_MS, 3 * HOUR_MS],
  [6 * HOUR_MS, 14 * HOUR_MS],
  [23 * HOUR_MS, 30 * HOUR_MS],
];

/** Returns the history of a seed. */
export function historyOf(seed: number): History {
  const random = randomOf(seed, HISTORY);
  const names = random.chance(0.3) ? ['one', 'two'] : ['one'];
  const isLarge = random.chance(0.18);
  const app: AppSpec = {
    requestsPerSecond: random.pick([2, 5, 20, 50, 100]),
    concurrency: random.int(2, 5),
    // Many small batches: a reading moves its cursor more than once.
    maxUsersPerRequest: random.pick(isLarge ? [1, 1, 2, 5] : [1, 2, 3, 5, 75]),
    lookupsPerMinute: random.pick([250, 2500]),
    settleSeconds: random.pick([5, 8]),
  };
  const specs = new Map(names.map((name) => [name, newSpec(random)]));
  const badness = random.pick([0, 0.03, 0.1, 0.2]);
  const steps: Step[] = [];
  const current = new Map(specs);
  const rows = new Map<string, Map<string, readonly WarehouseRow[]>>();
  const keysOf = new Map<string, string[]>();
  for (const name of names) {
    const count = isLarge ? random.int(20, 60) : random.int(1, 9);
    const keys = Array.from({ length: count }, (_, index) => `${name}-${index}`);
    if (random.chance(0.1)) keys.push(`refused-${name}`);
    keysOf.set(name, keys);
    rows.set(name, new Map());
  }
  const gap = (most: number): number => random.int(...(GAPS[random.int(0, most)] ?? [0, 0]));
  const setRows = (destination: string, key: string, to: readonly WarehouseRow[]): void => {
    rows.get(destination)?.set(key, to);
    steps.push({ kind: 'rows', destination, key, rows: to, waitMs: 0 });
  };
  for (const name of names) {
    for (const key of keysOf.get(name) ?? []) {
      if (random.chance(0.8)) setRows(name, key, [rowOf(random, key, badness)]);
    }
  }
  for (const name of names)
    for (const user of keysOf.get(name) ?? [])
      if (random.chance(current.get(name)?.syncMode === 'enrich' ? 0.6 : 0.1))
        steps.push({ kind: 'own user', user, waitMs: 0 });

  /** A person has looked at everything, and a run goes. */
  const startApproved = (destination: string, rekey: boolean, waitMs: number): void => {
    const flags = { approve: 'all', retry: false, resync: 'no', rekey } as const;
    steps.push({ kind: 'start', destination, ...flags, twice: false, waitMs });
  };

  /** Something changes, a run may or may not tell Braze, and it changes back: what the ledger says is true again, or is not. */
  const thereAndBack = (destination: string): void => {
    const isBare = random.chance(0.15);
    const isOut = isBare || random.chance(0.3);
    const run = (): void => startApproved(destination, random.chance(0.5), isOut ? 30 * MINUTE_MS : gap(3));
    const keys = random.shuffled(keysOf.get(destination) ?? []).slice(0, random.int(1, 3));
    if (isBare) {
      for (const key of keys) setRows(destination, key, [bareRow(key)]);
      run();
    }
    const before = keys.map((key) => [key, rows.get(destination)?.get(key) ?? []] as const);
    const spec = current.get(destination);
    const isDeploy = spec !== undefined && !isBare && random.chance(0.25);
    if (isDeploy) steps.push({ kind: 'deploy', destination, ...changedSpec(random, spec), waitMs: 0 });
    else
      for (const [key, [row]] of before) {
        const leaves = row !== undefined && (isBare || random.chance(0.4));
        setRows(destination, key, leaves ? [] : [row ? changedRow(random, row, 0) : rowOf(random, key, 0)]);
      }
    if (isOut) steps.push({ kind: 'outage', lastsMs: 12 * MINUTE_MS, ...outageOf(random), waitMs: 0 });
    run();
    if (isDeploy) steps.push({ kind: 'deploy', destination, spec, what: 'back', waitMs: 0 });
    else for (const [key, list] of before) setRows(destination, key, list);
    if (random.chance(0.7)) run();
  };

  /** Answers are lost, the destination gets another name, and its first run under it fails; then it goes back to what was. */
  const renamedInDoubt = (destination: string): void => {
    const start = (waitMs: number): void => startApproved(destination, true, waitMs);
    start(30 * MINUTE_MS);
    const [key = ''] = random.shuffled(keysOf.get(destination) ?? []);
    const before = rows.get(destination)?.get(key) ?? [];
    const [row] = before;
    setRows(destination, key, [row ? changedRow(random, row, 0) : rowOf(random, key, 0)]);
    steps.push({ kind: 'outage', lastsMs: 12 * MINUTE_MS, ...outageOf(random), waitMs: 0 });
    start(30 * MINUTE_MS);
    steps.push({ kind: 'rename', destination, ending: random.pick(['_x', '_y']), waitMs: 0 });
    if (random.chance(0.7)) {
      start(random.int(60, 600));
      steps.push({ kind: 'forget former name', destination, waitMs: MINUTE_MS });
    }
    setRows(destination, key, before);
  };

  const rounds = random.int(1, 7);
  for (let round = 0; round < rounds; round++) {
    const destination = random.pick(names);
    const start = (waitMs: number): void => {
      steps.push({
        kind: 'start',
        destination,
        approve: random.pick(['nothing', 'nothing', 'nothing', 'nothing', 'deletions', 'all']),
        retry: random.chance(0.15),
        rekey: random.chance(current.get(destination)?.primaryKey === 'id2' ? 0.5 : 0.1),
        resync: random.pick([...Array.from({ length: 12 }, () => 'no' as const), 'attributes', 'groups']),
        twice: random.chance(0.1),
        waitMs,
      });
    };
    const early = random.chance(0.3);
    if (early) start(gap(2));
    if (random.chance(0.35)) thereAndBack(destination);
    if (random.chance(0.04)) renamedInDoubt(destination);
    if (random.chance(0.06)) {
      steps.push({ kind: 'rename', destination, ending: random.pick(['', '_x', '_y']), waitMs: gap(2) });
      if (random.chance(0.7)) {
        start(gap(3));
        if (random.chance(0.6)) steps.push({ kind: 'forget former name', destination, waitMs: gap(2) });
      }
    }
    const changes = random.int(0, 4);
    for (let change = 0; change < changes; change++) {
      const waitMs = random.chance(0.7) ? 0 : gap(2);
      const key = random.pick(keysOf.get(destination) ?? []);
      const before = rows.get(destination)?.get(key) ?? [];
      const spec = current.get(destination);
      const kind = random.next();
      if (kind < 0.45) {
        const [row] = before;
        setRows(destination, key, [
          row && before.length === 1 ? changedRow(random, row, badness) : rowOf(random, key, badness),
        ]);
      } else if (kind < 0.57) setRows(destination, key, []);
      else if (kind < 0.6) setRows(destination, key, [rowOf(random, key, badness), rowOf(random, key, badness)]);
      else if (kind < 0.62)
        setRows(destination, `null-${destination}`, random.chance(0.5) ? [rowOf(random, null, 0)] : []);
      else if (kind < 0.64) {
        // A broken query, or a truncated table; the rows may come back.
        const all = [...(rows.get(destination) ?? [])];
        steps.push({ kind: 'empty', destination, waitMs: 0 });
        for (const [name] of all) rows.get(destination)?.set(name, []);
        if (random.chance(0.7)) {
          start(gap(3));
          for (const [name, old] of all) if (old.length > 0) setRows(destination, name, old);
        }
      } else if (kind < 0.8 && spec) {
        const changed = changedSpec(random, spec);
        current.set(destination, changed.spec);
        steps.push({ kind: 'deploy', destination, ...changed, waitMs });
      } else if (kind < 0.83) {
        steps.push({ kind: 'column', destination, name: 'c_int', typeName: random.pick(['int8', 'varchar']), waitMs });
      } else if (kind < 0.89) steps.push({ kind: 'own user', user: key, waitMs });
      else if (kind < 0.94) {
        const group = random.pick(GROUPS).id;
        steps.push({ kind: 'consent', user: key, group, state: random.pick(['subscribed', 'unsubscribed']), waitMs });
      } else if (kind < 0.965) steps.push({ kind: 'rotate key', graceMs: random.pick([0, 0, HOUR_MS]), waitMs });
      else if (kind < 0.975) steps.push({ kind: 'purge', queue: random.pick(['extract', 'batch']), waitMs });
      else if (kind < 0.98) steps.push({ kind: 'discard', destination, waitMs });
      else if (kind < 0.985) steps.push({ kind: 'forget former name', destination, waitMs });
      else steps.push({ kind: 'refuse', refuses: random.chance(0.4), waitMs });
    }
    if (!early || random.chance(0.5)) start(gap(5));
  }
  return {
    seed,
    app,
    specs,
    pageRows: random.pick([1, 2, 3, 7, 1000]),
    pageItems: random.pick([1, 2, 3, 1000]),
    maxSkewMs: random.pick([0, 300, 1500]),
    steps,
    // A start under a new name does not look after a run of the former one.
    sweeps: random.chance(0.7) || steps.some(({ kind }) => kind === 'rename'),
    mends: random.chance(0.5),
  };
}

/** Returns a row without values that anybody would refuse. */
export function mended(row: WarehouseRow): WarehouseRow {
  const cells = Object.entries(row.cells).map(([column, cell]): [string, Cell] => [
    column,
    BAD[column]?.includes(cell) ? (VALUES[column]?.[0] ?? null) : cell,
  ]);
  return { ...row, cells: Object.fromEntries(cells) };
}
