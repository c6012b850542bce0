/**
 * The content of a parameter file with the place of every part, so that a mistake is reported where it was written,
 * also when files extend one another.
 *
 * Keys are kept in a Map and never become properties of an object before `__proto__` has been refused.
 */
import type { Path, Place, Segment } from './problems.ts';

export type Scalar = string | number | boolean | null;
export type Entry = { readonly keyAt: Place; readonly value: Tree };
export type MapTree = { readonly kind: 'map'; readonly at: Place; readonly entries: ReadonlyMap<string, Entry> };
export type Tree =
  | MapTree
  | { readonly kind: 'list'; readonly at: Place; readonly items: readonly Tree[] }
  | { readonly kind: 'scalar'; readonly at: Place; readonly value: Scalar };

/** Values laid over a file by code. */
export type Json = Scalar | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Keys that would reach an object's prototype instead of the object. */
export const isForbiddenKey = (key: string): boolean => key === '__proto__';

/** Returns plain objects, lists and values. */
export function plainOf(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plainOf);
  return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plainOf(value)]));
}

/** Returns the tree of a plain value whose parts all have one place. Keys without a value are left out. */
export function treeOf(value: Json, at: Place): Tree {
  if (isList(value)) return { kind: 'list', at, items: value.map((item) => treeOf(item, at)) };
  if (typeof value !== 'object' || value === null) return { kind: 'scalar', at, value };
  const entries = new Map<string, Entry>();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined && !isForbiddenKey(key)) entries.set(key, { keyAt: at, value: treeOf(item, at) });
  }
  return { kind: 'map', at, entries };
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** A rule is one statement: a file that extends another replaces it whole instead of mixing two. */
const isReplacedWhole = (path: Path): boolean => path.length === 4 && path[0] === 'models' && path[2] === 'groups';

/** Returns `near` laid over `base`: maps are merged key by key, everything else is replaced. */
export function merged(base: Tree, near: Tree, path: Path = []): Tree {
  if (base.kind !== 'map' || near.kind !== 'map' || isReplacedWhole(path)) return near;
  const entries = new Map(base.entries);
  for (const [key, entry] of near.entries) {
    const below = entries.get(key);
    entries.set(key, below ? { keyAt: entry.keyAt, value: merged(below.value, entry.value, [...path, key]) } : entry);
  }
  return { kind: 'map', at: near.at, entries };
}

/** Returns where a part is written; of a part that is missing, where the part around it begins. */
export function placeOf(tree: Tree, path: Path, on: 'key' | 'value' = 'value'): Place {
  let place = tree.at;
  let node: Tree | undefined = tree;
  for (const [depth, segment] of path.entries()) {
    const step: { keyAt: Place; value: Tree } | undefined = node && child(node, segment);
    if (step === undefined) return place;
    node = step.value;
    const isShownByKey = (on === 'key' && depth === path.length - 1) || node.kind !== 'scalar';
    place = isShownByKey ? step.keyAt : node.at;
  }
  return place;
}

function child(tree: Tree, segment: Segment): Entry | undefined {
  if (tree.kind === 'map' && typeof segment === 'string') return tree.entries.get(segment);
  if (tree.kind === 'list' && typeof segment === 'number') {
    const value = tree.items[segment];
    return value && { keyAt: value.at, value };
  }
  return undefined;
}
