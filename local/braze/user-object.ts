/**
 * An object of `attributes` in /users/track: refused as a whole, or a plan of what it changes.
 *
 * Making a plan reads no profile: Braze answers before it applies anything.
 */
import { RESERVED_KEYS } from '../../shared/braze/attributes.ts';
import { checkCustom } from './custom-attributes.ts';
import type { CustomChange } from './custom-changes.ts';
import { type Identifier, readIdentifier } from './identifiers.ts';
import { areObjects, isArray, type Json, type JsonObject, own } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { checkNullConsent, checkStandard, standardNames } from './standard-attributes.ts';
import { type GroupChange, readGroups } from './subscription-groups.ts';
import { lost, type Reason, refused, show, type Verdict } from './verdicts.ts';

export type Plan = {
  readonly who: Identifier;
  readonly updateOnly: boolean;
  readonly merge: boolean;
  /** Null removes. */
  readonly standard: readonly (readonly [name: string, value: Json])[];
  readonly custom: readonly (readonly [name: string, change: CustomChange])[];
  readonly groups: readonly GroupChange[];
};

export type ObjectResult = { kind: 'accepted'; plan: Plan } | { kind: 'refused'; reason: Reason; isFinding: boolean };

type Refuse = { kind: 'refused'; reason: Reason; isFinding: boolean };
type Parts = {
  standard: [string, Json][];
  custom: [string, CustomChange][];
  groups: GroupChange[];
};

const CONTROL_KEYS: ReadonlySet<string> = new Set([
  'external_id',
  'user_alias',
  'braze_id',
  '_update_existing_only',
  '_merge_objects',
  'push_token_import',
]);
const RESERVED: ReadonlySet<string> = new Set<string>(RESERVED_KEYS);
const DEVICE_ID_BYTES = { min: 8, max: 255 };

/** Returns the plan of an attributes object, or why Braze (or strict mode: `isFinding`) refuses all of it. */
export function readUserObject(object: JsonObject, settings: BrazeEmulatorSettings): ObjectResult {
  const who = settle(readIdentifier(object, settings), settings);
  if (who.kind === 'refused') return who;
  if (who.kind === 'none') return { kind: 'accepted', plan: emptyPlan({ kind: 'none' }) };

  const flags = settings.strict ? flagFault(object) : undefined;
  if (flags) return { kind: 'refused', reason: flags, isFinding: true };

  const parts: Parts = { standard: [], custom: [], groups: [] };
  for (const [name, value] of Object.entries(object)) {
    const refusal = readMember(name, value, parts, settings);
    if (refusal) return refusal;
  }
  const updateOnly = own(object, '_update_existing_only');
  const plan = {
    ...parts,
    who: who.value,
    // Update-only is the default for aliases alone.
    updateOnly: who.value.kind === 'user_alias' ? updateOnly !== false : updateOnly === true,
    merge: own(object, '_merge_objects') === true,
  };
  return { kind: 'accepted', plan };
}

/** Returns whom an event or purchase speaks of, as a plan that changes nothing. */
export function readActivity(object: JsonObject, settings: BrazeEmulatorSettings): ObjectResult {
  const who = settle(readIdentifier(object, settings), settings);
  if (who.kind === 'refused') return who;
  return { kind: 'accepted', plan: emptyPlan(who.kind === 'value' ? who.value : { kind: 'none' }) };
}

const emptyPlan = (who: Identifier): Plan => ({
  who,
  updateOnly: true,
  merge: false,
  standard: [],
  custom: [],
  groups: [],
});

function readMember(name: string, value: Json, parts: Parts, settings: BrazeEmulatorSettings): Refuse | undefined {
  if (CONTROL_KEYS.has(name) || settings.blockedAttributes.includes(name)) return undefined;
  if (name === 'email_subscription_info') return take(refused(21, name, 'INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO'));
  if (name === 'push_tokens') return take(pushTokensFault(value));
  if (name === 'subscription_groups') {
    if (value === null) return take(checkNullConsent(name, settings));
    return take(readGroups(value, settings), (groups) => parts.groups.push(...groups));
  }
  if (standardNames.has(name)) {
    return take(checkStandard(name, value, settings), (kept) => parts.standard.push([name, kept]));
  }
  const verdict = isMisspelt(name) && settings.strict ? misspelt(name) : checkCustom(name, value, settings);
  return take(verdict, (change) => parts.custom.push([name, change]));

  function take<T>(verdict: Verdict<T> | undefined, keep?: (kept: T) => void): Refuse | undefined {
    const settled = verdict && settle(verdict, settings);
    if (settled?.kind === 'refused') return settled;
    if (settled?.kind === 'value') keep?.(settled.value);
    return undefined;
  }
}

const misspelt = (name: string): Verdict<never> =>
  lost(36, `${show(name)} becomes a custom attribute; the standard one is ${show(name.toLowerCase())}`);

const isMisspelt = (name: string): boolean => {
  const lower = name.toLowerCase();
  return lower !== name && (standardNames.has(lower) || RESERVED.has(lower));
};

function flagFault(object: JsonObject): Reason | undefined {
  for (const [name, rule] of [
    ['_update_existing_only', 30],
    ['_merge_objects', 45],
  ] as const) {
    const value = own(object, name);
    if (value !== undefined && typeof value !== 'boolean') {
      return { rule, text: `${name} is a boolean, not ${show(value)}` };
    }
  }
  return undefined;
}

function pushTokensFault(tokens: Json): Verdict<never> | undefined {
  if (!isArray(tokens) || !areObjects(tokens))
    return refused(21, 'push_tokens is an array of objects', 'BAD_PUSH_TOKEN');
  for (const token of tokens) {
    const isToken = [own(token, 'app_id'), own(token, 'token')].every(
      (part) => typeof part === 'string' && part !== '',
    );
    if (!isToken) return refused(21, 'a push token has app_id and token', 'BAD_PUSH_TOKEN');
    const deviceId = own(token, 'device_id');
    const bytes = typeof deviceId === 'string' ? Buffer.byteLength(deviceId) : 0;
    if (deviceId !== undefined && (bytes < DEVICE_ID_BYTES.min || bytes > DEVICE_ID_BYTES.max)) {
      return refused(21, `device_id has ${bytes} bytes, 8 to 255 are allowed`, 'BAD_DEVICE_ID');
    }
  }
  return undefined;
}

type Settled<T> = { kind: 'value'; value: T } | { kind: 'none' } | Refuse;

function settle<T>(verdict: Verdict<T>, settings: BrazeEmulatorSettings): Settled<T> {
  if (verdict.kind === 'stored') return { kind: 'value', value: verdict.value };
  if (verdict.kind === 'refused') return { kind: 'refused', reason: verdict.reason, isFinding: false };
  if (settings.strict) return { kind: 'refused', reason: verdict.reason, isFinding: true };
  return verdict.instead === undefined ? { kind: 'none' } : { kind: 'value', value: verdict.instead };
}
