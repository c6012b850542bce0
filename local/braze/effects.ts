/**
 * What an accepted request does to the profiles, once it takes effect.
 *
 * An effect is data, made when the request is answered; it meets the profiles as they are when it is applied. So a
 * late effect may overwrite a newer one, as in Braze.
 */
import { changeCustom } from './custom-changes.ts';
import { customPoints, standardPoints } from './data-points.ts';
import type { Identifier } from './identifiers.ts';
import { lastUpdated, type Profile, type Profiles } from './profiles.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import type { GroupChange } from './subscription-groups.ts';
import type { Plan } from './user-object.ts';

export type Priority = 'identified' | 'unidentified' | 'most_recently_updated';

export type Effect =
  | { readonly kind: 'update'; readonly plan: Plan }
  | { readonly kind: 'delete'; readonly who: Identifier; readonly prioritization: readonly Priority[] }
  | { readonly kind: 'subscribe'; readonly who: Identifier; readonly change: GroupChange };

/** Applies an effect; returns the data points that it costs. */
export function applyEffect(effect: Effect, profiles: Profiles, settings: BrazeEmulatorSettings, atMs: number): number {
  switch (effect.kind) {
    case 'update':
      return applyPlan(effect.plan, profiles, settings, atMs);
    case 'delete':
      for (const profile of deletable(profiles.matching(effect.who), effect.prioritization)) profiles.remove(profile);
      return 0;
    case 'subscribe':
      for (const profile of profiles.matching(effect.who)) setGroup(profile, effect.change, profiles, atMs);
      return 0;
  }
}

function applyPlan(plan: Plan, profiles: Profiles, settings: BrazeEmulatorSettings, atMs: number): number {
  const profile = profiles.find(plan.who) ?? (plan.updateOnly ? undefined : profiles.create(plan.who, atMs));
  if (!profile) return 0;
  let points = 0;
  for (const [name, value] of plan.standard) {
    // The identifier by which the profile was found is no change of it.
    if (name === plan.who.kind) continue;
    points += standardPoints(name, value, settings);
    profiles.setStandard(profile, name, value);
  }
  for (const [name, change] of plan.custom) {
    const before = profile.custom.get(name);
    points += customPoints(change, before, settings);
    const after = changeCustom(before, change, plan.merge, settings);
    if (after === undefined) profile.custom.delete(name);
    else profile.custom.set(name, after);
  }
  profiles.touch(profile, atMs);
  for (const change of plan.groups) subscribe(profile, change, profiles, atMs);
  return points;
}

/** A group's state follows the email: every profile with the same one changes too. */
function subscribe(profile: Profile, change: GroupChange, profiles: Profiles, atMs: number): void {
  setGroup(profile, change, profiles, atMs);
  const email = profile.attributes.get('email');
  if (typeof email !== 'string') return;
  for (const other of profiles.matching({ kind: 'email', email })) {
    if (other !== profile) setGroup(other, change, profiles, atMs);
  }
}

function setGroup(profile: Profile, change: GroupChange, profiles: Profiles, atMs: number): void {
  profile.groups.set(change.groupId, change.state);
  profiles.touch(profile, atMs);
}

/** Several matches delete nothing, unless the prioritization leaves one. */
function deletable(matches: readonly Profile[], prioritization: readonly Priority[]): readonly Profile[] {
  const wanted = matches.filter((profile) => {
    const kind = profile.externalId === undefined ? 'unidentified' : 'identified';
    const other = kind === 'identified' ? 'unidentified' : 'identified';
    return !prioritization.includes(other) || prioritization.includes(kind);
  });
  if (wanted.length === 1) return wanted;
  const last = prioritization.includes('most_recently_updated') ? lastUpdated(wanted) : undefined;
  return last ? [last] : [];
}
