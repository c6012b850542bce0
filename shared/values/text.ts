/** Texts that Braze keeps whole. */
import { Invalid } from './converted.ts';

/** Longer strings may be dropped with a success answer. Source: Braze, 'Custom attributes' (and the sync endpoint's page). */
export const MAX_STRING_CHARACTERS = 255;

/** Returns how many characters a text has, a surrogate pair counting as one. */
export function characters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(index + 1);
      if (next >= 0xdc00 && next < 0xe000) count--;
    }
  }
  return count;
}

/** Returns the text when Braze keeps it whole, or why it would not. */
export function checkedText(text: string, maxCharacters = MAX_STRING_CHARACTERS): string | Invalid {
  if (text.length > maxCharacters && characters(text) > maxCharacters) {
    return new Invalid(`is longer than ${maxCharacters} characters (${characters(text)})`);
  }
  if (!text.isWellFormed()) return new Invalid('is no valid Unicode (a lone surrogate)');
  if (text.includes('\0')) return new Invalid('holds a NUL character');
  return text;
}
