/**
 * How many data points a change costs. Source: Braze, 'Data points (Legacy)'.
 *
 * Every attribute that is set counts, changed or not. Free: ids, consent, subscription groups, deletion, and whatever
 * is discarded on the way (those changes never come here).
 */
import type { CustomChange } from './custom-changes.ts';
import { areObjects, isArray, isObject, type Json } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';

type PointSettings = Pick<BrazeEmulatorSettings, 'nullCostsPoint'>;

const FREE: ReadonlySet<string> = new Set(['email_subscribe', 'push_subscribe']);

/** Returns the data points of setting a standard attribute, null being its removal. */
export function standardPoints(name: string, value: Json, settings: PointSettings): number {
  if (FREE.has(name)) return 0;
  return value === null && !settings.nullCostsPoint ? 0 : 1;
}

/** Returns the data points of a change to a custom attribute that now has `before`. */
export function customPoints(change: CustomChange, before: Json | undefined, settings: PointSettings): number {
  switch (change.op) {
    case 'keep':
      return 0;
    case 'clear':
      return isObject(before) || settings.nullCostsPoint ? 1 : 0;
    case 'set':
      return valuePoints(change.value);
    case 'increment':
      return 1;
    case 'scalars':
      return change.add.length + change.remove.length;
    case 'objects': {
      const objects = [...change.add, ...change.update.map(({ object }) => object)];
      return change.remove.length + objects.reduce((sum, object) => sum + valuePoints(object), 0);
    }
  }
}

/** An object costs one for each key, an array of objects one for each property, all else one. */
function valuePoints(value: Json): number {
  if (isArray(value)) {
    return value.length > 0 && areObjects(value) ? value.reduce((sum, item) => sum + valuePoints(item), 0) : 1;
  }
  if (!isObject(value)) return 1;
  const points = Object.values(value).reduce<number>(
    (sum, member) => sum + (isObject(member) ? valuePoints(member) : 1),
    0,
  );
  return Math.max(1, points);
}
