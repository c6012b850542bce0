/** Writes demo/day-1.sql from demo/people.ts: `npx tsx demo/make-day-1.ts`. The SQL is Redshift's, so it can be tried there too. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { dealer } from './people.ts';

const ROWS_A_STATEMENT = 100;

/** Returns the script that makes the warehouse as it is on the first day. Times count from when it is run. */
export function day1Sql(): string {
  const { customers, purchases } = dealer();
  const customerRows = customers.map((customer) =>
    row([
      ...[customer.id, customer.email, customer.firstName, customer.lastName, customer.country, customer.city],
      ...[customer.phone, customer.birthDate, customer.brand, customer.newsletter, customer.wish],
    ]),
  );
  const purchaseRows = purchases.map(({ customerId, kind, item, amount, hoursAgo }, index) =>
    row([index + 1, customerId, kind, item, amount, hoursAgo]),
  );
  return `-- A car dealer's warehouse on the first day of the demo. Made by demo/make-day-1.ts; edit demo/people.ts.

DROP TABLE IF EXISTS customers;
DROP TABLE IF EXISTS purchases;

CREATE TABLE customers (
  customer_id INTEGER,
  email VARCHAR(320),
  first_name VARCHAR(100),
  last_name VARCHAR(100),
  country VARCHAR(60),
  city VARCHAR(100),
  phone VARCHAR(60),
  birth_date DATE,
  preferred_brand VARCHAR(60),
  newsletter BOOLEAN,
  car_wish VARCHAR(1000)
);

CREATE TABLE purchases (
  purchase_id INTEGER,
  customer_id INTEGER,
  kind VARCHAR(20),
  item VARCHAR(100),
  amount DECIMAL(12, 2),
  purchased_at TIMESTAMP
);

${insert('customers', customerRows)}

-- When something was bought is told in hours before now, so that "recently" is always recent.
CREATE TEMPORARY TABLE purchase_list (
  purchase_id INTEGER,
  customer_id INTEGER,
  kind VARCHAR(20),
  item VARCHAR(100),
  amount DECIMAL(12, 2),
  hours_ago INTEGER
);

${insert('purchase_list', purchaseRows)}

INSERT INTO purchases
SELECT purchase_id, customer_id, kind, item, amount, DATEADD(hour, -hours_ago, GETDATE()) FROM purchase_list;

DROP TABLE purchase_list;
`;
}

function insert(table: string, rows: readonly string[]): string {
  const statements: string[] = [];
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT)
    statements.push(`INSERT INTO ${table} VALUES\n${rows.slice(from, from + ROWS_A_STATEMENT).join(',\n')};`);
  return statements.join('\n');
}

const row = (values: readonly (string | number | boolean | null)[]): string => `  (${values.map(literal).join(', ')})`;

function literal(value: string | number | boolean | null): string {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(join(import.meta.dirname, 'day-1.sql'), day1Sql());
