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
  if (text.length > sentence.length) return sentence;
  const [whole, part] = [folded(sentence), folded(text)];
  let told = '';
  let from = 0;
  for (let at = whole.indexOf(part); at >= 0; at = whole.indexOf(part, from)) {
    told += `${sentence.slice(from, at)}…`;
    from = at + part.length;
  }
  return told + sentence.slice(from);
}

/** A text in lower case whose places stay where they are, as some letters become two. */
const folded = (text: string): string =>
  Array.from(text, (sign) => (sign.toLowerCase().length === sign.length ? sign.toLowerCase() : sign)).join('');

/** A sentence that was cut may end with the beginning of a value. */
function withoutBeginning(sentence: string, text: string): string {
  if (!sentence.endsWith('…')) return sentence;
  const cut = sentence.slice(0, -1);
  const [whole, end] = [folded(text.slice(0, cut.length)), folded(cut)];
  for (let length = whole.length; length >= SHORTEST; length--) {
    if (end.endsWith(whole.slice(0, length))) return `${cut.slice(0, -length)}…`;
  }
  return sentence;
}
