/**
 * Reads SQL as a database does, for one question only: where does each literal end? Written apart from everything that
 * writes SQL here. Redshift takes a backslash in a string for an escape, PostgreSQL takes it as it is.
 */
export type Dialect = 'redshift' | 'postgres';
export type Lexeme =
  | { readonly kind: 'string' | 'name'; readonly value: string }
  | { readonly kind: 'word' | 'number' | 'sign'; readonly text: string };

/** Returns the lexemes of a SQL text. @throws Error for a comment, a dollar quote, or something that is left open. */
export function lexemes(sql: string, dialect: Dialect): Lexeme[] {
  const found: Lexeme[] = [];
  let at = 0;
  const quoted = (quote: string): string => {
    let value = '';
    for (at++; at < sql.length; at++) {
      if (quote === "'" && dialect === 'redshift' && sql[at] === '\\') {
        at++;
        value += sql[at] ?? '';
      } else if (sql[at] === quote) {
        if (sql[at + 1] !== quote) {
          at++;
          return value;
        }
        at++;
        value += quote;
      } else value += sql[at];
    }
    throw new Error('something is left open');
  };
  while (at < sql.length) {
    const rest = sql.slice(at, at + 400);
    const space = /^\s+/.exec(rest)?.[0];
    if (space) {
      at += space.length;
      continue;
    }
    if (/^(--|\/\*|\$\w*\$)/.test(rest)) throw new Error('a comment or a dollar quote');
    if (sql[at] === "'") found.push({ kind: 'string', value: quoted("'") });
    else if (sql[at] === '"') found.push({ kind: 'name', value: quoted('"') });
    else {
      const number = /^\d+(\.\d+)?/.exec(rest)?.[0];
      const word = number ?? /^[A-Za-z_]\w*/.exec(rest)?.[0] ?? sql.slice(at, at + 1);
      const kind = number ? 'number' : /^[A-Za-z_]/.test(word) ? 'word' : 'sign';
      found.push({ kind, text: word });
      at += word.length;
    }
  }
  return found;
}

const isSign = (lexeme: Lexeme | undefined, text: string): boolean =>
  lexeme !== undefined && 'text' in lexeme && lexeme.text.toUpperCase() === text;

/** Returns the lexemes with each `('…' || CHR(92) || '…')` read as the one string that it is. */
export function joined(all: readonly Lexeme[]): Lexeme[] {
  const kept: Lexeme[] = [];
  for (let at = 0; at < all.length; at++) {
    const string = isSign(all[at], '(') ? concatenation(all, at) : undefined;
    const lexeme = all[at];
    if (string) {
      kept.push({ kind: 'string', value: string.value });
      at = string.end;
    } else if (lexeme) kept.push(lexeme);
  }
  return kept;
}

function concatenation(all: readonly Lexeme[], from: number): { value: string; end: number } | undefined {
  const first = all[from + 1];
  if (first?.kind !== 'string') return undefined;
  let { value } = first;
  const between = ['|', '|', 'CHR', '(', '92', ')', '|', '|'];
  for (let at = from + 2; ; at += between.length + 1) {
    if (isSign(all[at], ')') && at > from + 2) return { value, end: at };
    if (!between.every((text, index) => isSign(all[at + index], text))) return undefined;
    const next = all[at + between.length];
    if (next?.kind !== 'string') return undefined;
    value += `\\${next.value}`;
  }
}
