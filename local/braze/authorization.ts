/** Keys and what they may do. Source: Braze, 'API overview' and 'API errors and responses'. */
import type { BrazeEmulatorSettings } from './settings.ts';

export const PERMISSIONS = [
  'users.track',
  'users.track.bulk',
  'users.track.sync',
  'users.delete',
  'users.export.ids',
  'subscription.status.set',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** A key without `permissions` has all of them. */
export type Key = { readonly key: string; readonly permissions?: readonly Permission[] };

export type Authorization = { readonly status: 200 | 401 | 403; readonly message: string };

export type Keys = { readonly keys: readonly Key[]; readonly acceptAnyKey: boolean };

/** Returns 200, or the status and message of the refusal; a 401's message may contain the presented key. */
export function authorize(
  header: string | undefined,
  permission: Permission | undefined,
  { keys, acceptAnyKey }: Keys,
  settings: Pick<BrazeEmulatorSettings, 'echoKeyOn401' | 'missingPermissionStatus'>,
): Authorization {
  const presented = presentedKey(header);
  const unauthorized: Authorization = {
    status: 401,
    message: settings.echoKeyOn401 && presented ? `Invalid API key: ${presented}` : 'Invalid API key',
  };
  const bearer = /^Bearer ([^\s"']+)$/.exec(header ?? '')?.[1];
  if (bearer === undefined) return unauthorized;
  const known = keys.find(({ key }) => key === bearer);
  if (!known && !acceptAnyKey) return unauthorized;
  if (!permission || (known?.permissions ?? PERMISSIONS).includes(permission)) return { status: 200, message: '' };
  return settings.missingPermissionStatus === 403 ? { status: 403, message: 'Access Denied' } : unauthorized;
}

/** Returns what stands in for a key in the Authorization header, however malformed; undefined for nothing. */
export const presentedKey = (header: string | undefined): string | undefined => {
  const key = header?.replace(/^Bearer\b/i, '').replaceAll(/["'\s]/g, '');
  return key === '' ? undefined : key;
};
