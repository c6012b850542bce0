/** Parameters with one of everything that the stack tells apart: warehouses, Braze apps, schedules. */
import { Parameters, type ParametersInput } from '../../shared/parameters/schema.ts';

const destination = {
  model: 'customers',
  app: 'braze',
  syncMode: 'sync',
  mapping: { external_id: 'customer_id', email: 'email' },
} as const satisfies ParametersInput['destinations'][string];

const input = {
  environment: 'test',
  alarmEmail: 'operations@example.com',
  apps: {
    serverless: { type: 'redshift', workgroup: 'analytics', database: 'dev', secret: 'redshift/readonly' },
    serverless_iam: { type: 'redshift', workgroup: 'reporting', database: 'dev' },
    cluster: { type: 'redshift', cluster: 'main', dbUser: 'reader', database: 'prod' },
    braze: { type: 'braze', endpoint: 'https://rest.iad-01.braze.com', apiKeySecret: 'braze/us' },
    'braze-eu': {
      type: 'braze',
      endpoint: 'https://rest.fra-01.braze.eu',
      apiKeySecret: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:braze/eu-AbCdEf',
      concurrency: 12,
    },
  },
  models: {
    customers: { app: 'serverless', table: 'public.customers', primaryKey: 'customer_id' },
    accounts: { app: 'cluster', query: 'SELECT customer_id, email FROM accounts', primaryKey: 'customer_id' },
  },
  destinations: {
    hourly: { ...destination, schedule: 'rate(1 hour)' },
    often: { ...destination, app: 'braze-eu', schedule: 'rate(5 minutes)' },
    relaxed: { ...destination, model: 'accounts', schedule: { expression: 'rate(2 hours)', flexibleMinutes: 45 } },
    mornings: {
      ...destination,
      model: 'accounts',
      app: 'braze-eu',
      schedule: { expression: 'cron(0 6 ? * MON-FRI *)', timezone: 'Europe/Berlin' },
    },
    weekly: { ...destination, schedule: 'cron(0 6 ? * MON *)' },
    once: { ...destination, schedule: 'at(2030-01-01T00:00:00)' },
    on_request: destination,
    disabled: { ...destination, schedule: 'rate(1 hour)', enabled: false },
  },
} satisfies ParametersInput;

export const parameters = Parameters.parse(input);

/** The destinations that have a schedule, by what EventBridge Scheduler is to be told. */
export const SCHEDULED = [
  ['hourly', { expression: 'rate(1 hour)', timezone: 'UTC', window: { Mode: 'OFF' } }],
  ['often', { expression: 'rate(5 minutes)', timezone: 'UTC', window: { Mode: 'OFF' } }],
  [
    'relaxed',
    { expression: 'rate(2 hours)', timezone: 'UTC', window: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 45 } },
  ],
  ['mornings', { expression: 'cron(0 6 ? * MON-FRI *)', timezone: 'Europe/Berlin', window: { Mode: 'OFF' } }],
  ['weekly', { expression: 'cron(0 6 ? * MON *)', timezone: 'UTC', window: { Mode: 'OFF' } }],
  ['once', { expression: 'at(2030-01-01T00:00:00)', timezone: 'UTC', window: { Mode: 'OFF' } }],
] as const;
