/** POST /v2/subscription/status/set. Source: Braze, "Update user's subscription group status (V2)". */

import type { Effect } from './effects.ts';
import { type Answer, badRequest, type Endpoint, finding, unknownKey, usualBodyLimit, type World } from './endpoint.ts';
import { type Identifier, userKey } from './identifiers.ts';
import { areObjects, areStrings, isArray, type JsonObject, own } from './json.ts';
import { readGroup } from './subscription-groups.ts';

type Subscription = Extract<Effect, { kind: 'subscribe' }>;

const IDENTIFY: Record<string, (text: string) => Identifier> = {
  external_ids: (externalId) => ({ kind: 'external_id', externalId }),
  emails: (email) => ({ kind: 'email', email }),
  phones: (phone) => ({ kind: 'phone', phone }),
};
const LISTS = Object.keys(IDENTIFY);
const KEYS = ['subscription_group_id', 'subscription_state', ...LISTS, 'use_double_opt_in_logic'];
const E164 = /^\+\d{7,15}$/;

export const setSubscriptionStatus: Endpoint = {
  path: '/v2/subscription/status/set',
  permission: 'subscription.status.set',
  maxBodyBytes: usualBodyLimit,
  changesUsers: false,
  users: (body) => groupsOf(body).flatMap((group) => usersOf(group).flatMap((who) => userKey(who) ?? [])),
  countObjects: (body) => groupsOf(body).reduce((sum, group) => sum + usersOf(group).length, 0),
  answer: answerStatus,
};

function answerStatus(body: JsonObject, world: World): Answer {
  const { settings } = world;
  const unknown =
    unknownKey(body, ['subscription_groups']) ??
    groupsOf(body)
      .map((group) => unknownKey(group, KEYS))
      .find(Boolean);
  if (unknown !== undefined && settings.strict) return finding(world, 49, `unknown key ${JSON.stringify(unknown)}`);
  const fault = faultOf(body, world);
  if (fault !== undefined) return badRequest(fault);

  const subscriptions = groupsOf(body).flatMap((group): Subscription[] => {
    const change = readGroup(group, settings);
    if (change.kind !== 'stored') return [];
    return usersOf(group).map((who) => ({ kind: 'subscribe', who, change: change.value }));
  });
  world.accept(
    subscriptions.map((effect) => ({ effect, user: userKey(effect.who) })),
    settings.applyDelayMs,
  );
  return { status: 201, body: { message: 'success' } };
}

function faultOf(body: JsonObject, { settings, profiles }: World): string | undefined {
  const groups = groupsOf(body);
  if (groups.length === 0) return 'subscription_groups must be an array of objects';
  const lists = groups.flatMap((group) => LISTS.filter((list) => Object.hasOwn(group, list)));
  if (lists.includes('emails') && lists.includes('phones')) return 'emails and phones cannot be used together';
  const sizes = groups.flatMap((group) => LISTS.map((list) => listOf(group, list).length));
  const most =
    settings.subscriptionUsersLimit === 'list' ? Math.max(...sizes) : sizes.reduce((sum, size) => sum + size);
  if (most > settings.maxSubscriptionUsers) return `More than ${settings.maxSubscriptionUsers} users`;
  for (const group of groups) {
    const fault = groupFault(group);
    if (fault !== undefined) return fault;
    const change = readGroup(group, settings);
    if (change.kind !== 'stored') return change.reason.text;
    const isUnknown = usersOf(group).some((who) => profiles.matching(who).length === 0);
    if (isUnknown && settings.unknownSubscriptionUsers === 'refused') return 'a user does not exist';
  }
  return undefined;
}

function groupFault(group: JsonObject): string | undefined {
  for (const list of LISTS) {
    const values = own(group, list);
    if (values !== undefined && !(isArray(values) && areStrings(values))) return `${list} must be an array of strings`;
  }
  if (usersOf(group).length === 0) return `one of ${LISTS.join(', ')} is needed`;
  if (listOf(group, 'phones').some((phone) => !E164.test(phone))) return 'phones must be in E.164 form';
  const doubleOptIn = own(group, 'use_double_opt_in_logic');
  const isFlag = doubleOptIn === undefined || typeof doubleOptIn === 'boolean';
  return isFlag ? undefined : 'use_double_opt_in_logic must be a boolean';
}

function groupsOf(body: JsonObject): JsonObject[] {
  const groups = own(body, 'subscription_groups');
  return isArray(groups) && areObjects(groups) ? groups : [];
}

function listOf(group: JsonObject, list: string): string[] {
  const values = own(group, list);
  return isArray(values) && areStrings(values) ? values : [];
}

const usersOf = (group: JsonObject): Identifier[] =>
  Object.entries(IDENTIFY).flatMap(([list, identify]) => listOf(group, list).map(identify));
