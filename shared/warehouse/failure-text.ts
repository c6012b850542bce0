/**
 * What a failed statement's message may say. Redshift quotes the value that it could not read, in quotes or not, in the
 * message, in its detail or its context: a message as it comes would carry personal data into logs and run records.
 *
 * Nobody can tell a value from a word by its looks. So a word stays only when it is known: one of the statement's own, or
 * one of those of which databases make their messages. Everything else becomes `…`, and the worst that can happen is a
 * message that says too little; the whole text is in the warehouse's own history.
 */

/** Words of PostgreSQL's and Redshift's messages, types and states; none of them tells anything of anybody. */
const VOCABULARY = new Set(
  `a aborted abs access active after aggregate aggregates alias allocate allow allowed already ambiguous an and any are
  argument arguments array as assert at authorization bad be because been before between bigint binary bind bool boolean
  both bpchar by byte bytes call called can canceled cancelled cannot case cast catalog cause caused char character
  characters check clause cluster code codepoints codes coerced column columns command commands comparison compatible
  compile compute concurrent configured connection constant constraint contain contains context conversion convert
  converted converting correlated could count create cross cte currently cursor data database databases datasharing
  date datetime day ddl decimal declared default denied detail did different digit digits disabled disk distinct
  divide division do does double drop due duplicate during each element elements empty encoding end ended enough
  equal err error errors escape exceed exceeded exceeds except execute executed execution exist exists expected
  expecting explicit exponent expression expressions external failed failure false fatal few field fields file float
  for foreign format found from full function functions geometry grant group grouping handle have having hex hint hour
  identifier if implicit in incompatible incorrect index infinity inner input insufficient int integer internal
  intersect interval into invalid is isolation it item join json key keyword language large least left length length
  level like limit line lines list load location lock long longer match matched matching materialized max maximum may
  maybe member memory message messages mismatch missing mixed more multibyte multiple must name named names nested no
  nodes nonexistent not nothing null number numbers numeric object objects of off offset old on one only operand
  operation operator operators option or order out outer over overflow owner parameter parameters parse parser parsing
  partition password path permission permissions please pos position possible precision privilege privileges process
  processing protocol provided queries query queue range read reading real reason record recursive reference referenced
  references refresh regex regexp regular rejected relation relations reserved resource resources result results retry
  return returned returns right role row rows rule running schema scale scan schemas scope second select serializable
  server session set should sign signature size smallint some space spectrum statement statements statistics status
  string strings subqueries subquery such super supported syntax system table tables target temporary terminated terminating text than
  that the then there this time timeout timestamp timestamptz timed timezone to too transaction transform trim true try
  type types typmod unable undefined under unexpected union unique unknown unrecognized unsupported unterminated until
  update usage use used user users using utf utf8 valid value values varbyte varchar variable varying version view
  violates violation was when where which while window with within without work workload write wrong year you your zero
  zone padb assert xid slice
  infinite nan not-null near look information see log wlm action monitoring perhaps meant instead svl_udf_log udf python
  valueerror typeerror`.split(/\s+/),
);

const MAX_WORDS = 80;

/** Returns the words of SQL texts and names, in lower case: those that a message about them may say. */
export const wordsOf = (...texts: readonly string[]): ReadonlySet<string> =>
  new Set(texts.flatMap((text) => text.toLowerCase().match(WORD) ?? []));

const WORD = /[\p{L}\p{N}_$]+/gu;

/**
 * Returns a message of the warehouse on one line, in which every word that is neither the statement's own nor known from
 * databases' messages is `…`. Numbers count as words, but for those that name a code, a position or a length.
 */
export function withoutData(message: string, own: ReadonlySet<string>): string {
  const kept: string[] = [];
  let before = '';
  for (const chunk of message
    .toWellFormed()
    .split(/\s+/)
    .filter((each) => each !== '' && !/^-+$/.test(each))) {
    const isTold =
      [...chunk.toLowerCase().matchAll(WORD)].every(([word]) => isKnown(word, own)) || isPlace(before, chunk);
    before = chunk.toLowerCase();
    const shown = isTold && isPlain(chunk) ? chunk : hidden(chunk);
    if (shown !== '…' || kept.at(-1) !== '…') kept.push(shown);
    if (kept.length > MAX_WORDS) return `${kept.slice(0, MAX_WORDS).join(' ')} …`;
  }
  return kept.join(' ');
}

const isKnown = (word: string, own: ReadonlySet<string>): boolean => VOCABULARY.has(word) || own.has(word);

/** Marks between letters may be a value's own: only those of SQL and of sentences stay. */
const isPlain = (chunk: string): boolean => /^[\p{L}\p{N}_$"'`().,:;=<>*+/[\]-]+$/u.test(chunk);

/** `code: 1207`, `Position: 7`, `LINE 3:`, `varying(20)`: numbers that say nothing of a row. */
const isPlace = (before: string, chunk: string): boolean =>
  (/^(code|position|pos|line):?$/.test(before) && /^\d{1,6}[:,.;)]?$/.test(chunk)) ||
  /^"?(varchar|varying|char|character|numeric|decimal)\(\d{1,5}(,\d{1,2})?\)"?[,.;]?$/i.test(chunk);

/** A hidden word keeps the quotes around it and the mark that ends its clause. */
function hidden(chunk: string): string {
  const [, open = '', close = ''] = /^(["'`(]?)[\s\S]*?(["'`)]?[,.;:]?)$/.exec(chunk) ?? [];
  return `${open}…${close}`;
}
