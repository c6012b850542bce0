/** Guesses what a person meant by a word that is unknown, so that a typing mistake is answered with the right word. */
import { distance } from 'fastest-levenshtein';
import { quote } from './problems.ts';

/** A word longer than this is no typing mistake, and comparing it would take time. */
const MAX_COMPARED_CHARACTERS = 100;

/** Returns the candidate that a person most likely meant by `word`, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const plain = plainly(word);
  if (plain === '' || word.length > MAX_COMPARED_CHARACTERS) return undefined;
  let best: { candidate: string; edits: number } | undefined;
  let related: string | undefined;
  for (const candidate of candidates) {
    if (candidate === word) continue;
    const other = plainly(candidate);
    const edits = distance(plain, other);
    if (
      edits <= Math.max(1, Math.floor((Math.min(plain.length, other.length) + 1) / 3)) &&
      edits < (best?.edits ?? Infinity)
    ) {
      best = { candidate, edits };
    }
    if (Math.min(plain.length, other.length) >= 3 && (other.startsWith(plain) || plain.startsWith(other))) {
      related ??= candidate;
    }
  }
  return best?.candidate ?? related;
}

const plainly = (word: string): string => word.toLowerCase().replace(/[-_ ]/g, '');

/** Returns the advice `did you mean '…'?`, or undefined when no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? undefined : `did you mean ${quote(candidate)}?`;
}
