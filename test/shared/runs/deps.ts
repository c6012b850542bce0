/** What the steps of a run are given in tests: tables on a local DynamoDB, a queue that is a list, a clock that stands. */
import { type LocalDynamo, startDynamo } from '../../../local/dynamodb.ts';
import { dynamoLedger } from '../../../shared/ledger/ledger.ts';
import type { MetricName } from '../../../shared/metrics.ts';
import { Destination, Parameters } from '../../../shared/parameters/schema.ts';
import type { ExtractMessage } from '../../../shared/runs/messages.ts';
import { dynamoRuns, type RunStore } from '../../../shared/runs/store.ts';
import { fakeClock } from '../fake-clock.ts';

const TABLES = ['runs', 'ledger'].map((name) => ({
  name,
  keys: [
    { name: 'pk', type: 'HASH' as const },
    { name: 'sk', type: 'RANGE' as const },
  ],
  attributes: [
    { name: 'pk', type: 'S' as const },
    { name: 'sk', type: 'S' as const },
  ],
}));

/** Starts the tables; close them in the end. */
export async function startTables(): Promise<LocalDynamo> {
  const dynamo = await startDynamo();
  await dynamo.create(TABLES);
  return dynamo;
}

/** Returns new deps on the tables, and what was sent, logged and counted with them. `runs` may be changed in part. */
export function depsOn(dynamo: LocalDynamo, more: Partial<RunStore> = {}) {
  const clock = fakeClock();
  const sent: ExtractMessage[] = [];
  const logged: string[] = [];
  const metrics: Partial<Record<MetricName, number>>[] = [];
  const log = (event: string): number => logged.push(event);
  const runs: RunStore = { ...dynamoRuns(dynamo.client, 'runs', clock), ...more };
  return {
    ...{ runs, clock, sent, logged },
    ledger: dynamoLedger(dynamo.client, 'ledger', clock),
    log: { info: log, warn: log, error: log },
    metrics: {
      add: (_: string, values: Partial<Record<MetricName, number>>) => {
        metrics.push(values);
      },
      all: metrics,
    },
    extractQueue: {
      send: async (messages: readonly { readonly text: string }[]) => {
        for (const { text } of messages) sent.push(JSON.parse(text));
      },
    },
  };
}
export type TestDeps = ReturnType<typeof depsOn>;

export const GROUP = '8f2b5c1e-0000-4000-8000-000000000001';

/** Returns the destination of all runs here, with changes as a parameter file writes them. */
export const destinationWith = (more: Record<string, unknown> = {}): Destination =>
  Destination.parse({
    ...{ model: 'people', app: 'braze', syncMode: 'sync' },
    mapping: { external_id: 'id', email: 'email', email_subscribe: 'consent' },
    customAttributes: ['ltv'],
    subscriptionGroups: { vip: GROUP.toUpperCase() },
    ...more,
  });

/** Returns parameters with these destinations of people. */
export const parametersWith = (
  destinations: Readonly<Record<string, Record<string, unknown>>>,
  braze: Record<string, unknown> = {},
): Parameters =>
  Parameters.parse({
    environment: 'test',
    apps: {
      warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
      braze: { type: 'braze', endpoint: 'https://rest.iad-01.braze.com', apiKeySecret: 'braze/key', ...braze },
    },
    models: {
      people: {
        app: 'warehouse',
        table: 'public.people',
        primaryKey: 'ID',
        groups: { vip: { property: 'spent', op: 'gte', value: 100 } },
      },
    },
    destinations: Object.fromEntries(Object.entries(destinations).map(([name, more]) => [name, destinationWith(more)])),
  });
