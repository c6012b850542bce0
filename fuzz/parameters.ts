/** Parameter files of somebody else: changed as text, grown as bombs, with names that collide. */

import { ParametersError, parseParameters } from '../shared/parameters/read.ts';
import { Parameters } from '../shared/parameters/schema.ts';
import { changedText, hostileJson, hostileText, INTERNALS } from './hostile.ts';
import type { Random } from './random.ts';
import { hold, outcomeOf, type Target } from './target.ts';

const FILE = `environment: production
alarmEmail: operations@example.com
apps:
  warehouse: { type: redshift, workgroup: analytics, database: dev, secret: redshift/readonly }
  braze:
    type: braze
    endpoint: https://rest.iad-01.braze.com
    apiKeySecret: braze/rest-api-key
models:
  customers:
    app: warehouse
    query: |
      SELECT c.customer_id, c.email, sum(i.total) AS ltv, max(i.invoice_date) AS last_purchase
      FROM customer c LEFT JOIN invoice i USING (customer_id) GROUP BY 1, 2
    primaryKey: customer_id
    groups:
      recent:
        all:
          - { property: ltv, op: gte, value: 40 }
          - { property: last_purchase, op: within_last, value: 90 days }
      vip: { sql: "ltv > 100" }
      both: { any: [{ group: vip }, { group: recent }, { property: email, op: in, value: [a, b] }] }
destinations:
  customers_to_braze:
    model: customers
    app: braze
    syncMode: sync
    schedule: { expression: cron(0 6 ? * MON-FRI *), timezone: Europe/Berlin }
    mapping: { external_id: customer_id, email: email }
    customAttributes:
      lifetime_value: { property: ltv, type: float }
      last_purchase: last_purchase
    subscriptionGroups:
      recent: 8f2b5c1e-0000-4000-8000-000000000001
`;

/** Lines that a person would not write, each a small bomb. */
const BOMBS: readonly ((chance: Random) => string)[] = [
  (chance) => `a: ${'['.repeat(chance.int(3000))}`,
  (chance) => `a: ${'{ b: '.repeat(chance.int(3000))}`,
  (chance) => `${'- '.repeat(chance.int(3000))}x`,
  () =>
    `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${`*${'abcdefgh'[index]}, `.repeat(9)}]`).join('\n')}\n`,
  () => 'a: &a [*a]\n',
  (chance) => `a: "${'x'.repeat(chance.int(100_000))}"\n`,
  (chance) => `${chance.pick(INTERNALS)}: ${JSON.stringify(hostileJson(chance))}\n`,
  () => '? [complex, key]\n: value\n',
  () => '<<: { environment: other }\n',
  () => '!!js/function "function(){}"\n',
  () => '%YAML 1.1\n---\n',
  (chance) => `${'x'.repeat(chance.int(2000))}: 1\n`.repeat(chance.int(20)),
  (chance) => `a: ${'1'.repeat(chance.int(5000))}\n`,
  (chance) => `a: |\n${'  x\n'.repeat(chance.int(5000))}`,
];

function text(chance: Random): string {
  const kind = chance.int(10);
  if (kind < 6) return changedText(chance, FILE);
  if (kind < 8) {
    const lines = FILE.split('\n');
    const bomb = chance.pick(BOMBS)(chance);
    lines.splice(chance.int(lines.length), 0, bomb);
    return lines.join('\n');
  }
  if (kind === 8)
    return FILE.replace(chance.pick(['customers', 'ltv', 'vip', 'email', 'analytics', 'recent']), () =>
      hostileText(chance),
    );
  return chance.pick([() => JSON.stringify(hostileJson(chance, 5)), () => hostileText(chance)])();
}

const noFile = (): string => {
  throw Object.assign(new Error('no file'), { code: 'ENOENT' });
};

const files: Target = {
  name: 'parameter files',
  share: 0.6,
  withinMs: 10_000,
  attempt: (chance) =>
    outcomeOf([ParametersError], () => {
      const given = text(chance);
      try {
        const parameters = parseParameters(given, 'fuzz.yaml', noFile);
        hold(
          JSON.stringify(Parameters.parse(JSON.parse(JSON.stringify(parameters)))) === JSON.stringify(parameters),
          'parameters that come back changed',
        );
        return 'taken';
      } catch (error) {
        if (!(error instanceof ParametersError)) throw error;
        hold(error.problems.length > 0, 'an error without a problem');
        hold(
          error.problems.every(({ message }) => !/[\p{Cc}\p{Surrogate}]/u.test(message)),
          'a message with signs that steer',
        );
        hold(error.message.length < 1_000_000, 'a message without end');
        throw error;
      }
    }),
};

export const parameterTargets: readonly Target[] = [files];
