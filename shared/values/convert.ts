/**
 * Turns warehouse values into what a Braze attribute takes.
 *
 * A converter is made once a field and run, from the column's type and the attribute's type alone, so the form of a
 * value never depends on its row: a column of integers stays integers, and an attribute typed `string` is text in every
 * row. What Braze would refuse or lose silently comes back as Invalid, with a reason that names no value.
 */
import { STANDARD_ATTRIBUTES, type StandardAttribute, type StandardKind } from '../braze/attributes.ts';
import type { AttributeType, FieldMapping } from '../parameters/schema.ts';
import type { ColumnType } from '../warehouse/columns.ts';
import { type Converted, type Converter, Invalid } from './converted.ts';
import { canonicalText, exactNumber, isArray, isDecimal, isObject, type JsonValue, readJson } from './json.ts';
import { checkedNested } from './nested.ts';
import { flag, standardValue } from './standard.ts';
import { checkedText } from './text.ts';
import { flooredTime, isoTime } from './time-text.ts';

type Text = (text: string) => Converted;

const tooManyDigits = new Invalid("has more digits than a JSON number keeps; give the attribute the type 'string'");

const number: Text = (text) => {
  if (!isDecimal(text)) return new Invalid('is no number');
  return exactNumber(text) ?? tooManyDigits;
};

const integer: Text = (text) => {
  const value = number(text);
  return value instanceof Invalid || Number.isInteger(value) ? value : new Invalid('is no whole number');
};

const boolean: Text = (text) => flag(text) ?? new Invalid('is neither true nor false');

const string: Text = (text) => checkedText(text);

const date: Text = (text) => isoTime(text);

/** Any JSON, for a SUPER column without a stated type: scalars are checked like texts and numbers, the rest as nested. */
const json = (value: JsonValue): Converted => {
  if (typeof value === 'string') return checkedText(value);
  return typeof value === 'object' ? checkedNested(value) : value;
};

const array = (value: JsonValue): Converted =>
  isArray(value) ? checkedNested(value) : new Invalid('is no JSON array');
const object = (value: JsonValue): Converted =>
  isObject(value) ? checkedNested(value) : new Invalid('is no JSON object');

/** What each attribute type makes of a text. */
const FROM_TEXT: Readonly<Record<AttributeType, Text>> = {
  string,
  integer,
  float: number,
  boolean,
  date,
  array: (text) => parsed(text, array),
  object: (text) => parsed(text, object),
};

function parsed(text: string, then: (value: JsonValue) => Converted): Converted {
  const read = readJson(text);
  if ('problem' in read) return new Invalid(read.problem);
  return read.value === null ? null : then(read.value);
}

/** The attribute type of a column for which the parameter file states none; SUPER takes any JSON. */
const DEFAULT_TYPE: Readonly<Record<ColumnType, AttributeType | undefined>> = {
  integer: 'integer',
  decimal: 'float',
  float: 'float',
  boolean: 'boolean',
  text: 'string',
  date: 'date',
  timestamp: 'date',
  timestamptz: 'date',
  time: 'string',
  super: undefined,
};

/** The attribute types that a column can fill. */
const TYPES_OF: Readonly<Record<ColumnType, readonly AttributeType[]>> = {
  integer: ['integer', 'float', 'string', 'boolean'],
  decimal: ['float', 'integer', 'string'],
  float: ['float', 'integer', 'string'],
  boolean: ['boolean', 'string'],
  text: ['string', 'integer', 'float', 'boolean', 'date', 'array', 'object'],
  date: ['date', 'string'],
  timestamp: ['date', 'string'],
  timestamptz: ['date', 'string'],
  time: ['string'],
  super: ['string', 'integer', 'float', 'boolean', 'date', 'array', 'object'],
};

/** The column types that a kind of standard attribute can be filled from. */
const COLUMNS_OF: Readonly<Record<StandardKind, readonly ColumnType[]>> = {
  text: ['text', 'integer', 'decimal', 'super'],
  email: ['text'],
  phone: ['text', 'integer'],
  country: ['text'],
  language: ['text'],
  gender: ['text'],
  birth_date: ['date', 'timestamp', 'timestamptz', 'text'],
  time_zone: ['text'],
  subscription_state: ['text'],
  flag: ['boolean', 'integer', 'text'],
  location: ['super', 'text'],
  time: ['date', 'timestamp', 'timestamptz', 'text'],
  url: ['text'],
  profile: ['super', 'text'],
};

/** Returns why a column of this type can't fill the field, or undefined when it can. */
export const typeProblem = (field: FieldMapping, column: ColumnType): string | undefined =>
  mappingProblem(field, column) ?? resolutionProblem(field, column);

