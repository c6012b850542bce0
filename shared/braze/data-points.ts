/** Data points, Braze's unit of billing. Source: Braze, 'Data points'. */
import { isArray, isObject, type JsonValue } from '../values/json.ts';
import { FREE_ATTRIBUTES } from './attributes.ts';

/**
 * Returns the data points that setting these attributes costs: one each, for an object one a key, for an array of
 * objects one a property. Unsetting is counted as one: Braze states it for objects only. Subscription groups and
 * deletions are free.
 */
export function dataPointsOf(attributes: Iterable<readonly [string, JsonValue]>): number {
  let points = 0;
  for (const [name, value] of attributes) if (!FREE_ATTRIBUTES.has(name)) points += pointsOf(value);
  return points;
}

function pointsOf(value: JsonValue): number {
  if (isObject(value)) return Math.max(1, Object.keys(value).length);
  if (!isArray(value) || !value.some(isObject)) return 1;
  return value.reduce<number>(
    (sum, element) => sum + (isObject(element) ? Math.max(1, Object.keys(element).length) : 1),
    0,
  );
}
