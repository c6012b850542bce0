/**
 * The checks of the standard profile attributes. Source: Braze, 'Standard attributes' and 'User attributes object'.
 *
 * A check says what is stored for a value (null never comes here: it removes). It shares with the product's code the
 * list of names alone, so that a wrong check there is not repeated here.
 */
import { STANDARD_ATTRIBUTES, type StandardAttribute } from '../../shared/braze/attributes.ts';
import { COUNTRIES, guessCountry, isTimeZone, LANGUAGES } from './codes.ts';
import { isDay, readTime } from './dates.ts';
import { isObject, type Json, own } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { readString } from './strings.ts';
import { lost, refused, replaced, show, stored, type Verdict } from './verdicts.ts';

type Check = (value: Json, settings: BrazeEmulatorSettings) => Verdict<Json>;

const SUBSCRIPTION_STATES = ['opted_in', 'subscribed', 'unsubscribed'];
const MAX_URL_CHARACTERS = 1024;

const text =
  (name: string): Check =>
  (value, settings) =>
    typeof value === 'string' ? readString(value, settings) : lost(39, `${name} is a string, not ${show(value)}`);

const email: Check = (value, settings) =>
  typeof value === 'string' && isEmail(value, settings)
    ? readString(value, settings)
    : refused(18, `${show(value)} is not a valid email address`, 'EMAIL_BAD_FORMAT');

const phone: Check = (value) => {
  const digits = typeof value === 'string' ? stripPhone(value) : undefined;
  return digits === undefined ? lost(39, `phone ${show(value)} is not in E.164 form`) : stored(digits);
};

const country: Check = (value) => {
  if (typeof value === 'string' && COUNTRIES.has(value)) return stored(value);
  const guess = typeof value === 'string' ? guessCountry(value) : undefined;
  return replaced(37, `country ${show(value)} is not an ISO 3166-1 alpha-2 code in upper case`, guess ?? null);
};

const language: Check = (value) =>
  typeof value === 'string' && LANGUAGES.has(value)
    ? stored(value)
    : lost(39, `language ${show(value)} is not an ISO 639-1 code in lower case`);

const gender: Check = (value) =>
  typeof value === 'string' && ['M', 'F', 'O', 'N', 'P'].includes(value)
    ? stored(value)
    : lost(39, `gender ${show(value)} is not one of M, F, O, N, P`);

const dob: Check = (value) =>
  typeof value === 'string' && isDay(value) ? stored(value) : lost(39, `dob ${show(value)} is not a day as YYYY-MM-DD`);

const timeZone: Check = (value, settings) => {
  if (typeof value === 'string' && isTimeZone(value, settings)) return stored(value);
  const reason = `time_zone ${show(value)} is not an IANA time zone name`;
  const isRails = typeof value === 'string' && settings.railsTimeZones.includes(value);
  return isRails ? replaced(38, reason, value) : lost(38, reason);
};

const subscriptionState =
  (name: string, code: string): Check =>
  (value) =>
    typeof value === 'string' && SUBSCRIPTION_STATES.includes(value)
      ? stored(value)
      : refused(19, `${name} must be one of ${SUBSCRIPTION_STATES.join(', ')}, not ${show(value)}`, code);

const flag =
  (name: string): Check =>
  (value) =>
    typeof value === 'boolean' ? stored(value) : lost(39, `${name} is a boolean, not ${show(value)}`);

const location: Check = (value) => {
  const isWithin = (name: string, limit: number): boolean => {
    const degrees = isObject(value) ? own(value, name) : undefined;
    return typeof degrees === 'number' && Math.abs(degrees) <= limit;
  };
  return isWithin('longitude', 180) && isWithin('latitude', 90)
    ? stored(value)
    : refused(21, `current_location ${show(value)} has no longitude and latitude`, 'BAD_LOCATION_UPDATE');
};

const time =
  (name: string): Check =>
  (value) => {
    const instant = typeof value === 'string' ? readTime(value) : undefined;
    return instant === undefined ? lost(39, `${name} ${show(value)} is not a time`) : stored(instant);
  };

