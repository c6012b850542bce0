/**
 * The environment variables of each function, as one schema each: the stack must set exactly these (a missing one does
 * not compile), and the handler parses them when it starts.
 */
import * as z from 'zod';

const Common = z.object({ ENVIRONMENT: z.string().min(1), RUNS_TABLE: z.string().min(1) });

/** Deliveries of a message before it becomes a dead letter. */
const MaxReceiveCount = z.coerce.number().int().min(1);

/** As the stack sets them, all variables are texts. */
type Texts<S extends z.ZodType> = { [name in keyof z.output<S>]: string };

export const StartRunEnvironment = Common.extend({ EXTRACT_QUEUE_URL: z.string().min(1) });
export type StartRunEnvironment = z.input<typeof StartRunEnvironment>;

export const ExtractShardEnvironment = Common.extend({
  LEDGER_TABLE: z.string().min(1),
  EXTRACT_QUEUE_URL: z.string().min(1),
  /** JSON: the batch queue's URL by the Braze app's name. */
  BATCH_QUEUE_URLS: z.string().min(2),
  MAX_RECEIVE_COUNT: MaxReceiveCount,
});
export type ExtractShardEnvironment = Texts<typeof ExtractShardEnvironment>;

export const WriteBatchEnvironment = Common.extend({
  LEDGER_TABLE: z.string().min(1),
  BATCH_QUEUE_URL: z.string().min(1),
  BRAZE_APP: z.string().min(1),
  MAX_RECEIVE_COUNT: MaxReceiveCount,
});
export type WriteBatchEnvironment = Texts<typeof WriteBatchEnvironment>;
