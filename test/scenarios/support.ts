/**
 * Scenarios: whole runs in the local cloud, from SQL to the users that Braze ends with.
 *
 * A file has one cloud. Each scenario has its own table, model and destination in it, so that no two see each other, and
 * begins with an empty workspace. They are deployed together: a deployment starts its functions cold, as in an account,
 * and that takes longer than a run. What Braze should hold is written down in the scenario, or computed from the warehouse
 * by code of its own: never by the code under test.
 */
import type { BrazeUser } from '../../local/braze/emulator.ts';
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from '../../local/cloud.ts';
import { startPlanner } from '../../local/planner.ts';
import { parseParameters } from '../../shared/parameters/read.ts';
import type { Parameters, ParametersInput } from '../../shared/parameters/schema.ts';
import type { Run } from '../../shared/runs/model.ts';
import type { Plan, PlanOptions } from '../../shared/runs/plan-tally.ts';
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

/**
 * Returns the parameters of some scenarios: a model and a destination for each. Each is checked as a file of its own
 * would be; one file could not have them all, as they write the same attributes, one scenario after the other.
 */
export function parametersOf(changes: Readonly<Record<string, Change>>, braze: Partial<BrazeApp> = {}): Parameters {
  const files = Object.entries(changes).map(([name, change]) => fileOf(name, change, braze));
  const [first] = files;
  if (!first) throw new Error('there is no scenario');
  return {
    ...first,
    models: Object.assign({}, ...files.map(({ models }) => models)),
    destinations: Object.assign({}, ...files.map(({ destinations }) => destinations)),
  };
}

function fileOf(name: string, change: Change, braze: Partial<BrazeApp>): Parameters {
  const input: ParametersInput = {
    environment: 'scenario',
    apps: {
      warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
      braze: { ...brazeApp, ...braze },
    },
    models: { [name]: modelOf(name, change.model) },
    destinations: { [name]: destinationOf(name, change.destination) },
  };
  return parseParameters(JSON.stringify(input), `${name}.yaml`);
}

const modelOf = (name: string, change: Change['model']): Model =>
  // What a change takes away is undefined; JSON leaves it out.
  ({
    app: 'warehouse',
    table: `public.${name}`,
    primaryKey: 'id',
    groups: { fans: { property: 'score', op: 'gte', value: 10 }, vips: { property: 'vip', op: 'is_true' } },
    ...change,
  }) as Model;

const destinationOf = (name: string, change: Change['destination']): Destination => ({
  model: name,
  app: 'braze',
  syncMode: 'sync',
  mapping: { external_id: 'id', email: 'email', first_name: 'first_name' },
  customAttributes: { score: 'score', joined: 'joined', vip: 'vip' },
  subscriptionGroups: { fans: GROUP_ID },
  deletionGuard: { maxPercent: 60, maxRecords: 1000 },
  shards: 1,
  ...change,
});

export type Scenario = {
  readonly cloud: LocalCloud;
  readonly name: string;
  /** Executes SQL on the warehouse; `people` stands for the scenario's table. */
  readonly sql: (sql: string) => Promise<void>;
  readonly insert: (...people: Person[]) => Promise<void>;
  /** One run, and what it did. */
  readonly run: (options?: Omit<StartEvent, 'destination'>) => Promise<Run>;
  /** What a run would do. */
  readonly plan: (options?: Partial<PlanOptions>) => Promise<Plan>;
  /** Deploys the file's parameters, this scenario's with other changes than before. */
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
export function scenarioCloud(start: () => Promise<LocalCloud>): () => LocalCloud {
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

/** Holds every statement against Redshift's grammar and functions: PGlite alone would accept more. */
async function endScenarios(cloud: LocalCloud): Promise<void> {
  const statements = [...new Set(cloud.warehouse.statements().map(({ sql }) => sql))];
  await cloud.close();
  expect(statements.length).toBeGreaterThan(0);
  expect(statements.flatMap((sql) => checkRedshift(sql).map((problem) => `${problem}\n${sql}`))).toEqual([]);
}

/** A scenario's name, or its name and what is different in its parameters. */
export type Place = string | (Omit<Change, 'braze'> & { readonly name: string });

export type Scenarios = {
  readonly cloud: () => LocalCloud;
  /** A scenario that several tests share. */
  readonly place: (place: Place) => () => Scenario;
  /** A test with a table, a model and a destination of its own, and an empty workspace. */
  readonly scenario: (title: string, place: Place, test: (it: Scenario) => Promise<void>, timeoutMs?: number) => void;
  /** Deploys several scenarios' parameters with other changes than before. */
  readonly deploy: (changes: Readonly<Record<string, Change>>) => Promise<void>;
};

export type ScenariosOptions = Partial<Omit<LocalCloudOptions, 'parameters'>> & {
  /** What is different in the parameters of all scenarios. */
  readonly common?: Change;
};

/** Returns what a test file declares its scenarios with. All of them are deployed at once, before the first one. */
export function scenarios({ common = {}, ...options }: ScenariosOptions = {}): Scenarios {
  const declared = new Map<string, Change>();
  const ownApp = common.braze ?? {};
  let app = ownApp;
  const parameters = (): Parameters => parametersOf(Object.fromEntries(declared), app);
  const cloud = scenarioCloud(async () => {
    const started = await startLocalCloud({ parameters: parameters(), hurry: 10, ...options });
    for (const name of declared.keys()) await started.warehouse.exec(tableOf(name));
    return started;
  });
  const deploy: Scenarios['deploy'] = async (changes) => {
    app = ownApp;
    for (const [name, change] of Object.entries(changes)) {
      declared.set(name, withCommon(common, change));
      if (change.braze) app = { ...ownApp, ...change.braze };
    }
    await cloud().deploy(parameters());
  };
  const place: Scenarios['place'] = (given) => {
    const { name, ...change } = typeof given === 'string' ? { name: given } : given;
    if (declared.has(name)) throw new Error(`there are two scenarios of the name ${name}`);
    declared.set(name, withCommon(common, change));
    return () => scenarioOf(cloud(), name, (next) => deploy({ [name]: next }));
  };
  return {
    cloud,
    place,
    deploy,
    scenario: (title, given, body, timeoutMs) => {
      const begin = place(given);
      test(
        title,
        async () => {
          const it = begin();
          // Another scenario may have left another app, or a file of its own.
          if (app !== ownApp || !cloud().parameters().destinations[it.name]) await deploy({});
          cloud().braze().reset();
          await body(it);
        },
        timeoutMs,
      );
    },
  };
}

const withCommon = (common: Change, change: Change): Change => ({
  model: { ...common.model, ...change.model },
  destination: { ...common.destination, ...change.destination },
});

const tableOf = (name: string): string => `
  CREATE TABLE ${name} (
    id varchar(2000), email varchar(2000), first_name varchar(2000), country varchar(100), score decimal(38, 4),
    joined timestamp, vip boolean, notes varchar(65535)
  )`;

function scenarioOf(cloud: LocalCloud, name: string, deploy: Scenario['deploy']): Scenario {
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
    plan: async (options) => {
      const planner = startPlanner(cloud);
      try {
        return await planner.plan(name, options);
      } finally {
        planner.close();
      }
    },
    deploy,
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
