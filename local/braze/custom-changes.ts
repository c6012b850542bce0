/** What a checked value does to a custom attribute that may already have one. */
import { changeObjects, type ObjectsChange } from './array-of-objects.ts';
import { isArray, isObject, type Json, jsonBytes, mergeDeep, uniqueLast } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';

export type CustomChange =
  | { readonly op: 'set'; readonly value: Json }
  | { readonly op: 'clear' }
  | { readonly op: 'keep' }
  | { readonly op: 'increment'; readonly by: number }
  | { readonly op: 'scalars'; readonly add: readonly Json[]; readonly remove: readonly Json[] }
  | ObjectsChange;

/**
 * Returns the attribute's value after the change, undefined when it has none. `merge` is the user object's
 * `_merge_objects`. What would grow over the limit of an object or array stays as it was.
 */
export function changeCustom(
  before: Json | undefined,
  change: CustomChange,
  merge: boolean,
  settings: Pick<BrazeEmulatorSettings, 'maxArrayLength' | 'maxValueBytes'>,
): Json | undefined {
  const after = valueAfter(before, change, merge, settings.maxArrayLength);
  const isTooLarge = typeof after === 'object' && after !== null && jsonBytes(after) > settings.maxValueBytes;
  return isTooLarge ? before : after;
}

function valueAfter(
  before: Json | undefined,
  change: CustomChange,
  merge: boolean,
  maxArrayLength: number,
): Json | undefined {
  switch (change.op) {
    case 'keep':
      return before;
    case 'clear':
      return undefined;
    case 'set':
      return merge && isObject(before) && isObject(change.value) ? mergeDeep(before, change.value) : change.value;
    case 'increment':
      return typeof before === 'number' || before === undefined ? (before ?? 0) + change.by : before;
    case 'scalars': {
      const kept = isArray(before) ? before : [];
      const all = uniqueLast([...kept, ...change.add]).filter((value) => !change.remove.includes(value));
      return all.slice(-maxArrayLength);
    }
    case 'objects':
      return changeObjects(before, change, merge);
  }
}
