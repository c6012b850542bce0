/** POST /users/delete. Source: Braze, 'POST: Delete users'. Accepting is not deleting: profiles leave after a delay. */

import type { Effect, Priority } from './effects.ts';
import { type Answer, badRequest, type Endpoint, finding, unknownKey, usualBodyLimit, type World } from './endpoint.ts';
import { type Identifier, readAlias, userKey } from './identifiers.ts';
import { isArray, isObject, type Json, type JsonObject, own } from './json.ts';
import { stripPhone } from './standard-attributes.ts';

type Deletion = Extract<Effect, { kind: 'delete' }>;

const PRIORITIES: readonly Priority[] = ['identified', 'unidentified', 'most_recently_updated'];
export const TOO_MANY_IDS = 'The max number of ids per request was exceeded';

const READERS: Record<string, (id: Json) => Deletion | undefined> = {
  external_ids: (id) =>
    typeof id === 'string' && id !== '' ? only({ kind: 'external_id', externalId: id }) : undefined,
  user_aliases: (id) => {
    const alias = readAlias(id);
    return alias.kind === 'stored' ? only(alias.value) : undefined;
  },
  braze_ids: (id) => (typeof id === 'string' && id !== '' ? only({ kind: 'braze_id', brazeId: id }) : undefined),
  email_addresses: (id) => prioritized(id, 'email', (email) => ({ kind: 'email', email })),
  phone_numbers: (id) =>
    prioritized(id, 'phone', (text) => {
      const phone = stripPhone(text);
      return phone === undefined ? undefined : { kind: 'phone', phone };
    }),
};
const KINDS = Object.keys(READERS);

export const deleteUsers: Endpoint = {
  path: '/users/delete',
  permission: 'users.delete',
  maxBodyBytes: usualBodyLimit,
  changesUsers: true,
  users: (body) => (readDeletions(body) ?? []).flatMap(({ who }) => userKey(who) ?? []),
  countObjects: (body) => idsOf(body).length,
  answer: answerDelete,
};

function answerDelete(body: JsonObject, world: World): Answer {
  const { settings } = world;
  const unknown = unknownKey(body, KINDS);
  if (unknown !== undefined && settings.strict) return finding(world, 47, `unknown key ${JSON.stringify(unknown)}`);
  const kinds = KINDS.filter((kind) => Object.hasOwn(body, kind));
  if (kinds.length > 1 && settings.strict) return finding(world, 47, `${kinds.join(' and ')} in one request`);
  const ids = idsOf(body);
  if (ids.length > settings.maxIds) return badRequest(TOO_MANY_IDS);
  const deletions = readDeletions(body);
  if (!deletions || deletions.length === 0) return badRequest(`Provide a list of ids in one of ${KINDS.join(', ')}`);

  const existing = new Set(deletions.flatMap(({ who }) => world.profiles.matching(who)));
  const delayMs = Math.max(settings.applyDelayMs, settings.deleteDelayMs);
  world.accept(
    deletions.map((effect) => ({ effect, user: userKey(effect.who) })),
    delayMs,
  );
  const deleted = settings.deletedCount === 'sent' ? ids.length : existing.size;
  return { status: settings.deleteStatus, body: { message: 'success', deleted } };
}

const idsOf = (body: JsonObject): Json[] =>
  KINDS.flatMap((kind) => {
    const ids = own(body, kind);
    return isArray(ids) ? ids : [];
  });

/** Returns a deletion for every id, or undefined when one cannot be read. */
function readDeletions(body: JsonObject): Deletion[] | undefined {
  const deletions: Deletion[] = [];
  for (const [kind, read] of Object.entries(READERS)) {
    const ids = own(body, kind);
    if (ids === undefined) continue;
    if (!isArray(ids)) return undefined;
    for (const id of ids) {
      const deletion = read(id);
      if (!deletion) return undefined;
      deletions.push(deletion);
    }
  }
  return deletions;
}

const only = (who: Identifier): Deletion => ({ kind: 'delete', who, prioritization: [] });

function prioritized(
  entry: Json,
  name: string,
  identify: (text: string) => Identifier | undefined,
): Deletion | undefined {
  if (!isObject(entry)) return undefined;
  const [text, given] = [own(entry, name), own(entry, 'prioritization') ?? []];
  const who = typeof text === 'string' ? identify(text) : undefined;
  if (!who || !isArray(given)) return undefined;
  const prioritization = PRIORITIES.filter((priority) => given.includes(priority));
  return prioritization.length === given.length ? { kind: 'delete', who, prioritization } : undefined;
}
