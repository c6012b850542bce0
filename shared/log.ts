/** Structured logs: an event in words, and data that is never personal (record hashes and counts only). */
export type LogData = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = {
  readonly info: (event: string, data?: LogData) => void;
  readonly warn: (event: string, data?: LogData) => void;
  readonly error: (event: string, data?: LogData) => void;
};
