/**
 * The environment variables of each function, as one schema each: the stack must set exactly these (a missing one does
 * not compile), and the handler parses them when it starts.
 */
import * as z from 'zod';

const Common = z.object({ ENVIRONMENT: z.string().min(1), RUNS_TABLE: z.string().min(1) });

export const StartRunEnvironment = Common.extend({ EXTRACT_QUEUE_URL: z.string().min(1) });
export type StartRunEnvironment = z.input<typeof StartRunEnvironment>;

export const ExtractShardEnvironment = Common.extend({
  LEDGER_TABLE: z.string().min(1),
  EXTRACT_QUEUE_URL: z.string().min(1),
  /** JSON: the batch queue's URL by the Braze app's name. */
  BATCH_QUEUE_URLS: z.string().min(2),
});
export type ExtractShardEnvironment = z.input<typeof ExtractShardEnvironment>;

export const WriteBatchEnvironment = Common.extend({
  LEDGER_TABLE: z.string().min(1),
  BATCH_QUEUE_URL: z.string().min(1),
  BRAZE_APP: z.string().min(1),
  /** Deliveries of a message before it goes to the dead-letter queue. */
  MAX_RECEIVE_COUNT: z.coerce.number().int().min(1),
});
export type WriteBatchEnvironment = { [name in keyof z.input<typeof WriteBatchEnvironment>]: string };
