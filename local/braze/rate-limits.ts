/**
 * Rate limits and the headers that tell of them. Sources: Braze, 'Rate limits' and 'POST: Create and update users'.
 *
 * Windows are aligned to the clock (a window of an hour ends at the full hour), belong to a pool that several paths may
 * share, and are counted by the given clock. A pool without limits counts nothing; its headers tell of the documented
 * limit as if nobody used it. A wait that a 429 announced is remembered, to find those who return too early.
 */
import type { BrazeEmulatorSettings, RateWindow } from './settings.ts';

type Pool = { readonly paths: readonly string[]; readonly documented: readonly [RateWindow, ...RateWindow[]] };

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const TRACK = '/users/track';
const EXPORT = '/users/export/ids';

const POOLS: readonly Pool[] = [
  { paths: [TRACK], documented: [{ requests: 3000, perMs: 3 * SECOND_MS }] },
  { paths: ['/users/track/bulk'], documented: [{ requests: 50, perMs: SECOND_MS }] },
  { paths: ['/users/track/sync'], documented: [{ requests: 500, perMs: MINUTE_MS }] },
  {
    paths: ['/users/delete', '/users/alias/new', '/users/alias/update', '/users/identify', '/users/merge'],
    documented: [{ requests: 20_000, perMs: MINUTE_MS }],
  },
  {
    paths: ['/v2/subscription/status/set', '/subscription/status/set'],
    documented: [{ requests: 5000, perMs: MINUTE_MS }],
  },
  { paths: [EXPORT], documented: [{ requests: 250, perMs: MINUTE_MS }] },
];
const EVERYTHING_ELSE: Pool = { paths: ['*'], documented: [{ requests: 250_000, perMs: HOUR_MS }] };
const RAISED_EXPORT: Pool = { paths: [`${EXPORT}#raised`], documented: [{ requests: 40, perMs: SECOND_MS }] };

export type Headers = Record<string, string>;
export type Admission = { readonly isAdmitted: boolean; readonly headers: Headers };

/** Until when (epoch ms) these users' request was put off. */
export type Wait = { readonly untilMs: number; readonly users: ReadonlySet<string> };

export type RateLimits = {
  /** Counts a request against its pool and returns the headers of its answer, of a 429 when it is not admitted. */
  admit(path: string, users: readonly string[], isRaisedExport: boolean): Admission;
  /** Returns the headers of an answer that counts for nothing. */
  peek(path: string): Headers;
  /** Returns the limit that the headers of a path tell of, in requests. */
  limitOf(path: string): number;
  /** Remembers that these users' request was put off until then. */
  announce(path: string, untilMs: number, users: readonly string[]): void;
  /** Returns the waits that are not over, which a request that arrives now would not have kept. */
  openWaits(path: string): readonly Wait[];
  clear(): void;
};

