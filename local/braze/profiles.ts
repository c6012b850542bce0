/**
 * The profiles of the workspace, in memory, found by any identifier.
 *
 * Invariant: the indexes by id, alias, email and phone agree with the profiles; so attributes change only through
 * `setStandard`. Several profiles may share an email or a phone, as in Braze. Order is that of creation.
 */
import type { Identifier } from './identifiers.ts';
import { copy, type Json } from './json.ts';
import { phoneKey } from './standard-attributes.ts';
import type { GroupState } from './subscription-groups.ts';

export type Alias = { alias_name: string; alias_label: string };

export type Profile = {
  readonly brazeId: string;
  readonly externalId?: string;
  readonly aliases: readonly Alias[];
  readonly attributes: Map<string, Json>;
  readonly custom: Map<string, Json>;
  readonly groups: Map<string, GroupState>;
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** Breaks ties of `updatedAtMs`: later updates have higher numbers. */
  updateNumber: number;
};

/** A profile as tests and exports see it: a copy. Times are ISO 8601. */
export type BrazeUser = {
  brazeId: string;
  externalId?: string;
  aliases: Alias[];
  attributes: Record<string, Json>;
  customAttributes: Record<string, Json>;
  subscriptionGroups: Record<string, GroupState>;
  createdAt: string;
  updatedAt: string;
};

export type Profiles = {
  all(): Iterable<Profile>;
  /** Returns whom Braze would take: by email or phone the last updated with an external_id, else the last updated. */
  find(who: Identifier): Profile | undefined;
  /** Returns every profile that the identifier fits, in order of creation. */
  matching(who: Identifier): Profile[];
  /** Makes the profile that the identifier describes; undefined where none can be made (an unknown braze_id). */
  create(who: Identifier, atMs: number): Profile | undefined;
  /** Adds a profile as it is, in place of one with the same external_id or braze_id. */
  put(user: Partial<BrazeUser>, atMs: number): void;
  setStandard(profile: Profile, name: string, value: Json): void;
  touch(profile: Profile, atMs: number): void;
  remove(profile: Profile): void;
  clear(): void;
};

