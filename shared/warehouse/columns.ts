/** The types of a model's columns, as far as they decide how a value is read. */

export type ColumnType =
  | 'integer'
  | 'decimal'
  | 'float'
  | 'boolean'
  | 'text'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'time'
  | 'super';

export type Column = {
  readonly name: string;
  readonly type: ColumnType;
  /** A CHAR column: its values are filled up with blanks that mean nothing. */
  readonly padded?: boolean;
};

/** Redshift's type names, as the Data API reports them, and their aliases. Source: Amazon Redshift, 'Data types'. */
const TYPES: Readonly<Record<string, ColumnType>> = {
  int2: 'integer',
  smallint: 'integer',
  int4: 'integer',
  int: 'integer',
  integer: 'integer',
  int8: 'integer',
  bigint: 'integer',
  oid: 'integer',
  numeric: 'decimal',
  decimal: 'decimal',
  float4: 'float',
  real: 'float',
  float8: 'float',
  'double precision': 'float',
  bool: 'boolean',
  boolean: 'boolean',
  varchar: 'text',
  'character varying': 'text',
  nvarchar: 'text',
  text: 'text',
  char: 'text',
  character: 'text',
  nchar: 'text',
  bpchar: 'text',
  name: 'text',
  unknown: 'text',
  date: 'date',
  timestamp: 'timestamp',
  'timestamp without time zone': 'timestamp',
  timestamptz: 'timestamptz',
  'timestamp with time zone': 'timestamptz',
  time: 'time',
  timetz: 'time',
  'time without time zone': 'time',
  'time with time zone': 'time',
  super: 'super',
};

/** Returns the column type behind a Redshift type name, or undefined for one that has no place in a Braze profile (geometry, varbyte, …). */
export const columnType = (typeName: string): ColumnType | undefined => {
  const name = typeName.toLowerCase();
  return Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
};

/** True for CHAR and its aliases. Source: Amazon Redshift, 'Character types' (trailing blanks are insignificant). */
export const isPadded = (typeName: string): boolean => /^(bpchar|char|character|nchar)$/i.test(typeName);
