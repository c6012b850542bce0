/**
 * Checks of arrays and objects, which Braze drops whole, and silently, for one bad part.
 * Source: Braze, 'Nested custom attributes', 'Array of objects' and 'Custom attribute data types'.
 */
import { Invalid } from './converted.ts';
import { isArray, isObject, type JsonValue } from './json.ts';
import { checkedText } from './text.ts';
import { isoTime } from './time-text.ts';

const MAX_ELEMENTS = 500;
const MAX_BYTES = 100_000;
const MAX_KEY_CHARACTERS = 255;
/** As the only keys of an attribute these are commands to Braze (array and number operators), not data. */
const OPERATORS: ReadonlySet<string> = new Set(['add', 'remove', 'inc']);

/** Returns the value when Braze keeps it whole, or why it would not. */
export function checkedNested(value: JsonValue): JsonValue | Invalid {
  const problem = isArray(value) ? arrayProblem(value) : topObjectProblem(value);
  if (problem) return new Invalid(problem);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > MAX_BYTES ? new Invalid(`is larger than 100 KB (${bytes} bytes)`) : value;
}

function arrayProblem(elements: readonly JsonValue[]): string | undefined {
  const objects = elements.filter(isObject).length;
  if (objects > 0 && objects < elements.length) return 'mixes objects with other elements';
  if (elements.some(isArray)) return 'holds an array within an array';
  if (objects === 0 && elements.length > MAX_ELEMENTS) {
    return `has more than ${MAX_ELEMENTS} elements (${elements.length})`;
  }
  return firstProblem(elements.map((element) => memberProblem(element)));
}

function topObjectProblem(value: JsonValue): string | undefined {
  const keys = isObject(value) ? Object.keys(value) : [];
  if (keys.length > 0 && keys.every((key) => OPERATORS.has(key)))
    return `is an object that Braze reads as the command '${keys[0]}'`;
  return memberProblem(value);
}

function memberProblem(value: JsonValue): string | undefined {
  if (value === null) return 'holds a null inside, for which Braze drops the whole attribute';
  if (typeof value === 'string') {
    const text = checkedText(value);
    return text instanceof Invalid ? `holds a text that ${text.reason}` : undefined;
  }
  if (typeof value !== 'object') return undefined;
  if (isArray(value)) return firstProblem(value.map(memberProblem));
  const time = nestedTime(value);
  if (time !== undefined) return time === 'valid' ? undefined : time;
  return firstProblem(Object.entries(value).map(([key, member]) => keyProblem(key) ?? memberProblem(member)));
}

/** `{"$time": "…"}` is how a time is written inside an object; all other keys with a $ are commands. */
function nestedTime(value: { readonly [key: string]: JsonValue }): string | undefined {
  const time = value.$time;
  if (time === undefined || Object.keys(value).length !== 1) return undefined;
  const read = typeof time === 'string' ? isoTime(time) : new Invalid('is no text');
  return read instanceof Invalid ? `holds a $time that ${read.reason}` : 'valid';
}

function keyProblem(key: string): string | undefined {
  const text = checkedText(key, MAX_KEY_CHARACTERS);
  if (key === '' || text instanceof Invalid)
    return `holds a key that ${text instanceof Invalid ? text.reason : 'is empty'}`;
  return /[.$\s]/.test(key) ? 'holds a key with a dot, a dollar sign or a space' : undefined;
}

const firstProblem = (problems: readonly (string | undefined)[]): string | undefined =>
  problems.find((problem) => problem !== undefined);