/** Makes an empty workspace. */
export function createProfiles(): Profiles {
  const byBrazeId = new Map<string, Profile>();
  const byExternalId = new Map<string, Profile>();
  const byAlias = new Map<string, Profile>();
  const byEmail = new Map<string, Set<Profile>>();
  const byPhone = new Map<string, Set<Profile>>();
  let updates = 0;
  let created = 0;

  const matching = (who: Identifier): Profile[] => {
    switch (who.kind) {
      case 'external_id':
        return present(byExternalId.get(who.externalId));
      case 'braze_id':
        return present(byBrazeId.get(who.brazeId));
      case 'user_alias':
        return present(byAlias.get(aliasKey(who.label, who.name)));
      case 'email':
        return [...(byEmail.get(who.email) ?? [])];
      case 'phone':
        return [...(byPhone.get(phoneKey(who.phone)) ?? [])];
      case 'none':
        return [];
    }
  };

  const index = (profile: Profile, name: string, change: 'add' | 'delete'): void => {
    const value = profile.attributes.get(name);
    if (typeof value !== 'string') return;
    if (name === 'email') changeSet(byEmail, value, profile, change);
    if (name === 'phone') changeSet(byPhone, phoneKey(value), profile, change);
  };

  const setStandard = (profile: Profile, name: string, value: Json): void => {
    index(profile, name, 'delete');
    if (value === null) profile.attributes.delete(name);
    else profile.attributes.set(name, value);
    index(profile, name, 'add');
  };

  const remove = (profile: Profile): void => {
    byBrazeId.delete(profile.brazeId);
    if (profile.externalId !== undefined) byExternalId.delete(profile.externalId);
    for (const alias of profile.aliases) byAlias.delete(aliasKey(alias.alias_label, alias.alias_name));
    for (const name of ['email', 'phone']) index(profile, name, 'delete');
  };

  const add = (profile: Profile): Profile => {
    byBrazeId.set(profile.brazeId, profile);
    if (profile.externalId !== undefined) byExternalId.set(profile.externalId, profile);
    for (const alias of profile.aliases) byAlias.set(aliasKey(alias.alias_label, alias.alias_name), profile);
    for (const name of ['email', 'phone']) index(profile, name, 'add');
    return profile;
  };

  const newBrazeId = (): string => {
    let brazeId: string;
    do {
      created += 1;
      brazeId = created.toString(16).padStart(24, '0');
    } while (byBrazeId.has(brazeId));
    return brazeId;
  };

  const put = (user: Partial<BrazeUser>, atMs: number): void => {
    const before = [
      ...present(user.brazeId === undefined ? undefined : byBrazeId.get(user.brazeId)),
      ...present(user.externalId === undefined ? undefined : byExternalId.get(user.externalId)),
    ];
    for (const profile of before) remove(profile);
    updates += 1;
    add({
      brazeId: user.brazeId ?? before[0]?.brazeId ?? newBrazeId(),
      ...(user.externalId === undefined ? {} : { externalId: user.externalId }),
      aliases: copy(user.aliases ?? []),
      attributes: new Map(Object.entries(copy(user.attributes ?? {}))),
      custom: new Map(Object.entries(copy(user.customAttributes ?? {}))),
      groups: new Map(Object.entries(user.subscriptionGroups ?? {})),
      createdAtMs: user.createdAt === undefined ? atMs : Date.parse(user.createdAt),
      updatedAtMs: user.updatedAt === undefined ? atMs : Date.parse(user.updatedAt),
      updateNumber: updates,
    });
  };

  return {
    all: () => byBrazeId.values(),
    matching,
    find: (who) => lastUpdated(matching(who)),
    create: (who, atMs) => {
      if (who.kind === 'braze_id' || who.kind === 'none') return undefined;
      const profile = add({
        brazeId: newBrazeId(),
        ...(who.kind === 'external_id' ? { externalId: who.externalId } : {}),
        aliases: who.kind === 'user_alias' ? [{ alias_name: who.name, alias_label: who.label }] : [],
        attributes: new Map(),
        custom: new Map(),
        groups: new Map(),
        createdAtMs: atMs,
        updatedAtMs: atMs,
        updateNumber: 0,
      });
      if (who.kind === 'email') setStandard(profile, 'email', who.email);
      if (who.kind === 'phone') setStandard(profile, 'phone', who.phone);
      return profile;
    },
    put,
    setStandard,
    touch: (profile, atMs) => {
      updates += 1;
      profile.updatedAtMs = atMs;
      profile.updateNumber = updates;
    },
    remove,
    clear: () => {
      for (const indexed of [byBrazeId, byExternalId, byAlias, byEmail, byPhone]) indexed.clear();
      created = 0;
      updates = 0;
    },
  };
}

/** Returns a deep copy of a profile. */
export const userOf = (profile: Profile): BrazeUser => ({
  brazeId: profile.brazeId,
  ...(profile.externalId === undefined ? {} : { externalId: profile.externalId }),
  aliases: profile.aliases.map((alias) => ({ ...alias })),
  attributes: copy(Object.fromEntries(profile.attributes)),
  customAttributes: copy(Object.fromEntries(profile.custom)),
  subscriptionGroups: Object.fromEntries(profile.groups),
  createdAt: new Date(profile.createdAtMs).toISOString(),
  updatedAt: new Date(profile.updatedAtMs).toISOString(),
});

/** Returns the profile updated last, one with an external_id before any without. */
export function lastUpdated(profiles: readonly Profile[]): Profile | undefined {
  const identified = profiles.filter((profile) => profile.externalId !== undefined);
  const candidates = identified.length > 0 ? identified : profiles;
  return candidates.reduce<Profile | undefined>(
    (last, next) => (last && !isLater(next, last) ? last : next),
    undefined,
  );
}

function isLater(a: Profile, b: Profile): boolean {
  return a.updatedAtMs === b.updatedAtMs ? a.updateNumber > b.updateNumber : a.updatedAtMs > b.updatedAtMs;
}

const present = (profile: Profile | undefined): Profile[] => (profile ? [profile] : []);

const aliasKey = (label: string, name: string): string => JSON.stringify([label, name]);

function changeSet(index: Map<string, Set<Profile>>, key: string, profile: Profile, change: 'add' | 'delete'): void {
  const profiles = index.get(key) ?? new Set();
  profiles[change](profile);
  if (profiles.size === 0) index.delete(key);
  else index.set(key, profiles);
}
