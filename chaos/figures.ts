/** The template's figures that the simulation goes by; a test compares them with cdk/. */
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

export const START_TIMEOUT_MS = 60 * SECOND_MS;
export const EXTRACT_TIMEOUT_MS = 3 * MINUTE_MS;
export const WRITE_TIMEOUT_MS = 90 * SECOND_MS;
export const VISIBILITY_TIMEOUTS = 6;
export const MAX_RECEIVE_COUNT = 5;
export const EXTRACT_CONCURRENCY = 8;
export const BATCH_RETENTION_MS = 24 * 60 * MINUTE_MS;
export const EXTRACT_RETENTION_MS = 4 * BATCH_RETENTION_MS;
