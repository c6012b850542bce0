/**
 * A strict emulator of Braze's REST API on 127.0.0.1, for tests and for trying a whole sync without an account.
 *
 * It enforces what Braze documents and, in strict mode, also refuses what Braze would accept and silently lose, each
 * time with a recorded violation: a test that ends with no violations has sent nothing that Braze would drop. Its
 * checks are written apart from the product's own, as a second opinion on them.
 *
 * Time is the given clock's, so that delays and rate windows pass when a test says so; only `latencyMs` and slow answers
 * take real time. Profiles live in memory and, with `statePath`, in a file between runs.
 */
import { createServer } from 'node:http';
import { createApplying } from './applying.ts';
import type { Key } from './authorization.ts';
import { applyEffect } from './effects.ts';
import { createFaults, type Fault } from './faults.ts';
import { createInFlight } from './in-flight.ts';
import { createLog, type LoggedRequest, type Violation } from './log.ts';
import { createPipeline } from './pipeline.ts';
import { type BrazeUser, createProfiles, userOf } from './profiles.ts';
import { createRateLimits } from './rate-limits.ts';
import { type BrazeEmulatorSettings, settingsWith } from './settings.ts';
import { loadState, saveState } from './state-file.ts';

export type { Key, Permission } from './authorization.ts';
export type { Fault } from './faults.ts';
export type { LoggedRequest, Violation } from './log.ts';
export type { BrazeUser } from './profiles.ts';
export type { BrazeEmulatorSettings, ForcedType, RateWindow } from './settings.ts';

export type BrazeEmulatorOptions = {
  /** Keys that it knows; one without permissions has all. */
  keys: readonly Key[];
  /** Any well-formed key is taken, with all permissions. Default false. */
  acceptAnyKey?: boolean;
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  port?: number;
  /** JSON file: read at the start when it exists, written by `save` and `close`. */
  statePath?: string;
  /** Epoch ms; the default is `Date.now`. */
  now?: () => number;
  settings?: Partial<BrazeEmulatorSettings>;
};

export type BrazeEmulator = {
  readonly url: string;
  readonly port: number;
  /** May be changed at any time. */
  readonly settings: BrazeEmulatorSettings;
  /** Every profile in order of creation, as deep copies. */
  users(): BrazeUser[];
  user(externalId: string): BrazeUser | undefined;
  /** Adds a profile as if Braze had it already, in place of one with the same ids; values are taken as they are. */
  putUser(user: Partial<BrazeUser>): void;
  /** Every request in order of processing; never with a key. */
  requests(): LoggedRequest[];
  /** Findings of strict mode, and failures of the emulator itself (rule 0). */
  violations(): Violation[];
  dataPoints(): number;
  fault(fault: Fault): void;
  clearFaults(): void;
  /** Applies all that was accepted, whatever the clock says. */
  settle(): void;
  /** Forgets profiles, log, violations, data points, faults and rate windows; keeps the settings. */
  reset(): void;
  /** Writes what has taken effect to `statePath`; without one, nothing happens. */
  save(): Promise<void>;
  /** Cuts open connections, applies all that was accepted, saves. */
  close(): Promise<void>;
};

/**
 * Starts the emulator and returns it once it listens.
 * @throws Error when the port is taken, or when `statePath` is no state that this version wrote.
 */
export async function startBrazeEmulator(options: BrazeEmulatorOptions): Promise<BrazeEmulator> {
  const now = options.now ?? Date.now;
  const settings = settingsWith(options.settings ?? {});
  const profiles = createProfiles();
  const inFlight = createInFlight();
  const rateLimits = createRateLimits({ now, settings });
  const faults = createFaults();
  const log = createLog();
  const closing = new AbortController();
  let dataPoints = 0;
  const applying = createApplying({
    now,
    apply: (effect, atMs) => {
      dataPoints += applyEffect(effect, profiles, settings, atMs);
    },
  });

  const state = options.statePath === undefined ? undefined : loadState(options.statePath);
  dataPoints = state?.dataPoints ?? 0;
  for (const user of state?.users ?? []) profiles.put(user, now());

  const { keys, acceptAnyKey = false } = options;
  const server = createServer(
    createPipeline({
      ...{ keys, acceptAnyKey, now, settings, profiles, applying, inFlight, rateLimits, faults, log },
      closing: closing.signal,
    }),
  );
  // A kept connection that the server closes on its own is a fault that no script asked for.
  server.keepAliveTimeout = 0;
  const port = await listen(server, options.port ?? 0);

  const allUsers = (): BrazeUser[] => {
    applying.settle();
    return [...profiles.all()].map(userOf);
  };
  let saving = Promise.resolve();
  const save = (): Promise<void> => {
    const { statePath } = options;
    const write = async (): Promise<void> => {
      if (statePath !== undefined) await saveState(statePath, { users: allUsers(), dataPoints });
    };
    saving = saving.then(write, write);
    return saving;
  };
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing.abort();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    applying.finish();
    await save();
  };

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    settings,
    users: allUsers,
    user: (externalId) => {
      applying.settle();
      const profile = profiles.find({ kind: 'external_id', externalId });
      return profile && userOf(profile);
    },
    putUser: (user) => {
      applying.settle();
      profiles.put(user, now());
    },
    requests: log.requests,
    violations: log.violations,
    dataPoints: () => {
      applying.settle();
      return dataPoints;
    },
    fault: faults.add,
    clearFaults: faults.clear,
    settle: applying.finish,
    reset: () => {
      for (const part of [profiles, applying, log, faults, rateLimits]) part.clear();
      dataPoints = 0;
    },
    save,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      if (typeof address === 'object' && address) resolve(address.port);
      else reject(new Error('the server has no address'));
    });
  });
}
