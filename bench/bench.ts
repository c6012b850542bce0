/**
 * `npm run bench`: how fast rows go through. Absolute figures depend on the machine; the ratios of one run say what
 * costs what. Options: --rows N (20,000 unless given), --shards N (1).
 */
import { parseArgs } from 'node:util';
import { type LocalCloud, startLocalCloud } from '../local/cloud.ts';
import { parseParameters } from '../shared/parameters/read.ts';
import type { Run } from '../shared/runs/model.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '20000' }, shards: { type: 'string', default: '1' } },
});
const rows = Number(values.rows);
const fields = ['email', 'first_name', 'last_name', 'city', 'score', 'visits', 'joined', 'vip'];

const parameters = parseParameters(
  JSON.stringify({
    environment: 'bench',
    apps: {
      warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
      braze: {
        type: 'braze',
        endpoint: 'https://rest.iad-01.braze.com',
        apiKeySecret: 'braze/key',
        requestsPerSecond: 1000,
        settleSeconds: 0,
      },
    },
    models: {
      people: {
        app: 'warehouse',
        table: 'public.people',
        primaryKey: 'id',
        groups: { fans: { property: 'score', op: 'gte', value: 50 } },
      },
    },
    destinations: {
      people_to_braze: {
        model: 'people',
        app: 'braze',
        syncMode: 'sync',
        shards: Number(values.shards),
        mapping: {
          external_id: 'id',
          email: 'email',
          first_name: 'first_name',
          last_name: 'last_name',
          home_city: 'city',
        },
        customAttributes: ['score', 'visits', 'joined', 'vip'],
        subscriptionGroups: { fans: '11111111-1111-4111-8111-111111111111' },
        deletionGuard: { maxPercent: 100 },
      },
    },
  }),
  'bench.yaml',
);

const FILL = `
  CREATE TABLE people (id int, email varchar(100), first_name varchar(50), last_name varchar(50), city varchar(50),
    score decimal(10, 2), visits int, joined timestamp, vip boolean);
  INSERT INTO people SELECT i, 'person' || i || '@example.com', 'First' || i, 'Last' || i, 'City ' || i % 500, i % 100 + 0.25,
    i % 1000, timestamp '2020-01-01' + i * interval '1 minute', i % 3 = 0 FROM generate_series(1, ${rows}) i`;

/** Runs once and prints rows a second and what one row costs compared with the first kind of run. */
async function measure(cloud: LocalCloud, name: string, baseMsPerRow?: number): Promise<number> {
  const run: Run = await cloud.run({ destination: 'people_to_braze' });
  if (run.status !== 'succeeded') throw new Error(`${name}: ${run.status}: ${run.error?.found}`);
  const durationMs = (run.endedAt ?? 0) - run.startedAt;
  const msPerRow = durationMs / rows;
  const { totals } = run;
  const ratio = baseMsPerRow === undefined ? '1.00' : (msPerRow / baseMsPerRow).toFixed(2);
  console.log(
    `${name.padEnd(34)} ${(durationMs / 1000).toFixed(1).padStart(7)} s ${Math.round(1000 / msPerRow)
      .toLocaleString('en-US')
      .padStart(8)} rows/s` +
      `  ${ratio.padStart(5)} of a first run  ${totals?.requests} requests, ${totals?.dataPoints.toLocaleString('en-US')} data points`,
  );
  return msPerRow;
}

const cloud = await startLocalCloud({ parameters });
try {
  await cloud.warehouse.exec(FILL);
  console.log(`${rows.toLocaleString('en-US')} rows, ${fields.length} fields, one group, ${values.shards} shard(s)\n`);
  const first = await measure(cloud, 'first run (all are added)');
  await measure(cloud, 'nothing changed', first);
  await cloud.warehouse.exec('UPDATE people SET visits = visits + 1 WHERE id % 100 = 0');
  await measure(cloud, 'one field of 1% changed', first);
  await cloud.warehouse.exec('UPDATE people SET visits = visits + 1');
  await measure(cloud, 'one field of all changed', first);
  await cloud.warehouse.exec('DELETE FROM people WHERE id % 10 = 0');
  await measure(cloud, '10% removed', first);
  if (cloud.braze().violations().length > 0) throw new Error('the Braze emulator found violations');
} finally {
  await cloud.close();
}
