/** What a worker tells of one seed. */
import * as z from 'zod';

export const Told = z.object({
  seed: z.number(),
  runs: z.number(),
  invocations: z.number(),
  requests: z.number(),
  durationMs: z.number(),
  faults: z.record(z.string(), z.number()),
  violation: z.object({ invariant: z.string(), text: z.string(), at: z.number() }).optional(),
});
export type Told = z.infer<typeof Told>;
