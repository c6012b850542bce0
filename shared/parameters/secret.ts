/**
 * Tells the name of a secret from the secret itself, because a key in a parameter file ends up in version control.
 *
 * A guess by shape; a name that is wrongly taken for a key can be written as its ARN. No more than four characters of a
 * value are ever shown.
 */

import type { Finding, Path } from './problems.ts';

/** Returns a finding when a value looks like a secret itself and not like its name, else undefined. */
export function secretFinding(value: string, path: Path): Finding | undefined {
  const likeness = secretLikeness(value);
  if (likeness === undefined) return undefined;
  return {
    path,
    found: `${masked(value)}, which looks like ${likeness}`,
    allowed: 'the name or ARN of a secret in AWS Secrets Manager',
    hint: 'put the secret itself there and replace it, as it was written to a file; a name that looks like one can be given as its ARN',
  };
}

/** Returns a value as it may be shown: its first four characters. */
export const masked = (value: string): string => `'${value.slice(0, 4).replace(/[^\x20-\x7e]/g, '?')}…'`;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LONG_CHARACTERS = 24;

/** Returns what a value looks like when it looks like a secret's content (`a key (a UUID)`), else undefined. */
export function secretLikeness(value: string): string | undefined {
  const text = value.trim();
  if (/^[[{]/.test(text)) return 'JSON';
  if (/^bearer\b/i.test(text)) return 'an Authorization header';
  if (UUID.test(text)) return 'a key (a UUID)';
  if (/[/:]/.test(text)) return undefined;
  return text.split(/[-_.@]/).some(isRandom) ? 'a key' : undefined;
}

/** Long hexadecimal, or long text of mixed signs in which no words can be seen. */
function isRandom(text: string): boolean {
  if (/^[0-9a-f]+$/i.test(text) && /\d/.test(text)) return text.length >= LONG_CHARACTERS;
  if (text.length < LONG_CHARACTERS || !/\d/.test(text) || !/[a-z]/i.test(text)) return false;
  const inWords = (text.match(/[A-Z]?[a-z]{3,}|[A-Z]{4,}/g) ?? []).join('').length;
  return inWords / text.length < 0.4;
}

/**
 * Returns what two references to the same secret share, so that its name and its ARN compare equal.
 * Source: AWS Secrets Manager, 'What's in a Secrets Manager secret' (an ARN ends in - and six characters).
 */
export function secretName(id: string): string {
  const [, name] = /^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:(.+)$/.exec(id) ?? [];
  return name?.replace(/-[A-Za-z0-9]{6}$/, '') ?? id;
}
