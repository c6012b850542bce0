/**
 * A second opinion: what Braze should hold, asked of the warehouse by a query of its own, and compared value by value
 * with what the emulator holds. Nothing here uses the code that a run uses.
 */
import { z } from 'zod';
import type { BrazeUser } from '../local/braze/emulator.ts';

/** A user's values and groups by name, in a form that can be compared. */
export type Profile = ReadonlyMap<string, string>;

/** Runs a query on the warehouse. */
export type Query = (sql: string) => Promise<unknown[]>;

/** What Braze calls the groups of the parameter file. */
export type GroupNames = Readonly<Record<string, string>>;

/** Columns are called as Braze's attributes are, groups as in the parameter file. All are text: dates, times and numbers as ISO 8601 and JSON write them. */
const EXPECTED = `
SELECT c.customer_id::text AS external_id, c.email, c.first_name, c.last_name, c.country, c.city AS home_city,
  REPLACE(c.phone, ' ', '') AS phone, TO_CHAR(c.birth_date, 'YYYY-MM-DD') AS dob, c.preferred_brand, c.car_wish,
  (SELECT COUNT(*) FROM purchases p WHERE p.customer_id = c.customer_id)::text AS purchases,
  b.spent::float8::text AS lifetime_value,
  TO_CHAR(b.last_purchase, 'YYYY-MM-DD"T"HH24:MI:SS') AS last_purchase,
  TO_CHAR(b.last_car, 'YYYY-MM-DD"T"HH24:MI:SS') AS last_car_purchase,
  CASE WHEN b.spent >= 30000 AND b.last_car >= DATEADD(day, -180, GETDATE()) THEN 'member' END AS high_value_recent_car_buyers,
  CASE WHEN c.newsletter AND c.email <> '' THEN 'member' END AS newsletter_readers
FROM customers c, LATERAL (
  SELECT COALESCE(SUM(amount), 0) AS spent, MAX(purchased_at) AS last_purchase,
    MAX(purchased_at) FILTER (WHERE kind = 'car') AS last_car
  FROM purchases p WHERE p.customer_id = c.customer_id
) b
WHERE c.customer_id IN (SELECT customer_id FROM customers GROUP BY customer_id HAVING COUNT(*) = 1)
  AND (c.email IS NULL OR c.email LIKE '%_@_%._%')
  AND LENGTH(c.country) = 2
  AND (c.phone IS NULL OR c.phone NOT LIKE '%a%')
  AND (c.car_wish IS NULL OR LENGTH(c.car_wish) < 256)
ORDER BY c.customer_id`;

const ExpectedRow = z.object({ external_id: z.string() }).catchall(z.string().nullable());

/** Returns what Braze should hold of each customer that can be sent, by customer number. */
export async function expectedProfiles(query: Query): Promise<Map<string, Profile>> {
  const rows = z.array(ExpectedRow).parse(await query(EXPECTED));
  return new Map(
    rows.map(({ external_id, ...values }) => [
      external_id,
      new Map(Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
    ]),
  );
}

/** Times are compared as times, without the zone and fraction that Braze adds. */
const asText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text).toISOString().slice(0, 19) : text;
};

/** Returns a user of the emulator in the form that can be compared. */
export const profileOf = (user: BrazeUser, groups: GroupNames): Profile =>
  new Map([
    ...Object.entries({ ...user.attributes, ...user.customAttributes }).flatMap(([name, value]): [string, string][] =>
      value === null ? [] : [[name, asText(value)]],
    ),
    ...Object.entries(user.subscriptionGroups).flatMap(([id, state]): [string, string][] =>
      state === 'subscribed' ? [[groups[id] ?? id, 'member']] : [],
    ),
  ]);

/** Returns one sentence for each difference between what Braze should hold and what it holds. */
export function differencesOf(
  expected: ReadonlyMap<string, Profile>,
  users: readonly BrazeUser[],
  groups: GroupNames,
): string[] {
  const actual = new Map(users.map((user) => [user.externalId ?? user.brazeId, profileOf(user, groups)]));
  const missing = [...expected.keys()].filter((id) => !actual.has(id)).map((id) => `Braze has no user ${id}`);
  const extra = [...actual.keys()].filter((id) => !expected.has(id)).map((id) => `Braze has the user ${id}`);
  const differing = [...expected].flatMap(([id, profile]) => {
    const held = actual.get(id);
    return held === undefined ? [] : valueDifferences(id, profile, held);
  });
  return [...missing, ...extra, ...differing];
}

const valueDifferences = (id: string, expected: Profile, held: Profile): string[] =>
  [...new Set([...expected.keys(), ...held.keys()])]
    .filter((name) => expected.get(name) !== held.get(name))
    .map(
      (name) =>
        `user ${id} has ${name} = ${held.get(name) ?? 'nothing'} where the warehouse has ${expected.get(name) ?? 'nothing'}`,
    );