const url: Check = (value) =>
  typeof value === 'string' && value.length <= MAX_URL_CHARACTERS && URL.canParse(value)
    ? stored(value)
    : lost(39, `image_url is a URL of at most ${MAX_URL_CHARACTERS} characters, not ${show(value)}`);

const profile =
  (name: string): Check =>
  (value) =>
    isObject(value) ? stored(value) : lost(39, `${name} is an object, not ${show(value)}`);

const CHECKS: Record<StandardAttribute, Check> = {
  first_name: text('first_name'),
  last_name: text('last_name'),
  home_city: text('home_city'),
  email,
  phone,
  country,
  language,
  gender,
  dob,
  time_zone: timeZone,
  email_subscribe: subscriptionState('email_subscribe', 'BAD_EMAIL_SUBSCRIPTION_STATE'),
  push_subscribe: subscriptionState('push_subscribe', 'BAD_PUSH_SUBSCRIPTION_STATE'),
  email_open_tracking_disabled: flag('email_open_tracking_disabled'),
  email_click_tracking_disabled: flag('email_click_tracking_disabled'),
  current_location: location,
  date_of_first_session: time('date_of_first_session'),
  date_of_last_session: time('date_of_last_session'),
  marked_email_as_spam_at: time('marked_email_as_spam_at'),
  image_url: url,
  facebook: profile('facebook'),
  twitter: profile('twitter'),
};

const checkByName: ReadonlyMap<string, Check> = new Map(Object.entries(CHECKS));
const consentNames: ReadonlySet<string> = new Set(['email_subscribe', 'push_subscribe']);

/** The names of the standard attributes, all in lower case. */
export const standardNames: ReadonlySet<string> = new Set(Object.keys(STANDARD_ATTRIBUTES));

/** Returns what Braze makes of a standard attribute's value; a stored null removes the attribute. */
export function checkStandard(name: string, value: Json, settings: BrazeEmulatorSettings): Verdict<Json> {
  if (value !== null) return checkByName.get(name)?.(value, settings) ?? lost(36, `${show(name)} is no attribute`);
  return consentNames.has(name) ? checkNullConsent(name, settings) : stored(null);
}

/** Returns what null does to a value of consent, which Braze does not document. */
export function checkNullConsent(
  name: string,
  settings: Pick<BrazeEmulatorSettings, 'strict' | 'nullConsent'>,
): Verdict<null> {
  const rule = name === 'subscription_groups' ? 20 : 19;
  const reason = `what null does to ${name} is not documented`;
  if (settings.strict || settings.nullConsent === 'ignored') return lost(rule, reason);
  return settings.nullConsent === 'refused' ? refused(rule, reason) : stored(null);
}

/** Returns digits and a leading +, or undefined when the text is no phone number: + and 7..15 digits, or 10 digits. */
export function stripPhone(phoneNumber: string): string | undefined {
  const stripped = phoneNumber.replaceAll(/[\s().\-/]/g, '');
  return /^(\+\d{7,15}|\d{10})$/.test(stripped) ? stripped : undefined;
}

/** Returns a stripped phone number in E.164; ten digits are read as a number of the US. */
export const phoneKey = (stripped: string): string => (stripped.startsWith('+') ? stripped : `+1${stripped}`);

const ASCII_EMAIL = emailPattern('A-Za-z0-9');
const UNICODE_EMAIL = emailPattern(String.raw`\p{L}\p{N}`);

/** True for local@host, where the host has two labels or more and neither has stray dots. */
export const isEmail = (address: string, settings: Pick<BrazeEmulatorSettings, 'unicodeEmails'>): boolean =>
  (settings.unicodeEmails ? UNICODE_EMAIL : ASCII_EMAIL).test(address);

function emailPattern(letters: string): RegExp {
  const atom = `[${letters}!#$%&'*+/=?^_\`{|}~\\-]+`;
  const label = `[${letters}](?:[${letters}\\-]*[${letters}])?`;
  return new RegExp(`^${atom}(?:\\.${atom})*@${label}(?:\\.${label})+$`, 'u');
}
