/**
 * JSON values and their canonical text.
 *
 * The canonical text decides whether a field has changed, so it depends on nothing but the value: keys are sorted, and
 * numbers are written the shortest exact way. Its form is versioned by the fingerprint (shared/ledger/fingerprint.ts).
 */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Nested deeper than this, a value is refused instead of risking the stack. */
export const MAX_DEPTH = 100;

/** Returns the canonical text of a value: JSON with the keys of every object in code unit order. */
export function canonicalText(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalText(value[key] ?? null)}`);
  return `{${members.join(',')}}`;
}

const isArray: (value: JsonValue) => value is readonly JsonValue[] = Array.isArray;

/** True for an object, as apart from an array, a scalar or null. */
export const isObject = (value: JsonValue): value is { readonly [key: string]: JsonValue } =>
  value !== null && typeof value === 'object' && !isArray(value);

/** True for an array. */
export { isArray };

/**
 * Returns the number that a decimal text says, or undefined when the text is no number or a JSON number would not keep
 * all of its digits (integers beyond 2^53, decimals of more than about 16 digits).
 */
export function exactNumber(text: string): number | undefined {
  const said = significant(text);
  if (said === undefined) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) return undefined;
  if (significant(String(number)) !== said) return undefined;
  return number === 0 ? 0 : number;
}

/** True when the text is a decimal number, whether or not a JSON number keeps its digits. */
export const isDecimal = (text: string): boolean => significant(text) !== undefined;

/** A decimal text as sign, significant digits and power of ten: equal for equal numbers, whatever their notation. */
function significant(text: string): string | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const power = Number(exponent) - fraction.length + (digits.length - kept.length);
  return `${sign === '-' ? '-' : ''}${kept}e${power}`;
}

/** The result of reading a JSON text: a value, or why there is none. */
export type JsonReading = { readonly value: JsonValue } | { readonly problem: string };

/** Reads a JSON text. A number that would lose digits is a problem, not a rounded number; so is nesting beyond MAX_DEPTH. */
export function readJson(text: string): JsonReading {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'is no valid JSON' };
  }
  if (!withinDepth(value, MAX_DEPTH)) return { problem: `is nested more than ${MAX_DEPTH} levels deep` };
  const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g) ?? [];
  if (numbers.some((number) => exactNumber(number) === undefined)) {
    return { problem: 'holds a number with more digits than JSON keeps; store that number as a string' };
  }
  return { value };
}

function withinDepth(value: JsonValue, levels: number): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (levels === 0) return false;
  return Object.values(value).every((member) => withinDepth(member, levels - 1));
}