function resolutionProblem({ attribute, type, resolution }: FieldMapping, column: ColumnType): string | undefined {
  if (resolution === undefined) return undefined;
  const wanted = type ?? DEFAULT_TYPE[column];
  const isTime = wanted === 'date';
  const isNumber = wanted === 'integer' || wanted === 'float';
  if ('ms' in resolution ? isTime : isNumber) return undefined;
  return `'${attribute}' has a resolution, which for ${wanted ?? column} can't be ${'ms' in resolution ? 'a duration' : 'a number'}`;
}

function mappingProblem(field: FieldMapping, column: ColumnType): string | undefined {
  if (field.standard) {
    const allowed = COLUMNS_OF[kindOf(field)];
    if (allowed.includes(column)) return undefined;
    return `'${field.attribute}' takes a column of type ${allowed.join(', ')}; '${field.property}' is ${column}`;
  }
  if (field.type === undefined || TYPES_OF[column].includes(field.type)) return undefined;
  return `'${field.attribute}' of type ${field.type} can't be filled from '${field.property}', which is ${column} (it can be ${TYPES_OF[column].join(', ')})`;
}

const kindOf = (field: FieldMapping): StandardKind => STANDARD_ATTRIBUTES[field.attribute as StandardAttribute];

/** Returns the converter of a field whose column has this type (see typeProblem for the pairs that have none). */
export function converterOf(field: FieldMapping, column: ColumnType): Converter {
  const exact = exactConverter(field, column);
  const { resolution } = field;
  if (resolution === undefined) return exact;
  return (raw) => rounded(exact(raw), resolution);
}

/** Rounds down, so that a value stays what it is until it has grown by the resolution. */
function rounded(value: Converted, resolution: NonNullable<FieldMapping['resolution']>): Converted {
  if ('step' in resolution) return typeof value === 'number' ? floorTo(value, resolution.step) : value;
  return typeof value === 'string' ? flooredTime(value, resolution.ms) : value;
}

/**
 * Multiples of a decimal step have no longer fractions than the step itself. The quotient is not exact (0.7 / 0.1 is below
 * 7), so the nearest multiple is compared with the value. Where a step is too fine for the value's digits, it stays.
 */
function floorTo(value: number, step: number): number {
  const nearest = Math.round(value / step);
  if (!Number.isSafeInteger(nearest)) return value;
  const multiple = (times: number): number => Number((times * step).toFixed(decimalsOf(step))) + 0;
  return multiple(nearest) > value ? multiple(nearest - 1) : multiple(nearest);
}

function decimalsOf(step: number): number {
  const [digits = '', exponent = '0'] = String(step).split('e');
  const decimals = (digits.split('.')[1] ?? '').length - Number(exponent);
  return Math.min(100, Math.max(0, decimals));
}

function exactConverter(field: FieldMapping, column: ColumnType): Converter {
  const fromText = field.standard ? standardText(kindOf(field), column) : customText(field.type, column);
  const native = nativeConverter(field.standard ? undefined : (field.type ?? DEFAULT_TYPE[column]), column);
  return (raw) => {
    if (raw === null) return null;
    if (typeof raw !== 'string') return native ? native(raw) : fromText(warehouseText(raw, column));
    return fromText(column === 'timestamp' || column === 'timestamptz' ? withZone(raw) : raw);
  };
}

/** Numbers and booleans that already are what the attribute takes skip their way through text. */
function nativeConverter(
  type: AttributeType | undefined,
  column: ColumnType,
): ((raw: number | boolean) => Converted) | undefined {
  if (column === 'boolean' && type === 'boolean') return (raw) => raw === true;
  if (column !== 'float' || type !== 'float') return undefined;
  return (raw) => (typeof raw === 'number' && Number.isFinite(raw) ? raw + 0 : new Invalid('is no finite number'));
}

const warehouseText = (raw: number | boolean, column: ColumnType): string =>
  column === 'boolean' ? String(raw === true) : String(raw);

/** A time without a zone gets a time of day, so that midnight stays a time and does not become a date. */
const withZone = (text: string): string => (/^\d{4,6}-\d\d-\d\d$/.test(text) ? `${text} 00:00:00` : text);

function standardText(kind: StandardKind, column: ColumnType): Text {
  if (column !== 'super' || kind === 'location' || kind === 'profile') return (text) => standardValue(kind, text);
  return (text) =>
    parsed(text, (value) =>
      typeof value === 'object' ? new Invalid('is no text') : standardValue(kind, String(value)),
    );
}

function customText(type: AttributeType | undefined, column: ColumnType): Text {
  const wanted = type ?? DEFAULT_TYPE[column];
  if (column !== 'super') return FROM_TEXT[wanted ?? 'string'];
  if (wanted === undefined) return (text) => parsed(text, json);
  if (wanted === 'array' || wanted === 'object') return FROM_TEXT[wanted];
  return (text) => parsed(text, (value) => FROM_TEXT[wanted](scalarText(value)));
}

const scalarText = (value: JsonValue): string => (typeof value === 'string' ? value : canonicalText(value));
