/**
 * A row on its way from the warehouse: its values in the form that Braze takes, and the fingerprint they would leave.
 *
 * A shape is made once a run, from the parameters, the model's columns and the field dictionary; rows are read by it
 * without looking at anything else.
 */
import { NEVER_NULL } from '../braze/attributes.ts';
import { FatalError } from '../errors.ts';
import { encodeFingerprint, type FieldPrint, printOf } from '../ledger/fingerprint.ts';
import { type Dictionary, fieldName, groupName } from '../ledger/ledger.ts';
import { recordHash } from '../ledger/record-hash.ts';
import { type Destination, fieldsOf } from '../parameters/schema.ts';
import { converterOf } from '../values/convert.ts';
import { type Converter, Invalid, type RawValue } from '../values/converted.ts';
import { canonicalText, type JsonValue } from '../values/json.ts';
import type { Column } from '../warehouse/columns.ts';

/** A field of the destination: where its value stands in a row and what it becomes. */
export type Field = {
  readonly id: number;
  readonly attribute: string;
  /** Position among the result's columns. */
  readonly position: number;
  readonly convert: Converter;
  readonly neverNull: boolean;
  /** Least time between two updates of one user, ms. */
  readonly minIntervalMs?: number | undefined;
};

/** A subscription group of the destination. */
export type Membership = { readonly id: number; readonly subscriptionGroupId: string; readonly position: number };

export type Shape = {
  readonly fields: readonly Field[];
  readonly memberships: readonly Membership[];
  readonly omitInvalid: boolean;
};

/** Why a value, or a whole record, is not sent. Names no value. */
export type Problem = { readonly field: string; readonly reason: string };

export type Row = {
  readonly hash: string;
  readonly primaryKey: string;
  /** Why the record can't be sent at all. */
  readonly rejection?: Problem | undefined;
  /** Values by position in `shape.fields`; null for NULL and for what is carried. */
  readonly values: readonly JsonValue[];
  /** By position in `shape.memberships`. */
  readonly members: readonly boolean[];
  /** Of all fields that are not NULL and groups that have the record as a member. */
  readonly fingerprint: Uint8Array;
  /** Fields that stay in Braze as they are: invalid ones that are omitted, and NULL where null is never sent. By id. */
  readonly carried: readonly number[];
  readonly omitted: readonly Problem[];
  /** Token of the result page that holds the row. */
  readonly pageToken: string | undefined;
};

/** The result's first columns are the record hash and the primary key. */
const FIRST_PROPERTY = 2;

/**
 * Returns the properties that a shard's statement selects, each once, in the order in which a shape expects them. The
 * order is that of the names, not that of the file: who puts its lines into another order while a run is under way deploys the
 * same parameters, and the run goes on with statements that were submitted before.
 */
export const selectedProperties = (destination: Destination): string[] =>
  [...new Set(fieldsOf(destination).map((field) => field.property))].sort();

/** Returns the groups that a shard's statement selects, in the order in which a shape expects them: that of their names. */
export const selectedGroups = (destination: Destination): string[] =>
  Object.keys(destination.subscriptionGroups).sort();

/** Returns the dictionary names of everything that the destination sends. */
export const dictionaryNames = (destination: Destination): string[] => [
  ...fieldsOf(destination).map((field) => fieldName(field.attribute)),
  ...Object.values(destination.subscriptionGroups).map((id) => groupName(id.toLowerCase())),
];

/** Returns the shape of a destination's rows. The dictionary holds all of dictionaryNames. */
export function shapeOf(destination: Destination, column: (property: string) => Column, dictionary: Dictionary): Shape {
  const properties = selectedProperties(destination);
  const idOf = (name: string): number => {
    const id = dictionary.idByName.get(name);
    if (id === undefined) throw new Error(`the field dictionary lacks '${name}'`);
    return id;
  };
  const fields = fieldsOf(destination).map((field) => ({
    id: idOf(fieldName(field.attribute)),
    attribute: field.attribute,
    position: FIRST_PROPERTY + properties.indexOf(field.property),
    convert: converterOf(field, column(field.property).type),
    neverNull: NEVER_NULL.has(field.attribute),
    ...(field.minIntervalMs === undefined ? {} : { minIntervalMs: field.minIntervalMs }),
  }));
  const memberships = selectedGroups(destination).map((group, index) => {
    const subscriptionGroupId = (destination.subscriptionGroups[group] ?? '').toLowerCase();
    return {
      id: idOf(groupName(subscriptionGroupId)),
      subscriptionGroupId,
      position: FIRST_PROPERTY + properties.length + index,
    };
  });
  return {
    fields: fields.sort(byId),
    memberships: memberships.sort(byId),
    omitInvalid: destination.invalidValues === 'omit',
  };
}

