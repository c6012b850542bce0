/**
 * The checks of custom attributes. Sources: Braze, 'Custom attribute data
 * types', 'Nested custom attributes', 'Array of objects'.
 *
 * A check looks at the value alone and yields a change; the change is applied later, to whatever is stored then. One
 * bad part inside an object or an array loses the whole attribute's update, as in Braze.
 */
import { readObjectsChange } from './array-of-objects.ts';
import type { CustomChange } from './custom-changes.ts';
import { readTime } from './dates.ts';
import { coerce } from './forced-types.ts';
import { areObjects, isArray, isObject, type Json, type JsonObject, jsonBytes, own, uniqueLast } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { isShort, MAX_CHARACTERS, readString } from './strings.ts';
import { every, lost, replaced, show, stored, type Verdict } from './verdicts.ts';

/** Returns the change that a custom attribute's value makes; `stored` says only that Braze takes it. */
export function checkCustom(name: string, value: Json, settings: BrazeEmulatorSettings): Verdict<CustomChange> {
  if (name === '' || !isShort(name)) {
    return lost(40, `the name ${show(name)} does not have 1 to ${MAX_CHARACTERS} characters`);
  }
  if (value === null) return stored({ op: 'clear' });
  if (isObject(value)) {
    const change = readOperator(value);
    if (change) return replaced(46, `${show(name)} is sent with an operator instead of its whole value`, change);
  }
  const read = readValue(value, settings);
  if (read.kind === 'stored') return setForced(name, read.value, settings);
  if (read.kind === 'refused' || read.instead === undefined) return withName(name, read);
  return replaced(read.reason.rule, `${show(name)}: ${read.reason.text}`, { op: 'set', value: read.instead });
}

const withName = (name: string, verdict: Exclude<Verdict<Json>, { kind: 'stored' }>): Verdict<never> => ({
  kind: verdict.kind,
  reason: { ...verdict.reason, text: `${show(name)}: ${verdict.reason.text}` },
});

function setForced(name: string, value: Json, settings: BrazeEmulatorSettings): Verdict<CustomChange> {
  const type = Object.hasOwn(settings.forcedTypes, name) ? settings.forcedTypes[name] : undefined;
  const coerced = type === undefined ? value : coerce(value, type);
  // A mismatch is ignored with success, in strict mode too: the type is the workspace's, no client can know it.
  return stored(coerced === undefined ? { op: 'keep' } : { op: 'set', value: coerced });
}

function readValue(value: Json, settings: BrazeEmulatorSettings): Verdict<Json> {
  if (typeof value === 'string') return asTime(readString(value, settings));
  if (typeof value === 'number') return readNumber(value, settings);
  if (typeof value === 'boolean' || value === null) return stored(value);
  if (isArray(value)) return within(settings, readArray(value, settings));
  return within(settings, readNested(value, settings));
}

function asTime(verdict: Verdict<string>): Verdict<Json> {
  return verdict.kind === 'stored' ? stored(readTime(verdict.value) ?? verdict.value) : verdict;
}

function readNumber(value: number, settings: BrazeEmulatorSettings): Verdict<number> {
  if (!Number.isFinite(value)) return lost(44, 'a number beyond the range of a double');
  const isLost = settings.largeIntegers === 'finding' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isLost ? replaced(44, `${value} is an integer beyond 2^53-1`, value) : stored(value);
}

function readArray(values: readonly Json[], settings: BrazeEmulatorSettings): Verdict<Json> {
  if (values.length > 0 && areObjects(values)) return every(values.map((value) => readNested(value, settings)));
  if (!values.every(isScalar)) return lost(44, 'an array holds either scalars or objects, no null and no array');
  const read = every(values.map((value) => readNested(value, settings)));
  return read.kind === 'stored' ? stored(uniqueLast(read.value).slice(0, settings.maxArrayLength)) : read;
}

const isScalar = (value: Json): boolean => ['string', 'number', 'boolean'].includes(typeof value);

function within(settings: BrazeEmulatorSettings, verdict: Verdict<Json>): Verdict<Json> {
  if (verdict.kind !== 'stored' || jsonBytes(verdict.value) <= settings.maxValueBytes) return verdict;
  return lost(44, `${jsonBytes(verdict.value)} bytes, ${settings.maxValueBytes} are allowed`);
}

/** Returns a value inside an object or array as it is stored: `$time` becomes the time that it names. */
function readNested(value: Json, settings: BrazeEmulatorSettings): Verdict<Json> {
  if (value === null) return lost(44, 'null inside an object or array');
  if (typeof value === 'string') return readString(value, settings);
  if (typeof value === 'number') return readNumber(value, settings);
  if (typeof value === 'boolean') return stored(value);
  if (isArray(value)) return readArray(value, settings);
  return Object.hasOwn(value, '$time') ? readNestedTime(value) : readMembers(value, settings);
}

function readNestedTime(value: JsonObject): Verdict<Json> {
  const text = own(value, '$time');
  const time = typeof text === 'string' && Object.keys(value).length === 1 ? readTime(text) : undefined;
  return time === undefined ? lost(44, `${show(value)} is no time`) : stored(time);
}

function readMembers(object: JsonObject, settings: BrazeEmulatorSettings): Verdict<Json> {
  const entries: [string, Json][] = [];
  for (const [key, value] of Object.entries(object)) {
    if (key === '' || !isShort(key)) {
      return lost(40, `the key ${show(key)} does not have 1 to ${MAX_CHARACTERS} characters`);
    }
    if (/[\s.$]/.test(key)) return lost(40, `the key ${show(key)} contains a space, a dot or $`);
    const member = readNested(value, settings);
    if (member.kind !== 'stored') return withName(key, member);
    entries.push([key, member.value]);
  }
  return stored(Object.fromEntries(entries));
}

function readOperator(value: JsonObject): CustomChange | undefined {
  const [by, add, remove] = [own(value, 'inc'), own(value, 'add'), own(value, 'remove')];
  const keys = Object.keys(value);
  if (keys.length === 1 && typeof by === 'number') return { op: 'increment', by: Number.isInteger(by) ? by : 0 };
  const isLists = keys.length > 0 && keys.every((key) => ['add', 'remove'].includes(key) && isArray(own(value, key)));
  if (isLists) return { op: 'scalars', add: isArray(add) ? add : [], remove: isArray(remove) ? remove : [] };
  return readObjectsChange(value);
}
