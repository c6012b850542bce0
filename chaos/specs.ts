/**
 * What a simulated destination is: its part of the parameter file, and what a row becomes by it. Written from the
 * documentation and not from the code that it judges.
 */
import { Parameters, type ParametersInput } from '../shared/parameters/schema.ts';
import type { Cell, WarehouseRow } from './redshift.ts';

export type FieldSpec = {
  readonly attribute: string;
  readonly column: string;
  readonly standard: boolean;
  readonly type?: 'string' | 'integer' | undefined;
  /** Values are rounded down to a multiple of it. */
  readonly resolution?: number;
  /** Least time between two updates of one user. */
  readonly minIntervalMinutes?: number;
};
export type GroupSpec = { readonly name: string; readonly id: string };
export type Limits = { readonly maxPercent: number; readonly maxRecords: number; readonly minRecords?: number };
export type DestinationSpec = {
  readonly primaryKey: KeyColumn;
  readonly syncMode: 'sync' | 'additive' | 'enrich';
  readonly fields: readonly FieldSpec[];
  readonly groups: readonly GroupSpec[];
  /** Rule by group name: which predicate its members fulfil. */
  readonly rules: Readonly<Record<string, string>>;
  readonly audience: string | undefined;
  readonly invalidValues: 'reject' | 'omit';
  readonly guard: Limits;
  readonly groupGuard: Limits;
  readonly nullGuard: Limits;
  /** Data points of one run. */
  readonly budget: number | undefined;
  /** Data points of the runs that started within a day. */
  readonly dayBudget: number | undefined;
  readonly shards: 1 | 2 | 4;
};
/** A destination as it is deployed: under its name, which may be another one than before. */
export type Deployed = DestinationSpec & { readonly name: string; readonly renamedFrom: string | undefined };

/** Columns that a model's rows can be told apart by. */
export type KeyColumn = 'id' | 'id2';

/** Returns a row's key in a column. */
export const keyIn = (column: KeyColumn, key: string | null): string | null =>
  column === 'id' || key === null ? key : `${key}~2`;

/** Returns the destination that a name stands for: one that is renamed gets an ending. */
export const destinationNamed = (name: string): string => name.replace(/_.*/, '');

export type AppSpec = {
  readonly requestsPerSecond: number;
  readonly concurrency: number;
  readonly maxUsersPerRequest: number;
  readonly lookupsPerMinute: number;
  readonly settleSeconds: number;
};

/** An attribute that never receives null. */
export const NEVER_UNSET = 'email_subscribe';
export const ASK_AGAIN_MS = 30 * 60_000;

/** Returns the checked parameters of destinations that share one Braze app. */
export function parametersOf(app: AppSpec, specs: ReadonlyMap<string, Deployed>): Parameters {
  const input: ParametersInput = {
    environment: 'chaos',
    apps: {
      warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
      braze: { type: 'braze', endpoint: 'https://braze.test', apiKeySecret: 'braze/key', ...app },
    },
    models: Object.fromEntries([...specs].map(([name, spec]) => [`${name}_model`, modelInput(name, spec)])),
    destinations: Object.fromEntries([...specs].map(([name, spec]) => [spec.name, destinationInput(name, spec)])),
  };
  return Parameters.parse(input);
}

const modelInput = (name: string, { rules, primaryKey }: DestinationSpec) => ({
  app: 'warehouse',
  table: `public.${name}`,
  primaryKey,
  groups: Object.fromEntries(Object.entries(rules).map(([group, rule]) => [group, { sql: `holds_${rule}` }])),
});

function destinationInput(name: string, spec: Deployed) {
  const standard = spec.fields.filter((field) => field.standard);
  const custom = spec.fields.filter((field) => !field.standard);
  return {
    model: `${name}_model`,
    app: 'braze',
    syncMode: spec.syncMode,
    mapping: {
      external_id: spec.primaryKey,
      ...Object.fromEntries(standard.map(({ attribute, column }) => [attribute, column])),
    },
    customAttributes: Object.fromEntries(
      custom.map(({ attribute, column, type, resolution, minIntervalMinutes }) => [
        attribute,
        {
          property: column,
          ...(type === undefined ? {} : { type }),
          ...(resolution === undefined ? {} : { resolution }),
          ...(minIntervalMinutes === undefined ? {} : { minInterval: `${minIntervalMinutes} minutes` }),
        },
      ]),
    ),
    subscriptionGroups: Object.fromEntries(spec.groups.map(({ name: group, id }) => [group, id])),
    ...(spec.audience === undefined ? {} : { audience: spec.audience }),
    deletionGuard: spec.guard,
    groupGuard: spec.groupGuard,
    nullGuard: spec.nullGuard,
    ...(spec.renamedFrom === undefined ? {} : { renamedFrom: spec.renamedFrom }),
    budget: {
      ...(spec.budget === undefined ? {} : { dataPointsPerRun: spec.budget }),
      ...(spec.dayBudget === undefined ? {} : { dataPointsPerDay: spec.dayBudget }),
    },
    invalidValues: spec.invalidValues,
    shards: spec.shards,
    askAgainAfter: '30 minutes',
  };
}