/** Makes unused limits over a clock; `settings` is read at every request. */
export function createRateLimits(deps: { now: () => number; settings: BrazeEmulatorSettings }): RateLimits {
  const { now, settings } = deps;
  const usedByPool = new Map<Pool, Map<string, { window: number; used: number }>>();
  const waits = new Map<Pool, readonly Wait[]>();

  const counterOf = (pool: Pool, limit: RateWindow): { window: number; used: number } => {
    const window = Math.floor(now() / limit.perMs);
    const counters = usedByPool.get(pool) ?? new Map<string, { window: number; used: number }>();
    usedByPool.set(pool, counters);
    const key = `${limit.requests}/${limit.perMs}`;
    const counter = counters.get(key);
    if (counter?.window === window) return counter;
    const fresh = { window, used: 0 };
    counters.set(key, fresh);
    return fresh;
  };

  const announce = (path: string, untilMs: number, users: readonly string[]): void => {
    const pool = poolOf(path);
    const open = (waits.get(pool) ?? []).filter((wait) => wait.untilMs > now());
    waits.set(pool, [...open, { untilMs, users: new Set(users) }]);
  };

  const dialectOf = (path: string): 'general' | 'mau' => (path === TRACK ? settings.rateLimitDialect : 'general');

  const headersOf = (pool: Pool, dialect: 'general' | 'mau'): Headers => {
    const enforced = limitsOf(pool, settings);
    const told = toldOf(pool);
    const remaining = enforced ? told.requests - counterOf(pool, told).used : told.requests;
    const resetMs = endOf(told, now());
    const reset = dialect === 'mau' ? secondsLeft(resetMs, now()) : Math.ceil(resetMs / SECOND_MS);
    return limitHeaders(told.requests, remaining, reset, settings);
  };

  /** Of several windows the headers tell of the longest: on MAU plans the hour, not the burst. */
  const toldOf = (pool: Pool): RateWindow => longest(limitsOf(pool, settings) ?? []) ?? pool.documented[0];

  return {
    admit: (path, users, isRaisedExport) => {
      const pool = isRaisedExport && settings.raisedExportLimit ? RAISED_EXPORT : poolOf(path);
      const enforced = limitsOf(pool, settings) ?? [];
      const over = longest(enforced.filter((limit) => counterOf(pool, limit).used >= limit.requests));
      const dialect = dialectOf(path);
      if (over) {
        const resetMs = endOf(over, now());
        if (dialect === 'mau' || settings.headersOn429) announce(path, resetMs, users);
        return { isAdmitted: false, headers: refusalHeaders(dialect, over.requests, resetMs, now(), settings) };
      }
      for (const limit of enforced) counterOf(pool, limit).used += 1;
      return { isAdmitted: true, headers: headersOf(pool, dialect) };
    },
    peek: (path) => headersOf(poolOf(path), dialectOf(path)),
    limitOf: (path) => toldOf(poolOf(path)).requests,
    announce,
    openWaits: (path) =>
      (waits.get(poolOf(path)) ?? []).filter((wait) => now() + settings.clockToleranceMs < wait.untilMs),
    clear: () => {
      usedByPool.clear();
      waits.clear();
    },
  };
}

/** Returns the wait that a request for these users breaks, by the scope that `announcedWait` sets. */
export const brokenWait = (
  waits: readonly Wait[],
  users: readonly string[],
  { announcedWait }: Pick<BrazeEmulatorSettings, 'announcedWait'>,
): Wait | undefined => {
  if (announcedWait === 'off') return undefined;
  return waits.find((wait) => announcedWait === 'endpoint' || users.some((user) => wait.users.has(user)));
};

/** Returns the headers of a 429 in a dialect; a MAU plan's has none but how long to wait. */
export function refusalHeaders(
  dialect: 'general' | 'mau',
  limit: number,
  resetMs: number,
  nowMs: number,
  settings: Pick<BrazeEmulatorSettings, 'headersOn429' | 'headerCase'>,
): Headers {
  if (dialect === 'mau') {
    return { [inCase('X-Ratelimit-Retry-After', settings)]: String(secondsLeft(resetMs, nowMs)) };
  }
  return settings.headersOn429 ? limitHeaders(limit, 0, Math.ceil(resetMs / SECOND_MS), settings) : {};
}

function limitHeaders(
  limit: number,
  remaining: number,
  reset: number,
  settings: Pick<BrazeEmulatorSettings, 'headerCase'>,
): Headers {
  return {
    [inCase('X-RateLimit-Limit', settings)]: String(limit),
    [inCase('X-RateLimit-Remaining', settings)]: String(remaining),
    [inCase('X-RateLimit-Reset', settings)]: String(reset),
  };
}

function inCase(name: string, { headerCase }: Pick<BrazeEmulatorSettings, 'headerCase'>): string {
  if (headerCase === 'documented') return name;
  return headerCase === 'lower' ? name.toLowerCase() : name.toUpperCase();
}

const poolOf = (path: string): Pool => POOLS.find((pool) => pool.paths.includes(path)) ?? EVERYTHING_ELSE;

function limitsOf(pool: Pool, settings: BrazeEmulatorSettings): readonly RateWindow[] | undefined {
  const given = pool.paths.find((path) => Object.hasOwn(settings.limits, path));
  if (given !== undefined) return settings.limits[given];
  return settings.defaultLimits ? pool.documented : undefined;
}

const longest = (limits: readonly RateWindow[]): RateWindow | undefined =>
  limits.reduce<RateWindow | undefined>((best, limit) => (best && best.perMs >= limit.perMs ? best : limit), undefined);

const endOf = (limit: RateWindow, nowMs: number): number => (Math.floor(nowMs / limit.perMs) + 1) * limit.perMs;

const secondsLeft = (resetMs: number, nowMs: number): number => Math.max(0, Math.ceil((resetMs - nowMs) / SECOND_MS));
