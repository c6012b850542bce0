/**
 * The operators on arrays of objects. Source: Braze, 'Array of objects': within one request the order is add, remove,
 * update, whatever the order of the keys.
 */
import { areObjects, isArray, isObject, type Json, type JsonObject, mergeDeep, own } from './json.ts';

type Selector = { readonly key: string; readonly value: Json };

export type ObjectsChange = {
  readonly op: 'objects';
  readonly add: readonly JsonObject[];
  readonly remove: readonly Selector[];
  readonly update: readonly (Selector & { readonly object: JsonObject })[];
};

const OPERATORS = ['$add', '$remove', '$update'];

/** Returns the change that `$add`, `$remove` and `$update` make, or undefined when the value is something else. */
export function readObjectsChange(value: JsonObject): ObjectsChange | undefined {
  const keys = Object.keys(value);
  if (keys.length === 0 || !keys.every((key) => OPERATORS.includes(key))) return undefined;
  const list = (key: string): JsonObject[] => {
    const items = own(value, key);
    return isArray(items) && areObjects(items) ? items : [];
  };
  return {
    op: 'objects',
    add: list('$add'),
    remove: list('$remove').flatMap(selectorOf),
    update: list('$update').flatMap((item) => {
      const object = own(item, '$new_object');
      return isObject(object) ? selectorOf(item).map((selector) => ({ ...selector, object })) : [];
    }),
  };
}

/** Returns the array after the change; `merge` makes `$update` merge into the found object instead of replacing it. */
export function changeObjects(before: Json | undefined, change: ObjectsChange, merge: boolean): Json[] {
  const kept = isArray(before) ? before : [];
  return [...kept, ...change.add]
    .filter((item) => !change.remove.some((selector) => selects(selector, item)))
    .map((item) => {
      const update = change.update.find((candidate) => selects(candidate, item));
      if (!update || !isObject(item)) return item;
      return merge ? mergeDeep(item, update.object) : update.object;
    });
}

function selectorOf(item: JsonObject): Selector[] {
  const [key, value] = [own(item, '$identifier_key'), own(item, '$identifier_value')];
  return typeof key === 'string' && value !== undefined ? [{ key, value }] : [];
}

const selects = (selector: Selector, item: Json): boolean =>
  isObject(item) && own(item, selector.key) === selector.value;
