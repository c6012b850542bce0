/** How the demo looks: chapters, paragraphs, tables. In colours on a terminal, plain elsewhere (picocolors decides). */
import pc from 'picocolors';

export type Page = {
  readonly chapter: (title: string) => void;
  /** A paragraph of running text; line breaks in it do not count. */
  readonly say: (text: string) => void;
  /** Lines as they are, set in a little. */
  readonly show: (text: string) => void;
  /** Rows whose columns are lined up. */
  readonly table: (rows: readonly (readonly string[])[]) => void;
  /** What was checked, and held. */
  readonly checked: (text: string) => void;
};

const WIDTH = 96;
/** A cell wider than this does not push the column beside it away. */
const MAX_CELL = 52;

/** Returns a page that is written with `write`. */
export function page(write: (text: string) => void): Page {
  let chapters = 0;
  return {
    chapter: (title) => {
      chapters++;
      write(`\n${pc.bold(pc.cyan(`${chapters}  ${title}`))}\n\n`);
    },
    say: (text) => write(`${wrapped(text, WIDTH)}\n\n`),
    show: (text) => write(`${indented(text.trimEnd())}\n\n`),
    table: (rows) => write(`${indented(lined(rows))}\n\n`),
    checked: (text) => write(`${wrapped(`✓ ${text}`, WIDTH).replace('✓', pc.green('✓'))}\n\n`),
  };
}

/** Returns a text in lines of at most `width` characters, broken between words. */
export function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** Returns rows as lines, each column as wide as its widest cell (up to a limit). */
export function lined(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.min(MAX_CELL, Math.max(...rows.map((row) => row[column]?.length ?? 0))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`))
    .join('\n');
