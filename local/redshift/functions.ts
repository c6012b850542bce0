/**
 * The functions that Redshift has and PostgreSQL lacks, or has with another meaning, as PostgreSQL functions.
 *
 * They live in their own schema, which stands before pg_catalog in the search path, so that they also win over built-in
 * ones of the same signature (AVG of integers, CONCAT, REGEXP_REPLACE …). Date parts arrive by their canonical names: the
 * dialect spells them out. Every statement here may be run again over an older version of itself.
 *
 * Known differences: AVG of a NUMERIC is rounded to the scale of its arguments; DATEDIFF(week) counts Sundays; regular
 * expressions are PostgreSQL's; SUPER is jsonb and therefore sorts the keys of an object.
 * Source: Amazon Redshift Database Developer Guide, 'SQL functions reference' and the page of each function.
 */

/** The schema of the functions; `reset` leaves it alone. */
export const FUNCTION_SCHEMA = 'redshift';

/** A setting that, when it is set, is the clock of GETDATE, SYSDATE and CURRENT_DATE (UTC, as text). */
export const CLOCK_SETTING = 'redshift.now';

const sqlFunction = (signature: string, returns: string, body: string, volatility = 'IMMUTABLE'): string =>
  `CREATE OR REPLACE FUNCTION ${FUNCTION_SCHEMA}.${signature} RETURNS ${returns}
   LANGUAGE sql ${volatility} PARALLEL SAFE AS $f$ SELECT ${body} $f$;`;

const plpgsqlFunction = (signature: string, returns: string, body: string, volatility = 'IMMUTABLE'): string =>
  `CREATE OR REPLACE FUNCTION ${FUNCTION_SCHEMA}.${signature} RETURNS ${returns}
   LANGUAGE plpgsql ${volatility} PARALLEL SAFE AS $f$ ${body} $f$;`;

const clock = `coalesce(nullif(current_setting('${CLOCK_SETTING}', true), '')::timestamp, now() AT TIME ZONE 'UTC')`;

const CLOCK = [
  sqlFunction('sysdate()', 'timestamp', clock, 'STABLE'),
  sqlFunction('getdate()', 'timestamp', `date_trunc('second', ${clock})`, 'STABLE'),
  sqlFunction('today()', 'date', `(${clock})::date`, 'STABLE'),
];

const INTERVALS = {
  millennium: '1000 years',
  century: '100 years',
  decade: '10 years',
  year: '1 year',
  quarter: '3 months',
  month: '1 month',
  week: '7 days',
  day: '1 day',
  hour: '1 hour',
  minute: '1 minute',
  second: '1 second',
  milliseconds: '1 millisecond',
  microseconds: '1 microsecond',
};
const intervalCase = Object.entries(INTERVALS)
  .map(([part, interval]) => `WHEN '${part}' THEN n * interval '${interval}'`)
  .join(' ');

/** DATEADD(year) moves a 29 February to 1 March; every other addition of months keeps to the end of the month. */
const addTo = (value: string): string =>
  `CASE WHEN part = 'year' AND extract(day FROM ${value}) <> extract(day FROM ${value} + redshift.span(part, n))
   THEN ${value} + redshift.span(part, n) + interval '1 day' ELSE ${value} + redshift.span(part, n) END`;

/** Numbers of whole parts since a fixed moment; the difference of two is the number of boundaries between them. */
const ORDINALS = {
  millennium: "ceil(date_part('year', t) / 1000)",
  century: "ceil(date_part('year', t) / 100)",
  decade: "floor(date_part('year', t) / 10)",
  year: "date_part('year', t)",
  quarter: "date_part('year', t) * 4 + date_part('quarter', t)",
  month: "date_part('year', t) * 12 + date_part('month', t)",
  week: "floor((t::date - date '2000-01-02') / 7.0)",
  day: "t::date - date '2000-01-01'",
  hour: 'floor(extract(epoch FROM t) / 3600)',
  minute: 'floor(extract(epoch FROM t) / 60)',
  second: 'floor(extract(epoch FROM t))',
  milliseconds: 'floor(extract(epoch FROM t) * 1000)',
  microseconds: 'floor(extract(epoch FROM t) * 1000000)',
};
const ordinalCase = Object.entries(ORDINALS)
  .map(([part, ordinal]) => `WHEN '${part}' THEN (${ordinal})::bigint`)
  .join(' ');

const MONTHS = `(date_part('year', a) - date_part('year', b)) * 12 + date_part('month', a) - date_part('month', b)`;
const isLastDay = (value: string): string => `${value}::date = redshift.last_day(${value})`;