const byId = (a: { id: number }, b: { id: number }): number => a.id - b.id;

/** Braze takes at most this. Source: Braze, 'POST: Create and update users'. */
const MAX_EXTERNAL_ID_BYTES = 987;

/** Returns why Braze would refuse a primary key as external_id, or undefined. */
function primaryKeyProblem(primaryKey: string): string | undefined {
  if (primaryKey.trim() === '') return 'the primary key is empty';
  // Half a character is in no UTF-8: two such keys could have one record hash.
  if (!primaryKey.isWellFormed()) return 'the primary key is no valid Unicode (a lone surrogate)';
  if (primaryKey.includes('\0')) return 'the primary key holds a NUL character';
  const bytes = Buffer.byteLength(primaryKey);
  if (bytes > MAX_EXTERNAL_ID_BYTES) return `the primary key is longer than ${MAX_EXTERNAL_ID_BYTES} bytes (${bytes})`;
  return undefined;
}

const NOTHING = encodeFingerprint([]);

/**
 * Returns a row of the result, read by its shape.
 * @throws FatalError when the record hash is not the one of the primary key: ledger and warehouse would not meet.
 */
export function readRow(shape: Shape, record: readonly RawValue[], pageToken: string | undefined): Row {
  const [hash, key] = record;
  if (key === null || key === undefined) {
    const rejection = { field: 'external_id', reason: 'the primary key is NULL' };
    return { hash: '', primaryKey: '', rejection, ...EMPTY, pageToken };
  }
  const primaryKey = String(key);
  const expected = recordHash(primaryKey);
  if (hash !== expected) {
    throw new FatalError(
      `the warehouse gave a record hash that is not the md5 of its primary key (${expected} expected)`,
      'Check that the primary key is a text or a whole number in UTF-8.',
    );
  }
  const problem = primaryKeyProblem(primaryKey);
  if (problem)
    return { hash: expected, primaryKey, rejection: { field: 'external_id', reason: problem }, ...EMPTY, pageToken };
  return { hash: expected, primaryKey, ...readFields(shape, record, expected), pageToken };
}

const EMPTY = { values: [], members: [], fingerprint: NOTHING, carried: [], omitted: [] } as const;

function readFields(
  shape: Shape,
  record: readonly RawValue[],
  hash: string,
): Omit<Row, 'hash' | 'primaryKey' | 'pageToken'> {
  const prints: FieldPrint[] = [];
  const carried: number[] = [];
  const problems: Problem[] = [];
  const values = shape.fields.map((field) => {
    const value = field.convert(record[field.position] ?? null);
    if (value instanceof Invalid) {
      problems.push({ field: field.attribute, reason: value.reason });
      carried.push(field.id);
      return null;
    }
    if (value === null) {
      if (field.neverNull) carried.push(field.id);
      return null;
    }
    prints.push({ id: field.id, print: printOf(hash, field.attribute, canonicalText(value)) });
    return value;
  });
  const members = shape.memberships.map((membership) => record[membership.position] === true);
  shape.memberships.forEach(({ id, subscriptionGroupId }, index) => {
    if (members[index]) prints.push({ id, print: printOf(hash, subscriptionGroupId, 'subscribed') });
  });
  const rejection = shape.omitInvalid ? undefined : problems[0];
  const fingerprint = encodeFingerprint(prints.sort(byId));
  return { rejection, values, members, fingerprint, carried, omitted: shape.omitInvalid ? problems : [] };
}
