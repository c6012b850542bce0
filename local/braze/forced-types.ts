/** A custom attribute whose type an administrator forced. Source: Braze, 'Manage custom data'. */
import { readTime } from './dates.ts';
import { isArray, type Json } from './json.ts';
import type { ForcedType } from './settings.ts';

const BOOLEAN_BY_TEXT: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['t', true],
  ['0', false],
  ['false', false],
  ['f', false],
]);

/** Returns the value in the forced type, or undefined when it cannot be had: Braze then ignores it. */
export function coerce(value: Json, type: ForcedType): Json | undefined {
  if (type === 'array') return isArray(value) ? value : undefined;
  if (value === null || typeof value === 'object') return undefined;
  if (type === 'string') return String(value);
  if (type === 'boolean') return BOOLEAN_BY_TEXT.get(String(value).toLowerCase());
  if (type === 'time') return typeof value === 'string' ? readTime(value) : undefined;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
