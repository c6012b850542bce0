/**
 * JSON values as the emulator handles them: guards, sizes and merging.
 *
 * Invariant: keys are data. An own `__proto__` or `constructor` of a request is read and copied as any other key and
 * never reaches a prototype; hence `own` for every read by name and `Object.fromEntries` for every copy.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** True for a JSON object, false for arrays and null. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** True for a JSON array. */
export const isArray = (value: Json | undefined): value is Json[] => Array.isArray(value);

/** True when every element is an object; also for no elements. */
export const areObjects = (values: readonly Json[]): values is JsonObject[] => values.every(isObject);

/** True when every element is a string; also for no elements. */
export const areStrings = (values: readonly Json[]): values is string[] =>
  values.every((value) => typeof value === 'string');

/** Returns the object's own member, or undefined; never anything inherited. */
export const own = (object: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** Returns a deep copy. */
export function copy<T extends Json>(value: T): T;
export function copy(value: Json): Json {
  if (isArray(value)) return value.map((item) => copy(item));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copy(member)]));
}

/** Returns the size of the value as JSON text, in UTF-8 bytes. */
export const jsonBytes = (value: Json): number => Buffer.byteLength(JSON.stringify(value));

/** Returns the number of characters (code points, so that an emoji is one). */
export const countCharacters = (text: string): number => [...text].length;

/** Returns `base` with `patch` merged into it at every depth; arrays and scalars are replaced. Changes neither. */
export function mergeDeep(base: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    const before = merged.get(key);
    merged.set(key, isObject(before) && isObject(value) ? mergeDeep(before, value) : value);
  }
  return Object.fromEntries(merged);
}

/** Returns the values without repetition; of equal ones the last keeps its place. */
export const uniqueLast = (values: readonly Json[]): Json[] => [...new Set([...values].reverse())].reverse();
