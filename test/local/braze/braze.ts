/** An emulator for one test, a clock that only the test moves, and plain HTTP calls to it. */
import { type BrazeEmulator, type BrazeEmulatorOptions, startBrazeEmulator } from '../../../local/braze/emulator.ts';

export const KEY = '6f1d0c2e-5a7b-4f80-9c3d-2b1a00000001';
export const GROUP = '8f2b5c1e-0000-4000-8000-000000000001';
export const OTHER_GROUP = '8f2b5c1e-0000-4000-8000-000000000002';

/** 1 January 2026, 10:00 UTC: a full hour, so that every rate window starts here. */
export const START_MS = Date.UTC(2026, 0, 1, 10);

export type Reply = { status: number; body: unknown; text: string; headers: Headers };

export type Braze = BrazeEmulator & {
  clock: { now: () => number; advance: (ms: number) => void };
  post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Reply>;
  /** Sends attributes objects to /users/track. */
  track: (...attributes: unknown[]) => Promise<Reply>;
  /** Sends one object for the user `u` and returns its profile. */
  set: (attributes: Record<string, unknown>) => Promise<ReturnType<BrazeEmulator['user']>>;
  /** The rules of the violations, in order. */
  findings: () => number[];
};

const open: BrazeEmulator[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((braze) => braze.close()));
});

export async function startBraze(
  settings: BrazeEmulatorOptions['settings'] = {},
  options: Partial<BrazeEmulatorOptions> = {},
): Promise<Braze> {
  let nowMs = START_MS;
  const clock = {
    now: () => nowMs,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
  const emulator = await startBrazeEmulator({ keys: [{ key: KEY }], now: clock.now, settings, ...options });
  open.push(emulator);

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
    request(`${emulator.url}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
  const track = (...attributes: unknown[]): Promise<Reply> => post('/users/track', { attributes });
  return {
    ...emulator,
    clock,
    post,
    track,
    set: async (attributes) => {
      await track({ external_id: 'u', ...attributes });
      return emulator.user('u');
    },
    findings: () => emulator.violations().map(({ rule }) => rule),
  };
}

export async function request(url: string, init: RequestInit): Promise<Reply> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: parsed(text), text, headers: response.headers };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Objects for `count` users, none like another. */
export const users = (count: number): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, index) => ({ external_id: `user-${index}`, first_name: `Name ${index}` }));

export const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `user-${index}`);
