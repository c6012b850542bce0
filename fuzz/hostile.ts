/** Texts and JSON as nobody would send them, and what small changes make of those that somebody would. */
import type { JsonValue } from '../shared/values/json.ts';
import type { Random } from './random.ts';

/** Names that collide with what objects have by themselves. */
export const INTERNALS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  'toJSON',
  'then',
  'length',
] as const;

const PIECES = [
  ...INTERNALS,
  '',
  ' ',
  '\0',
  '\n',
  '\r\n',
  '\t',
  "'",
  "''",
  '"',
  '`',
  '\\',
  "\\'",
  "';",
  "'; DROP TABLE customer; --",
  '" OR 1=1 --',
  '/*',
  '*/',
  '--',
  '$$',
  '$1',
  '$&',
  ['$', '{x}'].join(''),
  '%s',
  '{{',
  '&a',
  '*a',
  '<<: *a',
  '!!js/function',
  '- ',
  ': ',
  '#',
  '|',
  '>',
  '{',
  '}',
  '[',
  ']',
  ',',
  '\ud800',
  '\udfff',
  '\udc00\ud800',
  '😀',
  '👩‍👩‍👧‍👦',
  'e\u0301',
  'ß',
  'İ',
  'ſ',
  '\u202e',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\uffff',
  '\u{10ffff}',
  'ann@example.com',
  '2024-02-30',
  '2024-02-29 23:59:59.999999+14',
  '99999-01-01',
  '0000-00-00',
  '1e999',
  '-0',
  '0x10',
  '12345678901234567890.123456789',
  '9007199254740993',
  'NaN',
  'Infinity',
  'true',
  'null',
  '{"a":',
  '[[[[[[',
  '{"$add":[1]}',
  '{"$time":"2024-01-01"}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
] as const;

/** Returns a text: pieces that somewhere mean something, and signs that mean nothing. Seldom a long one. */
export function hostileText(chance: Random): string {
  if (chance.chance(0.003)) return chance.pick(PIECES).repeat(1 + chance.int(5000));
  return chance
    .times(chance.int(5), () => (chance.chance(0.7) ? chance.pick(PIECES) : String.fromCharCode(chance.int(0x10000))))
    .join('');
}

/** Returns any JSON, not very deep. */
export function hostileJson(chance: Random, depth = 3): JsonValue {
  const kind = chance.int(depth > 0 ? 9 : 6);
  if (kind < 3) return hostileText(chance);
  if (kind === 3) return chance.pick([0, -0, 1, -1, 0.1, 1e308, 5e-324, 2 ** 53, -(2 ** 63), 1_700_000_000]);
  if (kind === 4) return chance.chance(0.5);
  if (kind === 5) return null;
  if (kind === 6) return chance.times(chance.int(5), () => hostileJson(chance, depth - 1));
  return Object.fromEntries(chance.times(chance.int(4), () => [hostileText(chance), hostileJson(chance, depth - 1)]));
}

/** Returns JSON with a few of its parts replaced, left out, doubled or added. */
export function changedJson(chance: Random, value: JsonValue, rate = 0.1): JsonValue {
  if (chance.chance(rate / 2)) return hostileJson(chance);
  if (Array.isArray(value)) {
    const items = value.flatMap((item: JsonValue) => {
      if (chance.chance(rate / 4)) return [];
      const changed = changedJson(chance, item, rate);
      return chance.chance(rate / 4) ? [changed, item] : [changed];
    });
    return chance.chance(rate / 4) ? [...items, hostileJson(chance, 1)] : items;
  }
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).flatMap(([key, member]): [string, JsonValue][] => {
      if (chance.chance(rate / 4)) return [];
      return [[chance.chance(rate / 4) ? hostileText(chance) : key, changedJson(chance, member, rate)]];
    });
    if (chance.chance(rate / 2)) members.push([chance.pick(INTERNALS), hostileJson(chance, 2)]);
    return Object.fromEntries(members);
  }
  return chance.chance(rate) ? hostileJson(chance, 1) : value;
}

/** Returns a text with a few of its places cut out, doubled, moved or filled. */
export function changedText(chance: Random, text: string, changes = 1 + chance.int(3)): string {
  let changed = text;
  for (let change = 0; change < changes; change++) {
    const from = chance.int(changed.length + 1);
    const to = Math.min(changed.length, from + chance.int(30));
    const part = changed.slice(from, to);
    const kind = chance.int(5);
    if (kind === 0) changed = changed.slice(0, from) + changed.slice(to);
    else if (kind === 1) changed = changed.slice(0, to) + part + changed.slice(to);
    else if (kind === 2) changed = changed.slice(0, from) + hostileText(chance) + changed.slice(to);
    else if (kind === 3) changed = changed.slice(0, from) + hostileText(chance) + changed.slice(from);
    else changed = changed.slice(0, from);
  }
  return changed;
}
