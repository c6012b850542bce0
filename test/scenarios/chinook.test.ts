/**
 * The Chinook database: real customers with accents, nulls and free-form phone numbers, and their invoices.
 *
 * What Braze should hold is computed here from plain reads of the tables, in JavaScript: nothing of the model's SQL and
 * nothing of the code under test has a part in it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { type LocalCloud, startLocalCloud } from '../../local/cloud.ts';
import { parseParameters } from '../../shared/parameters/read.ts';
import type { Parameters } from '../../shared/parameters/schema.ts';
import { GROUP_ID, OTHER_GROUP_ID, scenarioCloud, type UserView, viewOf } from './support.ts';

const FILE = process.env.CHINOOK_SQL ?? new URL('../../../shared/data/chinook.sql', import.meta.url).pathname;

const QUERY = `
  SELECT c.customer_id, c.email, c.first_name, c.last_name, c.city, c.phone, c.company, c.country,
         sum(i.total) AS ltv, count(i.invoice_id) AS invoices, max(i.invoice_date) AS last_purchase
  FROM customer c LEFT JOIN invoice i ON i.customer_id = c.customer_id
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`;

const parametersFor = (syncMode: 'sync' | 'additive' | 'enrich', name: string): Parameters =>
  parseParameters(
    JSON.stringify({
      environment: 'chinook',
      apps: {
        warehouse: { type: 'redshift', workgroup: 'analytics', database: 'dev' },
        braze: {
          type: 'braze',
          endpoint: 'https://rest.fra-01.braze.eu',
          apiKeySecret: 'braze/rest-api-key',
          settleSeconds: 0,
          lookupsPerMinute: 2500,
        },
      },
      models: {
        customers: {
          app: 'warehouse',
          query: QUERY,
          primaryKey: 'customer_id',
          groups: {
            high_value: { property: 'ltv', op: 'gte', value: 40 },
            north_americans: { any: [{ property: 'country', op: 'in', value: ['USA', 'Canada'] }] },
          },
        },
      },
      destinations: {
        [name]: {
          model: 'customers',
          app: 'braze',
          syncMode,
          mapping: {
            external_id: 'customer_id',
            email: 'email',
            first_name: 'first_name',
            last_name: 'last_name',
            home_city: 'city',
            phone: 'phone',
          },
          customAttributes: {
            company: 'company',
            country_name: 'country',
            lifetime_value: 'ltv',
            invoices: 'invoices',
            last_purchase: 'last_purchase',
          },
          subscriptionGroups: { high_value: GROUP_ID, north_americans: OTHER_GROUP_ID },
        },
      },
    }),
    'chinook.yaml',
  );

type Customer = {
  customer_id: number;
  email: string;
  first_name: string;
  last_name: string;
  city: string | null;
  phone: string | null;
  company: string | null;
  country: string | null;
};
type Invoice = { customer_id: number; invoice_date: string; total: string };

const withoutNulls = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/** What Braze should hold of each customer; groups that a customer is not in are left out. */
async function expectedUsers(cloud: LocalCloud): Promise<Record<string, UserView>> {
  const customers = await cloud.warehouse.query<Customer>('SELECT * FROM customer');
  const invoices = await cloud.warehouse.query<Invoice>(
    "SELECT customer_id, to_char(invoice_date, 'YYYY-MM-DD') AS invoice_date, total::text AS total FROM invoice",
  );
  const users = customers.map((customer): [string, UserView] => {
    const own = invoices.filter(({ customer_id }) => customer_id === customer.customer_id);
    const cents = own.reduce((sum, { total }) => sum + Math.round(Number(total) * 100), 0);
    const last = own
      .map(({ invoice_date }) => invoice_date)
      .sort()
      .at(-1);
    return [
      String(customer.customer_id),
      {
        standard: withoutNulls({
          email: customer.email,
          first_name: customer.first_name,
          last_name: customer.last_name,
          home_city: customer.city,
          phone: customer.phone?.replace(/[^0-9+]/g, '') ?? null,
        }),
        custom: withoutNulls({
          company: customer.company,
          country_name: customer.country,
          lifetime_value: own.length > 0 ? cents / 100 : null,
          invoices: own.length,
          last_purchase: last === undefined ? null : `${last}T00:00:00.000Z`,
        }),
        groups: {
          ...(cents >= 4000 ? { [GROUP_ID]: 'subscribed' } : {}),
          ...(['USA', 'Canada'].includes(customer.country ?? '') ? { [OTHER_GROUP_ID]: 'subscribed' } : {}),
        },
      },
    ];
  });
  return Object.fromEntries(users);
}