/** What a column's value becomes in an attribute; `invalid` when it cannot be sent. */
export type Expected = { readonly value: string | number | boolean | null } | 'invalid';

const MAX_CHARACTERS = 255;
const EMAIL = /^[a-z0-9.]+@[a-z0-9]+\.[a-z]+$/;
const STATES = ['opted_in', 'subscribed', 'unsubscribed'];

/** Returns what a cell becomes in a field, given the column's type in the warehouse. */
export function expectedOf({ attribute, type, resolution }: FieldSpec, cell: Cell, typeName: string): Expected {
  if (cell === null) return { value: null };
  if (typeof cell === 'boolean') return { value: type === 'string' ? String(cell) : cell };
  if (attribute === 'email') return EMAIL.test(cell) ? { value: cell } : 'invalid';
  if (attribute === NEVER_UNSET) return STATES.includes(cell) ? { value: cell } : 'invalid';
  const wanted = type ?? (typeName === 'int8' ? 'integer' : 'string');
  if (wanted === 'integer') {
    const whole = Number(cell);
    if (!Number.isSafeInteger(whole)) return 'invalid';
    return { value: resolution === undefined ? whole : Math.floor(whole / resolution) * resolution };
  }
  return [...cell].length > MAX_CHARACTERS ? 'invalid' : { value: cell };
}

export type ColumnTypes = ReadonlyMap<string, string>;

/** What a destination wants Braze to hold of a row: values by attribute, groups by id. */
export type Wanted = {
  readonly values: ReadonlyMap<string, string | number | boolean | null>;
  readonly omitted: ReadonlySet<string>;
  readonly members: ReadonlySet<string>;
};

/** Returns what is wanted of a row, or undefined for a record that is rejected. */
export function wantedOf(spec: DestinationSpec, row: WarehouseRow, types: ColumnTypes): Wanted | undefined {
  const values = new Map<string, string | number | boolean | null>();
  const omitted = new Set<string>();
  if (row.key === null || row.key.trim() === '') return undefined;
  for (const field of spec.fields) {
    const expected = expectedOf(field, row.cells[field.column] ?? null, types.get(field.column) ?? '');
    if (expected === 'invalid') omitted.add(field.attribute);
    else values.set(field.attribute, expected.value);
  }
  if (omitted.size > 0 && spec.invalidValues === 'reject') return undefined;
  const members = new Set(spec.groups.filter(({ name }) => row.holds.has(spec.rules[name] ?? '')).map(({ id }) => id));
  return { values, omitted, members };
}

/** True when a row is among the records of a destination. */
export const isInAudience = ({ audience, rules }: DestinationSpec, row: WarehouseRow): boolean =>
  audience === undefined || row.holds.has(rules[audience] ?? '');

/** Returns rows with the keys that they have in a column. */
export const keyedBy = (column: KeyColumn, rows: readonly WarehouseRow[]): readonly WarehouseRow[] =>
  column === 'id' ? rows : rows.map((row) => ({ ...row, key: keyIn(column, row.key) }));

/** Returns the least time between two updates of an attribute that the ledger names so, ms. */
export function intervalOf({ fields }: DestinationSpec, name: string): number | undefined {
  const { minIntervalMinutes } = fields.find(({ attribute }) => `a:${attribute}` === name) ?? {};
  return minIntervalMinutes === undefined ? undefined : minIntervalMinutes * 60_000;
}

/** Returns the rows of a destination's records by key, those without a key under null. */
export function recordsOf(spec: DestinationSpec, rows: readonly WarehouseRow[]): Map<string | null, WarehouseRow[]> {
  const byKey = new Map<string | null, WarehouseRow[]>();
  for (const row of rows) {
    if (!isInAudience(spec, row)) continue;
    const same = byKey.get(row.key);
    if (same) same.push(row);
    else byKey.set(row.key, [row]);
  }
  return byKey;
}