const DATES = [
  plpgsqlFunction(
    'refuse_part(part text)',
    'bigint',
    `BEGIN RAISE EXCEPTION 'date part "%" is not supported', part; END`,
  ),
  sqlFunction(
    'span(part text, n bigint)',
    'interval',
    `CASE part ${intervalCase} ELSE redshift.refuse_part(part) * interval '1 day' END`,
  ),
  sqlFunction(
    'ordinal(part text, t timestamp)',
    'bigint',
    `CASE part ${ordinalCase} ELSE redshift.refuse_part(part) END`,
  ),
  ...['dateadd', 'date_add'].flatMap((name) => [
    sqlFunction(`${name}(part text, n bigint, t timestamp)`, 'timestamp', addTo('t')),
    sqlFunction(`${name}(part text, n bigint, t date)`, 'timestamp', addTo('t::timestamp')),
    sqlFunction(`${name}(part text, n bigint, t text)`, 'timestamp', addTo('t::timestamp')),
    sqlFunction(`${name}(part text, n bigint, t timestamptz)`, 'timestamptz', addTo('t'), 'STABLE'),
    sqlFunction(`${name}(part text, n bigint, t time)`, 'time', 't + redshift.span(part, n)'),
    sqlFunction(`${name}(part text, n bigint, t timetz)`, 'timetz', 't + redshift.span(part, n)'),
  ]),
  ...['datediff', 'date_diff'].flatMap((name) => [
    ...['timestamp', 'text'].map((type) =>
      sqlFunction(
        `${name}(part text, a ${type}, b ${type})`,
        'bigint',
        'redshift.ordinal(part, b::timestamp) - redshift.ordinal(part, a::timestamp)',
      ),
    ),
    sqlFunction(
      `${name}(part text, a timestamptz, b timestamptz)`,
      'bigint',
      `redshift.ordinal(part, b AT TIME ZONE 'UTC') - redshift.ordinal(part, a AT TIME ZONE 'UTC')`,
    ),
    sqlFunction(
      `${name}(part text, a time, b time)`,
      'bigint',
      `redshift.ordinal(part, date '2000-01-01' + b) - redshift.ordinal(part, date '2000-01-01' + a)`,
    ),
  ]),
  sqlFunction('date_trunc(part text, t date)', 'timestamp', 'pg_catalog.date_trunc(part, t::timestamp)'),
  ...['timestamp', 'date', 'time', 'interval'].map((type) =>
    sqlFunction(
      `extract_part(part text, t ${type})`,
      'bigint',
      `trunc(CASE part
         WHEN 'milliseconds' THEN mod(date_part(part, t)::numeric, 1000)
         WHEN 'microseconds' THEN mod(date_part(part, t)::numeric, 1000000)
         ELSE date_part(part, t)::numeric END)::bigint`,
    ),
  ),
  sqlFunction('extract_part(part text, t timestamptz)', 'float8', 'date_part(part, t)', 'STABLE'),
  sqlFunction('date_part_year(t date)', 'int', "date_part('year', t)::int"),
  sqlFunction('trunc(t timestamp)', 'date', 't::date'),
  sqlFunction(
    'last_day(t timestamp)',
    'date',
    `(pg_catalog.date_trunc('month', t) + interval '1 month - 1 day')::date`,
  ),
  sqlFunction('last_day(t date)', 'date', 'redshift.last_day(t::timestamp)'),
  ...['timestamp', 'date', 'text'].map((type) =>
    sqlFunction(
      `add_months(t ${type}, n int)`,
      'timestamp',
      `CASE WHEN ${isLastDay('t::timestamp')}
         THEN redshift.last_day(t::timestamp + n * interval '1 month') + (t::timestamp)::time
         ELSE t::timestamp + n * interval '1 month' END`,
    ),
  ),
  sqlFunction(
    'months_between(a timestamp, b timestamp)',
    'float8',
    `${MONTHS} + CASE
       WHEN date_part('day', a) = date_part('day', b) OR (${isLastDay('a')} AND ${isLastDay('b')}) THEN 0
       ELSE (date_part('day', a) - date_part('day', b)
             + (date_part('epoch', a::time) - date_part('epoch', b::time)) / 86400) / 31 END`,
  ),
  ...['date', 'text'].map((type) =>
    sqlFunction(
      `months_between(a ${type}, b ${type})`,
      'float8',
      'redshift.months_between(a::timestamp, b::timestamp)',
    ),
  ),
  ...['timestamp', 'text'].flatMap((type) => [
    sqlFunction(
      `convert_timezone(source text, target text, t ${type})`,
      'timestamp',
      't::timestamp AT TIME ZONE source AT TIME ZONE target',
    ),
    sqlFunction(
      `convert_timezone(target text, t ${type})`,
      'timestamp',
      `t::timestamp AT TIME ZONE 'UTC' AT TIME ZONE target`,
    ),
  ]),
];

