/** A small whole parameter file, and what tests do with it. */
import { ParametersError, parseParameters } from '../../../shared/parameters/read.ts';

export const FILE = 'parameters/production.yaml';

export const EXAMPLE = `environment: production            # names the stack; parameters/production.yaml
apps:
  warehouse:
    type: redshift
    workgroup: analytics           # or: cluster + dbUser
    database: dev
    secret: redshift/readonly      # optional, a Secrets Manager name or ARN
  braze:
    type: braze
    endpoint: https://rest.iad-01.braze.com
    apiKeySecret: braze/rest-api-key
models:
  customers:
    app: warehouse
    query: |                       # or: table: public.customers
      SELECT c.customer_id, c.email, c.first_name, sum(i.total) AS ltv, max(i.invoice_date) AS last_purchase
      FROM customer c LEFT JOIN invoice i USING (customer_id) GROUP BY 1, 2, 3
    primaryKey: customer_id
    groups:
      high_value_recent_buyers:
        all:
          - { property: ltv, op: gte, value: 40 }
          - { property: last_purchase, op: within_last, value: 90 days }
      vip: { sql: "ltv > 100" }
destinations:
  customers_to_braze:
    model: customers
    app: braze
    syncMode: sync
    schedule: rate(1 hour)         # EventBridge syntax; also cron(...) with timezone
    mapping:                       # Braze standard profile field: property
      external_id: customer_id
      email: email
      first_name: first_name
    customAttributes:              # Braze custom attribute: property
      lifetime_value: ltv
      last_purchase: last_purchase
    subscriptionGroups:            # group: Braze subscription group id
      high_value_recent_buyers: 8f2b5c1e-0000-4000-8000-000000000001
    # audience: high_value_recent_buyers   # only members of this group are sent; leaving it counts as removed
    deletionGuard: { maxPercent: 10, maxRecords: 10000 }
`;

/** Returns the example with a part of it changed; the part must be there. */
export function changed(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${from}`);
    return text.replace(from, () => to);
  }, EXAMPLE);
}

const noFile = (file: string): string => {
  throw Object.assign(new Error(`no ${file}`), { code: 'ENOENT' });
};

/** Returns the error of a text, or undefined; any other exception fails the test. */
export function errorOf(text: string, files: Readonly<Record<string, string>> = {}): ParametersError | undefined {
  try {
    parseParameters(text, FILE, (file) => files[file] ?? noFile(file));
    return undefined;
  } catch (error) {
    if (error instanceof ParametersError) return error;
    throw error;
  }
}

/** Returns the line of a text in which a part stands, counted from 1. */
export const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;
