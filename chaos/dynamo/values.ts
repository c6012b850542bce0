/** Values as DynamoDB keeps them: copied on the way in and out, refused where DynamoDB has no type for them. */
import { type Item, validation } from './expressions.ts';

/** Source: Amazon DynamoDB Developer Guide, 'Quotas and limits'. */
export const MAX_ITEM_BYTES = 400 * 1024;

/** Returns a deep copy without undefined members. @throws Error for what the SDK cannot marshal or DynamoDB refuses. */
export function copied(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw validation(`the number ${value}`);
    return value;
  }
  if (Array.isArray(value)) return value.map((element) => copied(element ?? null));
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Set) {
    if (value.size === 0) throw validation('an empty set');
    return new Set(value);
  }
  if (typeof value === 'object' && isPlain(value)) {
    const copy: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(value)) if (member !== undefined) copy[name] = copied(member);
    return copy;
  }
  throw validation(`a value of type ${typeof value}`);
}

/** Not by identity: tests run in a realm of their own. */
const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** Returns a copy of an item. */
export function copiedItem(item: Item): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(item)) if (member !== undefined) copy[name] = copied(member);
  return copy;
}

/** Returns about how many bytes a value takes. Source: Amazon DynamoDB Developer Guide, 'DynamoDB item sizes and formats'. */
export function bytesOf(value: unknown): number {
  if (typeof value === 'string') return value.length < 1000 ? value.length : Buffer.byteLength(value);
  if (typeof value === 'number') return 8;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Set || Array.isArray(value)) return [...value].reduce((sum, part) => sum + bytesOf(part) + 1, 3);
  if (value !== null && typeof value === 'object')
    return Object.entries(value).reduce((sum, [name, part]) => sum + name.length + bytesOf(part) + 1, 3);
  return 1;
}
