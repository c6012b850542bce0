/**
 * Takes what was sent out of what Braze says about it. Braze quotes what it refuses, at times cut off, in another case or
 * escaped; its sentences are kept and shown, so they must not hold a value.
 */
import { isObject, type JsonValue } from '../values/json.ts';

/** Shorter ones are parts of words. */
const SHORTEST = 3;

/** Returns the sentence with `…` in place of each of the texts, in any case, escaped or not, and cut off at its end. */
export function withoutTexts(sentence: string, texts: Iterable<string>): string {
  const known = [...new Set([...texts].flatMap(spellings))]
    .filter((text) => text.length >= SHORTEST)
    .sort((one, other) => other.length - one.length);
  return known.reduce((text, value) => withoutBeginning(withoutText(text, value), value), sentence);
}

/** Returns the texts and numbers of a value, keys of objects too, however deep. */
export function textsIn(value: JsonValue): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  if (value === null || typeof value !== 'object') return [];
  const keys = Array.isArray(value) ? [] : Object.keys(value);
  return [...keys, ...Object.values(value).flatMap(textsIn)];
}

/** Returns the texts of the users in a request's body; the names of their attributes are no secret. */
export function textsSent(body: string): string[] {
  const request: JsonValue = JSON.parse(body);
  const users = typeof request === 'object' && request !== null ? Object.values(request).flat() : [];
  return users.flatMap((user) => (isObject(user) ? Object.values(user).flatMap(textsIn) : textsIn(user)));
}

/** A text as it is, and as JSON would write it. */
const spellings = (text: string): string[] => [text, JSON.stringify(text).slice(1, -1)];

function withoutText(sentence: string, text: string): string {
  if (text.length > 2 * sentence.length) return sentence;
  const exact = sentence.replaceAll(text, '…');
  return exact.replace(new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'giu'), '…');
}

/** A sentence that was cut may end with the beginning of a value. */
function withoutBeginning(sentence: string, text: string): string {
  if (!sentence.endsWith('…')) return sentence;
  const cut = sentence.slice(0, -1);
  const whole = text.slice(0, cut.length).toLowerCase();
  for (let length = whole.length; length >= SHORTEST; length--) {
    if (cut.slice(-length).toLowerCase() === whole.slice(0, length)) return `${cut.slice(0, -length)}…`;
  }
  return sentence;
}
