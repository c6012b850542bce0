/** The bodies of requests to Braze. Source: Braze, 'POST: Create and update users', 'POST: Delete users', 'POST: Export user profile by identifier'. */
import type { SubscriptionState } from '../diff/decide.ts';
import type { JsonValue } from '../values/json.ts';

/** Users in one /users/delete request at most. */
export const MAX_DELETES = 50;
/** Users in one /users/export/ids request at most. */
export const MAX_LOOKUPS = 50;

export type UserObject = {
  readonly primaryKey: string;
  readonly attributes: ReadonlyMap<string, JsonValue>;
  readonly subscriptions: ReadonlyMap<string, SubscriptionState>;
};

/** Returns the body of a /users/track request. With `existingOnly`, users that Braze does not know stay unknown. */
export function trackBody(users: readonly UserObject[], existingOnly: boolean): string {
  const attributes = users.map(({ primaryKey, attributes, subscriptions }) => {
    const groups = [...subscriptions].map(([subscription_group_id, subscription_state]) => ({
      subscription_group_id,
      subscription_state,
    }));
    return {
      external_id: primaryKey,
      ...(existingOnly ? { _update_existing_only: true } : {}),
      ...Object.fromEntries(attributes),
      ...(groups.length > 0 ? { subscription_groups: groups } : {}),
    };
  });
  return JSON.stringify({ attributes });
}

/** Returns the body of a /users/delete request. */
export const deleteBody = (primaryKeys: readonly string[]): string => JSON.stringify({ external_ids: primaryKeys });

/** Returns the body of a /users/export/ids request that asks only which of the users exist. */
export const lookupBody = (primaryKeys: readonly string[]): string =>
  JSON.stringify({ external_ids: primaryKeys, fields_to_export: ['external_id'] });
