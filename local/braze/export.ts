/**
 * POST /users/export/ids. Source: Braze, 'Export user profile by identifier'.
 *
 * Null, false and empty fields are left out, so an absent field of an export says nothing; unknown ids are no error.
 */

import { TOO_MANY_IDS } from './delete.ts';
import { type Answer, badRequest, type Endpoint, finding, unknownKey, usualBodyLimit, type World } from './endpoint.ts';
import { type Identifier, readAlias, userKey } from './identifiers.ts';
import { areStrings, isArray, type Json, type JsonObject, own } from './json.ts';
import { type Profile, userOf } from './profiles.ts';
import type { BrazeEmulatorSettings } from './settings.ts';

const KEYS = ['external_ids', 'user_aliases', 'fields_to_export'];
const SLOW_FIELDS = ['campaigns_received', 'canvases_received'];

export const exportByIds: Endpoint = {
  path: '/users/export/ids',
  permission: 'users.export.ids',
  maxBodyBytes: usualBodyLimit,
  changesUsers: false,
  users: (body) => (readIds(body) ?? []).flatMap((who) => userKey(who) ?? []),
  countObjects: (body) => listOf(body, 'external_ids').length + listOf(body, 'user_aliases').length,
  answer: answerExport,
};

/** True for an export that Braze may serve at the raised limit: it names its fields, and no slow one. */
export function isRaisedExport(body: JsonObject): boolean {
  const fields = own(body, 'fields_to_export');
  return isArray(fields) && fields.length > 0 && !fields.some((field) => SLOW_FIELDS.includes(String(field)));
}

function answerExport(body: JsonObject, world: World): Answer {
  const { settings } = world;
  const unknown = unknownKey(body, KEYS);
  if (unknown !== undefined && settings.strict) return finding(world, 57, `unknown key ${JSON.stringify(unknown)}`);
  const fields = own(body, 'fields_to_export');
  if (fields !== undefined && !(isArray(fields) && areStrings(fields))) {
    return badRequest('fields_to_export must be an array of strings');
  }
  const ids = readIds(body);
  if (!ids || ids.length === 0) return badRequest('external_ids or user_aliases must be a list of ids');
  if (ids.length > settings.maxIds) return badRequest(TOO_MANY_IDS);

  const found = new Set(ids.flatMap((who) => world.profiles.matching(who)));
  const unknownIds = ids.filter((who) => world.profiles.matching(who).length === 0).map(idOf);
  return {
    status: 201,
    body: {
      message: 'success',
      users: [...found].map((profile) => exported(profile, fields, settings)),
      ...(unknownIds.length > 0 ? { invalid_user_ids: unknownIds } : {}),
    },
  };
}

function exported(profile: Profile, fields: readonly string[] | undefined, settings: BrazeEmulatorSettings): Json {
  const user = userOf(profile);
  const custom = Object.entries(user.customAttributes).filter(
    ([, value]) => !settings.exportOmitsEmptyCustom || !isBlank(value),
  );
  const entries: [string, Json][] = [
    ...Object.entries(user.attributes),
    ['external_id', user.externalId ?? null],
    ['braze_id', user.brazeId],
    ['user_aliases', user.aliases],
    ['created_at', user.createdAt],
    ['custom_attributes', Object.fromEntries(custom)],
  ];
  return Object.fromEntries(
    entries.filter(([name, value]) => !isBlank(value) && (fields === undefined || fields.includes(name))),
  );
}

function isBlank(value: Json): boolean {
  if (typeof value === 'object') return value === null || Object.keys(value).length === 0;
  return value === false || value === '';
}

function readIds(body: JsonObject): Identifier[] | undefined {
  const ids: Identifier[] = [];
  for (const externalId of listOf(body, 'external_ids')) {
    if (typeof externalId !== 'string') return undefined;
    ids.push({ kind: 'external_id', externalId });
  }
  for (const item of listOf(body, 'user_aliases')) {
    const alias = readAlias(item);
    if (alias.kind !== 'stored') return undefined;
    ids.push(alias.value);
  }
  return ids;
}

const idOf = (who: Identifier): Json => {
  if (who.kind === 'external_id') return who.externalId;
  return who.kind === 'user_alias' ? { alias_name: who.name, alias_label: who.label } : null;
};

function listOf(body: JsonObject, name: string): Json[] {
  const ids = own(body, name);
  return isArray(ids) ? ids : [];
}