/** With its own escapes: a body is read under the caller's rule for literals, which differs between statements and scripts. */
const COMPACT = String.raw`pg_catalog.regexp_replace(value::text, E'("(?:[^"\\\\]|\\\\.)*")|\\s', E'\\1', 'g')`;

const STRTOL = `
DECLARE
  digits text := lower(ltrim(value));
  negative boolean := digits LIKE '-%';
  result numeric := 0;
  digit int;
BEGIN
  IF value IS NULL THEN RETURN NULL; END IF;
  IF base NOT BETWEEN 2 AND 36 THEN RAISE EXCEPTION 'invalid base %: 2 to 36 are', base; END IF;
  digits := ltrim(digits, '+-');
  IF base = 16 AND digits LIKE '0x%' THEN digits := substr(digits, 3); END IF;
  FOR i IN 1 .. length(digits) LOOP
    digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, i, 1)) - 1;
    IF digit < 0 OR digit >= base THEN
      RAISE EXCEPTION 'The input % is not valid to be converted to base %', value, base;
    END IF;
    result := result * base + digit;
  END LOOP;
  RETURN CASE WHEN negative THEN -result ELSE result END;
END`;

/** No plain SQL: that would be inlined, and a literal cast to json before the test. */
const JSON_OR_NULL = `BEGIN
  IF null_if_invalid AND NOT (value IS JSON) THEN RETURN NULL; END IF;
  RETURN value::json;
END`;

const TEXTS = [
  sqlFunction('len(value text)', 'int', 'length(value)'),
  sqlFunction('textlen(value text)', 'int', 'length(value)'),
  sqlFunction('charindex(part text, value text)', 'int', 'strpos(value, part)'),
  sqlFunction('concat(a text, b text)', 'text', 'a || b'),
  sqlFunction('replicate(value text, n int)', 'text', 'repeat(value, n)'),
  plpgsqlFunction('strtol(value text, base int)', 'bigint', STRTOL),
  sqlFunction(
    'sha2(value text, bits int)',
    'text',
    `CASE bits WHEN 224 THEN encode(sha224(value::bytea), 'hex') WHEN 384 THEN encode(sha384(value::bytea), 'hex')
     WHEN 512 THEN encode(sha512(value::bytea), 'hex') WHEN 256 THEN encode(sha256(value::bytea), 'hex')
     WHEN 0 THEN encode(sha256(value::bytea), 'hex') END`.replaceAll('value::bytea', "convert_to(value, 'UTF8')"),
  ),
  sqlFunction(
    'regexp_substr(value text, pattern text)',
    'text',
    "CASE WHEN value IS NOT NULL AND pattern IS NOT NULL THEN coalesce(pg_catalog.regexp_substr(value, pattern), '') END",
  ),
  sqlFunction(
    'regexp_substr(value text, pattern text, start int)',
    'text',
    'redshift.regexp_substr(substr(value, greatest(start, 1)), pattern)',
  ),
  sqlFunction(
    'regexp_substr(value text, pattern text, start int, occurrence int)',
    'text',
    `CASE WHEN occurrence >= 1 THEN
       coalesce(pg_catalog.regexp_substr(value, pattern, greatest(start, 1), occurrence), '') END`,
  ),
  sqlFunction(
    'regexp_substr(value text, pattern text, start int, occurrence int, parameters text)',
    'text',
    `CASE WHEN occurrence >= 1 THEN coalesce(pg_catalog.regexp_substr(value, pattern, greatest(start, 1), occurrence,
       translate(parameters, 'ep', ''), CASE WHEN parameters LIKE '%e%' THEN 1 ELSE 0 END), '') END`,
  ),
  sqlFunction('regexp_replace(value text, pattern text)', 'text', "redshift.regexp_replace(value, pattern, '')"),
  sqlFunction(
    'regexp_replace(value text, pattern text, replacement text)',
    'text',
    'pg_catalog.regexp_replace(value, pattern, replacement, 1, 0)',
  ),
  sqlFunction(
    'regexp_replace(value text, pattern text, replacement text, start int)',
    'text',
    'pg_catalog.regexp_replace(value, pattern, replacement, greatest(start, 1), 0)',
  ),
  sqlFunction(
    'regexp_replace(value text, pattern text, replacement text, start int, parameters text)',
    'text',
    `pg_catalog.regexp_replace(value, pattern, replacement, greatest(start, 1), 0, translate(parameters, 'ep', ''))`,
  ),
];

