/** What the steps of the extract queue need. */
import type { Ledger } from '../ledger/ledger.ts';
import type { Parameters, RedshiftApp } from '../parameters/schema.ts';
import type { Warehouse } from '../warehouse/data-api.ts';
import type { CloseDeps } from './close.ts';
import type { Queue } from './queue.ts';

export type ExtractDeps = CloseDeps & {
  readonly parameters: Parameters;
  readonly ledger: Ledger;
  readonly warehouse: (app: RedshiftApp) => Warehouse;
  readonly extractQueue: Queue;
  /** The batch queue of a Braze app, by the app's name. */
  readonly batchQueue: (app: string) => Queue;
  /** Milliseconds until this invocation is stopped. */
  readonly remainingMs: () => number;
  /** Returns a name that no other reading of a shard has. */
  readonly newEpoch: () => string;
};

/** An invocation hands its work back when less than this is left: enough for the calls that are under way. */
export const RESERVE_MS = 20_000;

/** Returns how long to wait before asking about a statement again, in seconds: soon at first, then less often. */
export const pollDelaySeconds = (polls: number): number => Math.min(30, 2 ** Math.min(polls, 5));
