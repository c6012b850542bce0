/**
 * SQL literals and identifiers. Every value of a parameter file reaches the warehouse through here.
 *
 * Redshift reads a backslash in a string literal as an escape, PostgreSQL (in its default setting) as itself. A
 * backslash is therefore never written inside a text literal: CHR(92) says it in both, whatever the setting.
 */

/** Returns a string as a SQL expression. @throws Error for a NUL character, which no SQL text can hold. */
export function textLiteral(text: string): string {
  if (text.includes('\0')) throw new Error('a SQL text cannot hold a NUL character');
  const parts = text.split('\\').map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? (parts[0] ?? "''") : `(${parts.join(' || CHR(92) || ')})`;
}

/**
 * Returns a regular expression as a string literal, which is all that the operator ~ takes. Here a backslash has to be
 * written, and is doubled as Redshift wants it. Source: Amazon Redshift, 'POSIX operators'.
 * @throws Error for a NUL character.
 */
export function patternLiteral(pattern: string): string {
  if (pattern.includes('\0')) throw new Error('a SQL text cannot hold a NUL character');
  return `'${pattern.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** Returns a finite number as a SQL literal, in full digits. @throws Error for NaN and infinities. */
export function numberLiteral(number: number): string {
  if (!Number.isFinite(number)) throw new Error('a SQL number must be finite');
  return /e/i.test(String(number)) ? `CAST('${number}' AS FLOAT8)` : String(number);
}

/** Returns an identifier in double quotes. @throws Error for a NUL character or an empty name. */
export function identifier(name: string): string {
  if (name === '' || name.includes('\0'))
    throw new Error('a SQL identifier is neither empty nor holds a NUL character');
  return `"${name.replaceAll('"', '""')}"`;
}

/** Returns a time as a TIMESTAMP or TIMESTAMPTZ expression in UTC, to the second. */
export function timeLiteral(timeMs: number, withZone: boolean): string {
  const text = new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
  return withZone ? `CAST('${text}+00' AS TIMESTAMPTZ)` : `CAST('${text}' AS TIMESTAMP)`;
}
