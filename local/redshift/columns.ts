/**
 * Columns of a result as the Redshift Data API shows them: their metadata, and each value as a `Field`.
 *
 * A value comes as PostgreSQL's text and leaves as JSON text, without ever being a JavaScript number: the digits on the
 * wire are exact. Types that Redshift does not have are refused, so that nobody relies on them.
 * Sources: Redshift Data API, 'ColumnMetadata'; Management Guide, 'Mapping JDBC data types when calling the Amazon
 * Redshift Data API' and the `get-statement-result` example there (precision and scale of each type).
 */
import { type ColumnOrigin, type DescribedColumn, originKey, type Row, StatementError } from './database.ts';

type Kind = 'long' | 'double' | 'boolean' | 'string';
type TypeShape = {
  readonly typeName: string;
  readonly kind: Kind;
  readonly precision: number;
  readonly scale?: number;
  readonly text?: (text: string) => string;
};

/** A SUPER value as compact JSON; white space within strings stays. */
const compactJson = (text: string): string => text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');

const VARCHAR: TypeShape = { typeName: 'varchar', kind: 'string', precision: 65_535 };
const SUPER: TypeShape = { typeName: 'super', kind: 'string', precision: 0, text: compactJson };
const NUMERIC_TYPE_ID = 1700;
const SIZED_TYPE_IDS: ReadonlySet<number> = new Set([1042, 1043]);

/** PostgreSQL's type ids, which never change, to Redshift's types. */
const TYPES: ReadonlyMap<number, TypeShape> = new Map<number, TypeShape>([
  [21, { typeName: 'int2', kind: 'long', precision: 5 }],
  [23, { typeName: 'int4', kind: 'long', precision: 10 }],
  [20, { typeName: 'int8', kind: 'long', precision: 19 }],
  [700, { typeName: 'float4', kind: 'double', precision: 8, scale: 8 }],
  [701, { typeName: 'float8', kind: 'double', precision: 17, scale: 17 }],
  [NUMERIC_TYPE_ID, { typeName: 'numeric', kind: 'string', precision: 38 }],
  [16, { typeName: 'bool', kind: 'boolean', precision: 1 }],
  [1043, VARCHAR],
  [25, VARCHAR],
  [19, VARCHAR],
  [705, VARCHAR],
  [2950, VARCHAR],
  [1042, { typeName: 'bpchar', kind: 'string', precision: 4096 }],
  [1082, { typeName: 'date', kind: 'string', precision: 13 }],
  [1114, { typeName: 'timestamp', kind: 'string', precision: 29, scale: 6 }],
  [1184, { typeName: 'timestamptz', kind: 'string', precision: 35, scale: 6 }],
  [1083, { typeName: 'time', kind: 'string', precision: 15, scale: 6 }],
  [1266, { typeName: 'timetz', kind: 'string', precision: 21, scale: 6 }],
  [114, SUPER],
  [3802, SUPER],
  [17, { typeName: 'varbyte', kind: 'string', precision: 0, text: (text) => text.slice(2) }],
]);

export type ColumnMetadata = {
  readonly isCaseSensitive: boolean;
  readonly isCurrency: false;
  readonly isSigned: boolean;
  readonly label: string;
  readonly length: 0;
  readonly name: string;
  readonly nullable: 0 | 1;
  readonly precision: number;
  readonly scale: number;
  readonly schemaName: string;
  readonly tableName: string;
  readonly typeName: string;
};

export type ResultColumns = {
  /** Returns the rows as the JSON text of `Records`, an array of arrays of fields. */
  encode(rows: readonly Row[]): string;
  /** Returns the metadata; complete only after the last row, as a computed NUMERIC shows its scale in its values. */
  metadata(): ColumnMetadata[];
};

/**
 * Takes the columns as PostgreSQL describes them.
 * @throws StatementError when a column's type is none of Redshift's: the statement fails.
 */
export function resultColumns(
  described: readonly DescribedColumn[],
  origins: ReadonlyMap<string, ColumnOrigin>,
): ResultColumns {
  const columns = described.map((column) => ({ column, type: typeOf(column), scale: { seen: 0 } }));
  const encoders = columns.map(({ column, type, scale }) => {
    const encode = encoderOf(type);
    if (column.typeId !== NUMERIC_TYPE_ID || column.typeModifier !== -1) return encode;
    return (text: string) => {
      scale.seen = Math.max(scale.seen, scaleOf(text));
      return encode(text);
    };
  });
  return {
    encode: (rows) => `[${rows.map((row) => `[${encodeRow(row, encoders)}]`).join(',')}]`,
    metadata: () =>
      columns.map(({ column, type, scale }) => metadataOf(column, type, scale.seen, origins.get(originKey(column)))),
  };
}

function typeOf({ name, typeId }: DescribedColumn): TypeShape {
  const type = TYPES.get(typeId);
  if (type !== undefined) return type;
  throw new StatementError(
    `ERROR: column "${name}" has a type that Redshift does not return (PostgreSQL type id ${typeId}): arrays, intervals and PostgreSQL's own types are not imitated, cast it`,
  );
}

type Encoder = (text: string) => string;

const ENCODERS: Readonly<Record<Kind, Encoder>> = {
  long: (text) => `{"longValue":${text}}`,
  double: (text) => `{"doubleValue":${/\d/.test(text) ? text : `"${text}"`}}`,
  boolean: (text) => `{"booleanValue":${text === 't'}}`,
  string: (text) => `{"stringValue":${JSON.stringify(text)}}`,
};

function encoderOf({ kind, text }: TypeShape): Encoder {
  const encode = ENCODERS[kind];
  return text === undefined ? encode : (value) => encode(text(value));
}

function encodeRow({ values }: Row, encoders: readonly Encoder[]): string {
  let json = '';
  for (const [at, value] of values.entries()) {
    if (at > 0) json += ',';
    json += value === null ? '{"isNull":true}' : encoders[at]?.(value);
  }
  return json;
}

const scaleOf = (text: string): number => (text.includes('.') ? text.length - text.indexOf('.') - 1 : 0);

function metadataOf(
  column: DescribedColumn,
  type: TypeShape,
  seenScale: number,
  origin: ColumnOrigin | undefined,
): ColumnMetadata {
  const size = sizeOf(column);
  const isNumber = type.kind === 'long' || type.kind === 'double' || column.typeId === NUMERIC_TYPE_ID;
  return {
    isCaseSensitive: SIZED_TYPE_IDS.has(column.typeId) || type === VARCHAR,
    isCurrency: false,
    isSigned: isNumber,
    label: column.name,
    length: 0,
    name: column.name,
    nullable: origin === undefined || origin.isNullable ? 1 : 0,
    precision: size?.precision ?? type.precision,
    scale: size?.scale ?? type.scale ?? seenScale,
    schemaName: origin?.schema ?? '',
    tableName: origin?.table ?? '',
    typeName: type.typeName,
  };
}

/** A type modifier is a size plus 4; a NUMERIC's has the precision in its upper half and the scale in its lower 11 bits. */
function sizeOf({ typeId, typeModifier }: DescribedColumn): { precision: number; scale: number } | undefined {
  if (typeModifier < 4) return undefined;
  const size = typeModifier - 4;
  if (SIZED_TYPE_IDS.has(typeId)) return { precision: size, scale: 0 };
  return typeId === NUMERIC_TYPE_ID ? { precision: size >> 16, scale: size & 0x7ff } : undefined;
}
