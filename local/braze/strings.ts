/** The limit on strings. Source: Braze, 'Custom attribute data types': 255 characters; beyond it nothing is promised. */
import { countCharacters } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { lost, refused, replaced, show, stored, type Verdict } from './verdicts.ts';

export const MAX_CHARACTERS = 255;

/** True when the text has at most 255 characters, counted as code points. */
export const isShort = (text: string): boolean =>
  text.length <= MAX_CHARACTERS || countCharacters(text) <= MAX_CHARACTERS;

/** Returns what is stored for a string. */
export function readString(
  text: string,
  settings: Pick<BrazeEmulatorSettings, 'strict' | 'overLongStrings'>,
): Verdict<string> {
  if (isShort(text)) return stored(text);
  const reason = `${show(text)} has ${countCharacters(text)} characters, ${MAX_CHARACTERS} are allowed`;
  if (settings.strict || settings.overLongStrings === 'dropped') return lost(41, reason);
  if (settings.overLongStrings === 'refused') return refused(41, reason);
  return replaced(41, reason, [...text].slice(0, MAX_CHARACTERS).join(''));
}
