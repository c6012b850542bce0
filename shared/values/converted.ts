/** What becomes of a warehouse value on its way to a Braze attribute. */
import type { JsonValue } from './json.ts';

/** A value as the Data API gives it, after the casts of the generated SQL: digits stay text, SUPER is JSON text. */
export type RawValue = string | number | boolean | null;

/** A value that Braze would refuse, or lose silently. The reason names no value: reasons are logged and stored. */
export class Invalid {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A value to send, null for NULL, or why it can't be sent. */
export type Converted = JsonValue | Invalid;

export type Converter = (raw: RawValue) => Converted;
