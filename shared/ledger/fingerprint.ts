/**
 * The fingerprint of a record: for each field that Braze has, the field's id and eight bytes of a hash over its value.
 *
 * It tells which fields changed, and which were sent once and are no longer mapped, without keeping a single value. The
 * hash also takes in the record hash, so that equal values of two people leave different prints.
 *
 * Form: one byte of version, then ten bytes a field (id as unsigned 16 bits, print), ids ascending. A field that is NULL
 * has no entry. Two fingerprints of one version are equal exactly when their bytes are. The version covers the canonical
 * text too (shared/values/json.ts): a change of either makes a new version, and records are compared in their own one.
 */
import { createHash } from 'node:crypto';

export const FINGERPRINT_VERSION = 1;
/** The field dictionary gives ids from 1 to this. */
export const MAX_FIELD_ID = 0xffff;
const ENTRY_BYTES = 10;
const PRINT_BYTES = 8;

/** A field's id and its print, as 16 hex digits. */
export type FieldPrint = { readonly id: number; readonly print: string };

/** What stands for a value that Braze may or may not have: it equals no value's print, so the field is sent again. */
export const UNKNOWN_PRINT = '0'.repeat(PRINT_BYTES * 2);

/** Returns the print of a field's value: 16 hex digits, never UNKNOWN_PRINT. */
export function printOf(recordHash: string, field: string, canonicalText: string): string {
  const print = createHash('sha256')
    .update(`${recordHash}\0${field}=${canonicalText}`)
    .digest('hex')
    .slice(0, PRINT_BYTES * 2);
  return print === UNKNOWN_PRINT ? `${UNKNOWN_PRINT.slice(1)}1` : print;
}

/** Returns the fingerprint of fields whose ids are ascending. @throws Error when they are not, or an id is out of range. */
export function encodeFingerprint(fields: readonly FieldPrint[]): Uint8Array {
  const bytes = Buffer.alloc(1 + fields.length * ENTRY_BYTES);
  bytes[0] = FINGERPRINT_VERSION;
  let offset = 1;
  let last = 0;
  for (const { id, print } of fields) {
    if (id <= last || id > MAX_FIELD_ID) throw new Error(`field id ${id} does not follow ${last}`);
    bytes.writeUInt16BE(id, offset);
    bytes.write(print, offset + 2, 'hex');
    last = id;
    offset += ENTRY_BYTES;
  }
  return bytes;
}

/**
 * Returns the fields of a fingerprint, ids ascending.
 * @throws Error when the bytes are no fingerprint of this version: going on would send or unset the wrong fields.
 */
export function decodeFingerprint(fingerprint: Uint8Array): FieldPrint[] {
  const bytes = Buffer.from(fingerprint.buffer, fingerprint.byteOffset, fingerprint.byteLength);
  if (bytes[0] !== FINGERPRINT_VERSION || (bytes.length - 1) % ENTRY_BYTES !== 0) {
    throw new Error(`a ledger item holds no fingerprint of version ${FINGERPRINT_VERSION}`);
  }
  const fields: FieldPrint[] = [];
  for (let offset = 1; offset < bytes.length; offset += ENTRY_BYTES) {
    fields.push({ id: bytes.readUInt16BE(offset), print: bytes.toString('hex', offset + 2, offset + ENTRY_BYTES) });
  }
  return fields;
}

/** True when both are the same bytes. */
export const sameFingerprint = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Returns eight bytes that stand for a whole fingerprint: what a rejection remembers of the state that was refused. */
export const digestOf = (fingerprint: Uint8Array): string =>
  createHash('sha256')
    .update(fingerprint)
    .digest('hex')
    .slice(0, PRINT_BYTES * 2);
