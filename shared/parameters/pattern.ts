/**
 * Regular expressions of `matches` rules: whether Redshift's POSIX operators can read them.
 *
 * Redshift compiles the pattern when the statement runs, so a wrong one would fail every run. Only what is documented
 * is let pass: `\d`, `\w`, `\s`, `\b` and their opposites are, lookaround and the like are not.
 * Source: Amazon Redshift, 'POSIX operators'.
 */
import { quote } from './problems.ts';

/** A piece of a pattern; `isRepeatable` says whether a quantifier may follow it. */
type Piece = {
  readonly length: number;
  readonly isRepeatable: boolean;
  readonly opens?: 1 | -1;
  readonly problem?: string;
};

/** Returns what is wrong with a pattern, or undefined. */
export function patternProblem(pattern: string): string | undefined {
  let open = 0;
  let isRepeatable = false;
  for (let at = 0; at < pattern.length; ) {
    const piece: Piece = quantifierAt(pattern.slice(at), isRepeatable) ?? pieceAt(pattern.slice(at));
    if (piece.problem !== undefined) return piece.problem;
    open += piece.opens ?? 0;
    if (open < 0) return 'a ) too many';
    isRepeatable = piece.isRepeatable;
    at += piece.length;
  }
  return open > 0 ? 'a ( that is not closed' : undefined;
}

const broken = (problem: string): Piece => ({ length: 0, isRepeatable: false, problem });

const MAX_REPEATS = 255;

/** A ? after a quantifier asks for the shortest match, which changes nothing in whether there is one. */
function quantifierAt(text: string, hasAtom: boolean): Piece | undefined {
  const [whole, sign = '', least, range, most] = /^([*+?]|\{(\d{1,3})(,(\d{0,3}))?\})\??/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  if (!hasAtom) return broken(`${quote(sign)} has nothing to repeat`);
  if (Math.max(Number(least ?? 0), Number(most ?? 0)) > MAX_REPEATS) return broken(`${quote(sign)} repeats too often`);
  const isDownward = range !== undefined && most !== '' && Number(most) < Number(least);
  return isDownward ? broken(`${quote(sign)} goes downwards`) : { length: whole.length, isRepeatable: false };
}

function pieceAt(text: string): Piece {
  switch (text.charAt(0)) {
    case '\\':
      if (/^\\([dDwWsSb]|[^A-Za-z0-9])/s.test(text)) return { length: 2, isRepeatable: true };
      return broken(`${quote(text.slice(0, 2))} has no meaning to Redshift`);
    case '[':
      return bracketAt(text);
    case '(':
      if (!text.startsWith('(?')) return { length: 1, isRepeatable: false, opens: 1 };
      return broken(`${quote(text.slice(0, 3))} (lookaround, or a group of another kind) is unknown to Redshift`);
    case ')':
      return { length: 1, isRepeatable: true, opens: -1 };
    case '{':
      return broken('a { that begins no repetition; write \\{ for the sign');
    case '^':
    case '|':
      return { length: 1, isRepeatable: false };
    default:
      return { length: 1, isRepeatable: true };
  }
}

const CLASSES = 'alnum alpha blank cntrl digit graph lower print punct space upper word xdigit'.split(' ');

function bracketAt(text: string): Piece {
  let at = /^\[\^?\]?/.exec(text)?.[0].length ?? 1;
  while (at < text.length && text.charAt(at) !== ']') {
    const rest = text.slice(at);
    const [named, className = ''] = /^\[:(\w*):\]/.exec(rest) ?? [];
    const [range, from = '', to = ''] = /^([^\\])-([^\]])/su.exec(rest) ?? [];
    if (named !== undefined && !CLASSES.includes(className)) return broken(`${quote(named)} is no character class`);
    if (/^\\[A-Za-z]/.test(rest)) {
      return broken(`${quote(rest.slice(0, 2))} inside [ ] is not documented; write a class such as [[:digit:]]`);
    }
    if (range !== undefined && from > to) return broken(`${quote(range)} goes downwards`);
    at += named?.length ?? range?.length ?? (rest.startsWith('\\') ? 2 : 1);
  }
  return at < text.length ? { length: at + 1, isRepeatable: true } : broken('a [ that is not closed');
}
