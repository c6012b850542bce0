/**
 * Whom an object or an id list speaks of. Source: Braze, 'POST: Create and update users' and 'User attributes object'.
 *
 * Primary: external_id, user_alias, braze_id; exactly one. Secondary: email, then phone, only without a primary.
 */
import { isObject, type Json, type JsonObject, own } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { phoneKey, stripPhone } from './standard-attributes.ts';
import { lost, refused, show, stored, type Verdict } from './verdicts.ts';

export type Identifier =
  | { readonly kind: 'external_id'; readonly externalId: string }
  | { readonly kind: 'user_alias'; readonly name: string; readonly label: string }
  | { readonly kind: 'braze_id'; readonly brazeId: string }
  | { readonly kind: 'email'; readonly email: string }
  | { readonly kind: 'phone'; readonly phone: string }
  /** A push token import needs no user; it changes no profile here. */
  | { readonly kind: 'none' };

const PRIMARY = ['external_id', 'user_alias', 'braze_id'];
export const MAX_EXTERNAL_ID_BYTES = 987;

/** Returns whom a user object identifies. */
export function readIdentifier(object: JsonObject, settings: BrazeEmulatorSettings): Verdict<Identifier> {
  const primaries = PRIMARY.filter((name) => Object.hasOwn(object, name));
  if (primaries.length > 1) return refused(14, `${primaries.join(' and ')} together in one object`);
  if (primaries.includes('external_id')) return readExternalId(own(object, 'external_id'), settings);
  if (primaries.includes('user_alias')) return readAlias(own(object, 'user_alias'));
  if (primaries.includes('braze_id')) {
    const brazeId = own(object, 'braze_id');
    return typeof brazeId === 'string' && brazeId !== ''
      ? stored({ kind: 'braze_id', brazeId })
      : refused(13, `braze_id is a string, not ${show(brazeId)}`);
  }
  return readSecondary(object);
}

/** Returns whom an external id names: a string of 1 to 987 bytes that is not blocked. */
export function readExternalId(
  externalId: Json | undefined,
  settings: Pick<BrazeEmulatorSettings, 'blockedExternalIds'>,
): Verdict<Identifier> {
  if (typeof externalId !== 'string') return refused(15, `external_id is a string, not ${show(externalId)}`);
  if (externalId === '') return lost(15, 'external_id is empty');
  const bytes = Buffer.byteLength(externalId);
  if (bytes > MAX_EXTERNAL_ID_BYTES) {
    return refused(
      16,
      `external_id has ${bytes} bytes, ${MAX_EXTERNAL_ID_BYTES} are allowed`,
      'EXTERNAL_USER_ID_TOO_LARGE',
    );
  }
  if (settings.blockedExternalIds.includes(externalId)) {
    return refused(17, 'external_id is blocked', 'BLACKLISTED_EXTERNAL_USER_ID');
  }
  return stored({ kind: 'external_id', externalId });
}

/** Returns whom `{alias_name, alias_label}` names. */
export function readAlias(alias: Json | undefined): Verdict<Identifier> {
  const name = isObject(alias) ? own(alias, 'alias_name') : undefined;
  const label = isObject(alias) ? own(alias, 'alias_label') : undefined;
  return typeof name === 'string' && name !== '' && typeof label === 'string' && label !== ''
    ? stored({ kind: 'user_alias', name, label })
    : refused(13, `user_alias is {alias_name, alias_label}, not ${show(alias)}`);
}

function readSecondary(object: JsonObject): Verdict<Identifier> {
  const [email, phone] = [own(object, 'email'), own(object, 'phone')];
  if (typeof email === 'string') return stored({ kind: 'email', email });
  const stripped = typeof phone === 'string' ? stripPhone(phone) : undefined;
  if (stripped !== undefined) return stored({ kind: 'phone', phone: stripped });
  if (own(object, 'push_token_import') === true) return stored({ kind: 'none' });
  return refused(13, 'the object has no identifier: external_id, user_alias, braze_id, email or phone');
}

/** Returns a text that is equal for equal users, or undefined for nobody. */
export function userKey(who: Identifier): string | undefined {
  switch (who.kind) {
    case 'external_id':
      return `external_id ${JSON.stringify(who.externalId)}`;
    case 'user_alias':
      return `user_alias ${JSON.stringify([who.label, who.name])}`;
    case 'braze_id':
      return `braze_id ${who.brazeId}`;
    case 'email':
      return `email ${who.email}`;
    case 'phone':
      return `phone ${phoneKey(who.phone)}`;
    case 'none':
      return undefined;
  }
}
