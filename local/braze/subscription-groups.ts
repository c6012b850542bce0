/** Subscription groups as both endpoints take them. Source: Braze, "Update user's subscription group status (V2)". */
import { isArray, isObject, type Json, own } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { every, refused, show, stored, type Verdict } from './verdicts.ts';

export type GroupState = 'subscribed' | 'unsubscribed';
export type GroupChange = { readonly groupId: string; readonly state: GroupState };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the changes that `subscription_groups` of a user object asks for. */
export function readGroups(groups: Json, settings: BrazeEmulatorSettings): Verdict<GroupChange[]> {
  if (!isArray(groups)) {
    return refused(20, `subscription_groups is an array, not ${show(groups)}`, 'BAD_SUBSCRIPTION_GROUP_ARRAY');
  }
  return every(groups.map((group) => readGroup(group, settings)));
}

/** Returns one group's id and wanted state. */
export function readGroup(group: Json, settings: BrazeEmulatorSettings): Verdict<GroupChange> {
  if (!isObject(group)) {
    return refused(20, `a subscription group is an object, not ${show(group)}`, 'BAD_SUBSCRIPTION_GROUP_HASH');
  }
  const [id, state] = [own(group, 'subscription_group_id'), own(group, 'subscription_state')];
  if (typeof id !== 'string' || !UUID.test(id) || settings.knownSubscriptionGroups?.includes(id) === false) {
    return refused(20, `subscription_group_id ${show(id)} is not a group's id`, 'BAD_SUBSCRIPTION_GROUP_ID');
  }
  if (state !== 'subscribed' && state !== 'unsubscribed') {
    return refused(
      20,
      `subscription_state is subscribed or unsubscribed, not ${show(state)}`,
      'BAD_SUBSCRIPTION_GROUP_STATE',
    );
  }
  return stored({ groupId: id.toLowerCase(), state });
}