const JSON_VALUES = [
  sqlFunction('json_parse(value text)', 'jsonb', 'value::jsonb'),
  sqlFunction('json_serialize(value jsonb)', 'text', COMPACT),
  plpgsqlFunction('json_or_null(value text, null_if_invalid boolean)', 'json', JSON_OR_NULL),
  sqlFunction('is_valid_json(value text)', 'boolean', 'value IS JSON OBJECT OR value IS JSON ARRAY'),
  sqlFunction('is_valid_json_array(value text)', 'boolean', 'value IS JSON ARRAY'),
  sqlFunction('can_json_parse(value text)', 'boolean', 'value IS JSON'),
  sqlFunction('json_array_length(value text)', 'int', 'json_array_length(value::json)'),
  sqlFunction(
    'json_array_length(value text, null_if_invalid boolean)',
    'int',
    'json_array_length(redshift.json_or_null(value, null_if_invalid))',
  ),
  sqlFunction('json_extract_array_element_text(value text, place int)', 'text', 'value::json ->> greatest(place, 0)'),
  sqlFunction(
    'json_extract_array_element_text(value text, place int, null_if_invalid boolean)',
    'text',
    'redshift.json_or_null(value, null_if_invalid) ->> greatest(place, 0)',
  ),
  sqlFunction('json_extract_path_text(value text, VARIADIC path text[])', 'text', 'value::json #>> path'),
  ...[1, 2, 3, 4, 5].map((levels) => {
    const elements = Array.from({ length: levels }, (_, level) => `p${level}`);
    return sqlFunction(
      `json_extract_path_text(value text, ${elements.map((p) => `${p} text`).join(', ')}, null_if_invalid boolean)`,
      'text',
      `redshift.json_or_null(value, null_if_invalid) #>> ARRAY[${elements.join(', ')}]`,
    );
  }),
  sqlFunction('json_typeof(value jsonb)', 'text', 'jsonb_typeof(value)'),
  sqlFunction('is_array(value jsonb)', 'boolean', "jsonb_typeof(value) = 'array'"),
  sqlFunction('is_object(value jsonb)', 'boolean', "jsonb_typeof(value) = 'object'"),
  sqlFunction('is_scalar(value jsonb)', 'boolean', "jsonb_typeof(value) NOT IN ('array', 'object')"),
  sqlFunction(
    'get_array_length(value jsonb)',
    'bigint',
    "CASE WHEN jsonb_typeof(value) = 'array' THEN jsonb_array_length(value)::bigint END",
  ),
  sqlFunction('split_to_array(value text)', 'jsonb', "to_jsonb(string_to_array(value, ','))"),
  sqlFunction('split_to_array(value text, delimiter text)', 'jsonb', 'to_jsonb(string_to_array(value, delimiter))'),
  sqlFunction('array_concat(a jsonb, b jsonb)', 'jsonb', 'a || b'),
  sqlFunction(
    'subarray(value jsonb, start int, n int)',
    'jsonb',
    `(SELECT coalesce(jsonb_agg(item ORDER BY place), '[]') FROM jsonb_array_elements(value)
      WITH ORDINALITY AS items(item, place) WHERE place > start AND place <= start + n)`,
  ),
];

const NUMBERS = [
  sqlFunction('round(value float8, digits int)', 'float8', 'round(value::numeric, digits)::float8'),
  sqlFunction('trunc(value float8, digits int)', 'float8', 'trunc(value::numeric, digits)::float8'),
  sqlFunction('dexp(value float8)', 'float8', 'exp(value)'),
  sqlFunction('dlog1(value float8)', 'float8', 'ln(value)'),
  sqlFunction('dlog10(value float8)', 'float8', 'log(value)'),
  sqlFunction(
    'avg_integer(state numeric[])',
    'bigint',
    'CASE WHEN state[1] > 0 THEN trunc(state[2] / state[1])::bigint END',
  ),
  sqlFunction(
    'avg_numeric(state numeric[])',
    'numeric',
    'CASE WHEN state[1] > 0 THEN round(state[2] / state[1], scale(state[2])) END',
  ),
  ...['int2', 'int4', 'int8', 'numeric'].flatMap((type) => [
    sqlFunction(
      `avg_step(state numeric[], value ${type})`,
      'numeric[]',
      'ARRAY[state[1] + 1, state[2] + value]',
      'IMMUTABLE STRICT',
    ),
    `CREATE OR REPLACE AGGREGATE redshift.avg(${type}) (SFUNC = redshift.avg_step, STYPE = numeric[], INITCOND = '{0,0}',
       FINALFUNC = redshift.avg_${type === 'numeric' ? 'numeric' : 'integer'});`,
  ]),
];

/** Creates the schema and everything in it. */
export const FUNCTIONS_SQL: string = [
  `CREATE SCHEMA IF NOT EXISTS ${FUNCTION_SCHEMA};`,
  'SET check_function_bodies = off;',
  ...CLOCK,
  ...NUMBERS,
  ...DATES,
  ...TEXTS,
  ...JSON_VALUES,
  'RESET check_function_bodies;',
].join('\n');
