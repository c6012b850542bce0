/**
 * The functions that Redshift documents, by the sections of its reference, in lower case. Spatial functions and machine
 * learning are left out. Functions that only run on the leader node, or only on the compute nodes, are listed again.
 * Source: Amazon Redshift Database Developer Guide, 'SQL functions reference' and its sections.
 */

/** Section to the functions that may be called with parentheses. */
export const REDSHIFT_FUNCTIONS = {
  aggregate: [
    ...['any_value', 'avg', 'count', 'listagg', 'max', 'median', 'min', 'percentile_cont', 'percentile_disc', 'sum'],
    ...['stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop'],
  ],
  bitwiseAggregate: ['bit_and', 'bit_or', 'bool_and', 'bool_or'],
  array: ['array', 'array_concat', 'array_flatten', 'get_array_length', 'split_to_array', 'subarray'],
  varbyte: ['from_hex', 'from_varbyte', 'getbit', 'to_hex', 'to_varbyte'],
  conditional: ['coalesce', 'decode', 'greatest', 'least', 'nullif', 'nvl', 'nvl2'],
  formatting: ['cast', 'convert', 'text_to_int_alt', 'text_to_numeric_alt', 'to_char', 'to_date', 'to_number'],
  date: [
    ...['add_months', 'convert_timezone', 'date_cmp', 'date_cmp_timestamp', 'date_cmp_timestamptz', 'date_part'],
    ...['date_part_year', 'date_trunc', 'dateadd', 'datediff', 'extract', 'getdate', 'interval_cmp', 'last_day'],
    ...['months_between', 'next_day', 'timeofday', 'timestamp_cmp', 'timestamp_cmp_date', 'timestamp_cmp_timestamptz'],
    ...['timestamptz_cmp', 'timestamptz_cmp_date', 'timestamptz_cmp_timestamp', 'timezone', 'to_timestamp', 'trunc'],
  ],
  hash: ['checksum', 'farmfingerprint64', 'fnv_hash', 'func_sha1', 'md5', 'murmur3_32_hash', 'sha', 'sha1', 'sha2'],
  hyperLogLog: ['hll', 'hll_cardinality', 'hll_combine', 'hll_create_sketch'],
  json: [
    ...['is_valid_json', 'is_valid_json_array', 'json_array_length', 'json_extract_array_element_text'],
    ...['json_extract_path_text', 'json_parse', 'json_serialize'],
  ],
  math: [
    ...['abs', 'acos', 'asin', 'atan', 'atan2', 'cbrt', 'ceil', 'ceiling', 'cos', 'cot', 'degrees', 'dexp', 'dlog1'],
    ...[
      'dlog10',
      'exp',
      'floor',
      'ln',
      'log',
      'mod',
      'pi',
      'pow',
      'power',
      'radians',
      'random',
      'round',
      'sign',
      'sin',
    ],
    ...['sqrt', 'tan', 'to_hex', 'trunc'],
  ],
  object: ['object'],
  string: [
    ...['ascii', 'bpcharcmp', 'btrim', 'bttext_pattern_cmp', 'char_length', 'character_length', 'charindex', 'chr'],
    ...['collate', 'concat', 'crc32', 'difference', 'initcap', 'left', 'len', 'length', 'lower', 'lpad', 'ltrim'],
    ...['octet_length', 'octetindex', 'position', 'quote_ident', 'quote_literal', 'regexp_count', 'regexp_instr'],
    ...['regexp_replace', 'regexp_substr', 'repeat', 'replace', 'replicate', 'reverse', 'right', 'rpad', 'rtrim'],
    ...['soundex', 'split_part', 'strpos', 'strtol', 'substr', 'substring', 'textlen', 'translate', 'trim', 'upper'],
  ],
  superTypes: [
    ...['decimal_precision', 'decimal_scale', 'is_array', 'is_bigint', 'is_boolean', 'is_char', 'is_decimal'],
    ...['is_float', 'is_integer', 'is_object', 'is_scalar', 'is_smallint', 'is_varchar', 'json_size', 'json_typeof'],
    'size',
  ],
  window: [
    ...['cume_dist', 'dense_rank', 'first_value', 'lag', 'last_value', 'lead', 'nth_value', 'ntile', 'percent_rank'],
    ...['rank', 'ratio_to_report', 'row_number'],
  ],
  system: [
    ...['current_database', 'current_schema', 'current_schemas', 'has_database_privilege', 'has_schema_privilege'],
    ...['has_table_privilege', 'pg_backend_pid', 'pg_last_query_id', 'version'],
  ],
} as const satisfies Record<string, readonly string[]>;

/**
 * Fail in a statement that reads a table; the first are deprecated altogether. With or without parentheses.
 * Source: 'Leader node-only functions'.
 */
export const LEADER_NODE_ONLY: ReadonlySet<string> = new Set([
  ...['age', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp', 'isfinite', 'now'],
  ...['get_bit', 'get_byte', 'set_bit', 'set_byte', 'to_ascii'],
  ...['current_schema', 'current_schemas', 'has_database_privilege', 'has_schema_privilege', 'has_table_privilege'],
  ...['substr', 'factorial', 'log'],
]);

/** Fail in a statement that reads no table. Source: 'Compute node-only functions'. */
export const COMPUTE_NODE_ONLY: ReadonlySet<string> = new Set([
  ...['listagg', 'median', 'percentile_cont', 'percentile_disc'],
]);

/** Types that a value may be cast to. Source: 'Data types'. */
export const REDSHIFT_TYPES: ReadonlySet<string> = new Set([
  ...['smallint', 'int2', 'integer', 'int', 'int4', 'bigint', 'int8', 'decimal', 'numeric', 'real', 'float4', 'float'],
  ...['float8', 'double precision', 'boolean', 'bool', 'char', 'character', 'nchar', 'bpchar', 'varchar', 'nvarchar'],
  ...['character varying', 'text', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'super'],
  ...['varbyte', 'varbinary', 'binary varying', 'geometry', 'geography', 'hllsketch'],
]);
