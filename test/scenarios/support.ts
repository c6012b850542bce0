/**
 * Scenarios: whole runs in the local cloud, from SQL to the users that Braze ends with.
 *
 * A file has one cloud. Each scenario has its own table, model and destination in it, so that no two see each other, and
 * begins with an empty workspace. What Braze should hold is written down in the scenario, or computed from the warehouse
 * by code of its own: never by the code under test.
 */
import type { BrazeUser } from '../../local/braze/emulator.ts';
import { type LocalCloud, startLocalCloud } from '../../local/cloud.ts';
import { parseParameters } from '../../shared/parameters/read.ts';
import type { Parameters, ParametersInput } from '../../shared/parameters/schema.ts';
import type { Run } from '../../shared/runs/model.ts';
import type { StartEvent } from '../../shared/runs/start-run.ts';
import { checkRedshift } from '../support/redshift-grammar.ts';

type Destination = ParametersInput['destinations'][string];
type Model = ParametersInput['models'][string];
type BrazeApp = Extract<ParametersInput['apps'][string], { type: 'braze' }>;

export const GROUP_ID = '11111111-1111-4111-8111-111111111111';
export const OTHER_GROUP_ID = '22222222-2222-4222-8222-222222222222';

export type Change = {
  readonly destination?: Partial<Destination>;
  readonly model?: Partial<Model>;
  readonly braze?: Partial<BrazeApp>;
};

/** A person's row; what is not given is NULL. */
export type Person = {
  readonly id: string | null;
  readonly email?: string | null;
  readonly first_name?: string | null;
  readonly country?: string | null;
  readonly score?: number | string | null;
  readonly joined?: string | null;
  readonly vip?: boolean | null;
  readonly notes?: string | null;
};

const COLUMNS = ['id', 'email', 'first_name', 'country', 'score', 'joined', 'vip', 'notes'] as const;

const brazeApp: BrazeApp = {
  type: 'braze',
  endpoint: 'https://rest.iad-01.braze.com',
  apiKeySecret: 'braze/rest-api-key',
  requestsPerSecond: 1000,
  concurrency: 2,
  settleSeconds: 0,
};

/** Returns the parameters of one scenario, checked as a file would be. */
export function parametersOf(name: string, change: Change = {}): Parameters {
  const input: ParametersInput = {
    environment: 'scenario',
    apps: {
      warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
      braze: { ...brazeApp, ...change.braze },
    },
    models: {
      people: {
        app: 'warehouse',
        table: `public.${name}`,
        primaryKey: 'id',
        groups: { fans: { property: 'score', op: 'gte', value: 10 }, vips: { property: 'vip', op: 'is_true' } },
        ...change.model,
      },
    },
    destinations: {
      [name]: {
        model: 'people',
        app: 'braze',
        syncMode: 'sync',
        mapping: { external_id: 'id', email: 'email', first_name: 'first_name' },
        customAttributes: { score: 'score', joined: 'joined', vip: 'vip' },
        subscriptionGroups: { fans: GROUP_ID },
        deletionGuard: { maxPercent: 60, maxRecords: 1000 },
        shards: 2,
        ...change.destination,
      },
    },
  };
  return parseParameters(JSON.stringify(input), `${name}.yaml`);
}

export type Scenario = {
  readonly cloud: LocalCloud;
  readonly name: string;
  /** Executes SQL on the warehouse; `people` stands for the scenario's table. */
  readonly sql: (sql: string) => Promise<void>;
  readonly insert: (...people: Person[]) => Promise<void>;
  /** One run, and what it did. */
  readonly run: (options?: Omit<StartEvent, 'destination'>) => Promise<Run>;
  /** Deploys the scenario's parameters with other changes than before. */
  readonly deploy: (change: Change) => Promise<void>;
  /** What Braze holds, by external id. */
  readonly users: () => Record<string, UserView>;
};

/** A profile as scenarios write it down. */
export type UserView = {
  readonly standard: Readonly<Record<string, unknown>>;
  readonly custom: Readonly<Record<string, unknown>>;
  readonly groups: Readonly<Record<string, string>>;
};

export const viewOf = ({ attributes, customAttributes, subscriptionGroups }: BrazeUser): UserView => ({
  standard: attributes,
  custom: customAttributes,
  groups: subscriptionGroups,
});

/**
 * Gives a test file its cloud; its queues wait a tenth of what they are told. After each scenario Braze must have found
 * nothing to complain about, and after the last one Redshift's grammar must have an ear for every statement.
 */
export function scenarioCloud(start: () => Promise<LocalCloud> = startScenarios): () => LocalCloud {
  let cloud: LocalCloud | undefined;
  const started = (): LocalCloud => {
    if (!cloud) throw new Error('the cloud has not been started');
    return cloud;
  };
  beforeAll(async () => {
    cloud = await start();
  });
  afterEach(() => {
    started().braze().clearFaults();
    expect(started().braze().violations()).toEqual([]);
  });
  afterAll(() => endScenarios(started()));
  return started;
}

const startScenarios = (): Promise<LocalCloud> => startLocalCloud({ parameters: parametersOf('nobody'), hurry: 10 });

/** Holds every statement against Redshift's grammar and functions: PGlite alone would accept more. */
async function endScenarios(cloud: LocalCloud): Promise<void> {
  const statements = [...new Set(cloud.warehouse.statements().map(({ sql }) => sql))];
  await cloud.close();
  expect(statements.length).toBeGreaterThan(0);
  expect(statements.flatMap((sql) => checkRedshift(sql).map((problem) => `${problem}\n${sql}`))).toEqual([]);
}

/** Begins a scenario with an empty table and an empty workspace. */
export async function scenario(cloud: LocalCloud, name: string, change: Change = {}): Promise<Scenario> {
  await cloud.warehouse.exec(`
    CREATE TABLE ${name} (
      id varchar(2000), email varchar(2000), first_name varchar(2000), country varchar(100), score decimal(38, 4),
      joined timestamp, vip boolean, notes varchar(65535)
    )`);
  await cloud.deploy(parametersOf(name, change));
  cloud.braze().reset();
  const sql = (text: string): Promise<void> => cloud.warehouse.exec(text.replaceAll(/\bpeople\b/g, name));
  return {
    cloud,
    name,
    sql,
    insert: async (...people) => {
      const rows = people.map((person) => `(${COLUMNS.map((column) => literal(person[column] ?? null)).join(', ')})`);
      await sql(`INSERT INTO people (${COLUMNS.join(', ')}) VALUES ${rows.join(', ')}`);
    },
    run: (options = {}) => cloud.run({ destination: name, ...options }),
    deploy: (next) => cloud.deploy(parametersOf(name, next)),
    users: () =>
      Object.fromEntries(
        cloud
          .braze()
          .users()
          .map((user) => [user.externalId ?? user.brazeId, viewOf(user)]),
      ),
  };
}

const literal = (value: string | number | boolean | null): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
