/**
 * Checks and normal forms of Braze's standard attributes.
 *
 * Braze answers success to several values that it then does not keep (an unknown country, an invalid time zone), so
 * they are checked before they are sent. Only what Braze documents as one unambiguous form is normalised; all else is
 * refused with a reason. Source: Braze, 'Standard attributes' and 'User attributes object'.
 */
import type { StandardKind } from '../braze/attributes.ts';
import { COUNTRY_CODES, LANGUAGE_CODES } from './codes.ts';
import { type Converted, Invalid } from './converted.ts';
import { isObject, type JsonValue, readJson } from './json.ts';
import { checkedText } from './text.ts';
import { isoDate, isoTime } from './time-text.ts';

const MAX_URL_CHARACTERS = 1024;
const MAX_PROFILE_BYTES = 100_000;

/** Local part, @, and a domain of two labels at least. Braze refuses the whole object for an invalid address. */
const EMAIL =
  /^[^\s@<>()[\]\\,;:"]+@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])$/u;

/** Other letters turn into these in the other case (ß, ı), and are no codes. */
const TWO_LETTERS = /^[A-Za-z]{2}$/;

/** What each kind of standard attribute makes of a text. */
const CHECKS: Readonly<Record<StandardKind, (text: string) => Converted>> = {
  text: (text) => checkedText(text),
  email: (text) => {
    const whole = checkedText(text);
    if (whole instanceof Invalid) return whole;
    const local = text.slice(0, text.lastIndexOf('@'));
    const dotted = local.startsWith('.') || local.endsWith('.') || local.includes('..');
    return EMAIL.test(text) && !dotted ? text : new Invalid('is no valid email address');
  },
  phone: (text) => {
    const digits = text.replace(/[^\d+]/g, '');
    if (/^[\d\s()+./-]*$/.test(text) && (/^\+\d{7,15}$/.test(digits) || /^\d{10}$/.test(digits))) return digits;
    return new Invalid('is no phone number in E.164 form (a + with 7 to 15 digits; or 10 digits, read as US)');
  },
  country: (text) =>
    TWO_LETTERS.test(text) && COUNTRY_CODES.has(text.toUpperCase())
      ? text.toUpperCase()
      : new Invalid('is no ISO 3166-1 alpha-2 country code; convert names to codes in the query'),
  language: (text) =>
    TWO_LETTERS.test(text) && LANGUAGE_CODES.has(text.toLowerCase())
      ? text.toLowerCase()
      : new Invalid('is no ISO 639-1 language code'),
  gender: (text) =>
    /^[MFONP]$/i.test(text) ? text.toUpperCase() : new Invalid('is none of M, F, O, N, P; convert it in the query'),
  birth_date: (text) => isoDate(text),
  time_zone: (text) => timeZone(text) ?? new Invalid('is no IANA time zone, such as Europe/Paris'),
  subscription_state: (text) =>
    /^(opted_in|subscribed|unsubscribed)$/i.test(text)
      ? text.toLowerCase()
      : new Invalid('is none of opted_in, subscribed, unsubscribed'),
  flag: (text) => flag(text) ?? new Invalid('is neither true nor false'),
  location: (text) => location(text),
  time: (text) => isoTime(text),
  url: (text) => {
    const whole = checkedText(text, MAX_URL_CHARACTERS);
    return whole instanceof Invalid || URL.canParse(text) ? whole : new Invalid('is no URL');
  },
  profile: (text) => {
    const read = readJson(text);
    if ('problem' in read) return new Invalid(read.problem);
    return isObject(read.value) ? checkedProfile(read.value) : new Invalid('is no JSON object');
  },
};

/** Returns the form of a text that the standard attribute keeps, or why Braze would refuse or lose it. */
export const standardValue = (kind: StandardKind, text: string): Converted => CHECKS[kind](text);

/** Returns what a text says as a boolean. Source: Braze, 'Manage custom data' (1/true/t and 0/false/f are coerced). */
export function flag(text: string): boolean | undefined {
  if (/^(true|t|1)$/i.test(text)) return true;
  if (/^(false|f|0)$/i.test(text)) return false;
  return undefined;
}

const zoneByLowerCase: ReadonlyMap<string, string> = new Map(
  Intl.supportedValuesOf('timeZone').map((zone) => [zone.toLowerCase(), zone]),
);

function timeZone(text: string): string | undefined {
  const known = zoneByLowerCase.get(text.toLowerCase());
  if (known) return known;
  if (!/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/.test(text)) return undefined;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions();
    // Intl takes an alias (US/Eastern, UTC) in any case; in one case only it is not spelled as IANA does.
    const isSpelled = text !== text.toLowerCase() && (!text.includes('/') || text !== text.toUpperCase());
    return isSpelled ? text : timeZone;
  } catch {
    return undefined;
  }
}

/** What its keys mean is Braze's affair; texts that nobody could keep, and very large objects, are not sent. */
function checkedProfile(profile: JsonValue): Converted {
  const bytes = Buffer.byteLength(JSON.stringify(profile));
  if (bytes > MAX_PROFILE_BYTES) return new Invalid(`is larger than 100 KB (${bytes} bytes)`);
  const problem = textProblem(profile);
  return problem ? new Invalid(`holds a text that ${problem}`) : profile;
}

function textProblem(value: JsonValue): string | undefined {
  if (typeof value === 'string') {
    const text = checkedText(value, MAX_PROFILE_BYTES);
    return text instanceof Invalid ? text.reason : undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  return [...(isObject(value) ? Object.keys(value) : []), ...Object.values(value)]
    .map(textProblem)
    .find((problem) => problem !== undefined);
}

function location(text: string): Converted {
  const read = readJson(text);
  if ('problem' in read) return new Invalid(read.problem);
  const { value } = read;
  if (!isObject(value)) return new Invalid('is no JSON object with longitude and latitude');
  const { longitude, latitude } = value;
  const fits = (degrees: unknown, most: number) => typeof degrees === 'number' && Math.abs(degrees) <= most;
  if (!fits(longitude, 180) || !fits(latitude, 90) || Object.keys(value).length !== 2) {
    return new Invalid('is no {longitude, latitude} of numbers within range');
  }
  return value;
}