/** What Braze holds; of the groups only those that a user is in. */
const heldUsers = (cloud: LocalCloud): Record<string, UserView> =>
  Object.fromEntries(
    cloud
      .braze()
      .users()
      .map((user) => {
        const view = viewOf(user);
        const groups = Object.fromEntries(Object.entries(view.groups).filter(([, state]) => state === 'subscribed'));
        return [user.externalId ?? '', { ...view, groups }];
      }),
  );

const CHANGES = `
  UPDATE customer SET email = 'luis@example.com', company = NULL WHERE customer_id = 1;
  INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (9001, 2, '2026-03-04', 13.86);
  UPDATE customer SET phone = NULL, city = 'Łódź' WHERE customer_id = 3;
  INSERT INTO customer (customer_id, first_name, last_name, email, country) VALUES (60, 'Zoë', 'Ångström', 'zoe@example.com', 'USA');
`;

if (existsSync(FILE)) {
  const started = scenarioCloud(() =>
    startLocalCloud({ parameters: parametersFor('sync', 'nobody'), hurry: 10, pageRows: 10 }),
  );
  let cloud: LocalCloud;
  beforeEach(async () => {
    cloud = started();
    await cloud.warehouse.exec('DROP SCHEMA public CASCADE; CREATE SCHEMA public;');
    await cloud.warehouse.exec(readFileSync(FILE, 'utf8'));
    // Redshift keeps no foreign keys: a customer can leave before its invoices do.
    await cloud.warehouse.exec('ALTER TABLE invoice DROP CONSTRAINT invoice_customer_id_fkey');
    cloud.braze().reset();
  });

  const begin = async (syncMode: 'sync' | 'additive' | 'enrich') => {
    await cloud.deploy(parametersFor(syncMode, syncMode));
    return () => cloud.run({ destination: syncMode });
  };

  test('sync: Braze holds exactly the 59 customers, and follows every change', async () => {
    const run = await begin('sync');
    expect(await run()).toMatchObject({
      status: 'succeeded',
      totals: { extracted: 59, added: 59, accepted: 59, requests: 1 },
    });
    expect(heldUsers(cloud)).toEqual(await expectedUsers(cloud));
    await cloud.warehouse.exec(CHANGES);
    await cloud.warehouse.exec('DELETE FROM customer WHERE customer_id = 59');
    expect(await run()).toMatchObject({
      status: 'succeeded',
      totals: { added: 1, changed: 3, removed: 1, deleted: 1 },
    });
    expect(heldUsers(cloud)).toEqual(await expectedUsers(cloud));
    expect((await run()).totals).toMatchObject({ unchanged: 59, requests: 0 });
  });

  test('additive: the same, but that who left stays', async () => {
    const run = await begin('additive');
    await run();
    const before = heldUsers(cloud);
    await cloud.warehouse.exec(CHANGES);
    await cloud.warehouse.exec('DELETE FROM customer WHERE customer_id = 6');
    expect(await run()).toMatchObject({
      status: 'succeeded',
      totals: { added: 1, changed: 3, removed: 1, deleted: 0 },
    });
    expect(heldUsers(cloud)).toEqual({ ...(await expectedUsers(cloud)), 6: { ...before[6], groups: {} } });
  });

  test('enrich: only customers that Braze has are updated', async () => {
    for (const id of ['1', '2', '3', '59']) cloud.braze().putUser({ externalId: id, customAttributes: { own: true } });
    const run = await begin('enrich');
    expect(await run()).toMatchObject({ status: 'succeeded', totals: { extracted: 59, accepted: 4, absent: 55 } });
    await cloud.warehouse.exec(CHANGES);
    expect(await run()).toMatchObject({ status: 'succeeded', totals: { changed: 3, absent: 1 } });
    const expected = await expectedUsers(cloud);
    expect(heldUsers(cloud)).toEqual(
      Object.fromEntries(
        ['1', '2', '3', '59'].map((id) => [id, { ...expected[id], custom: { ...expected[id]?.custom, own: true } }]),
      ),
    );
  });
} else {
  test(`the Chinook database is not at hand (${FILE}): its scenarios are left out`, () => {
    expect(process.env.CHINOOK_SQL).toBeUndefined();
  });
}
