/** What an endpoint is to the emulator: a path, the permission it needs, and an answer to a parsed body. */
import type { Permission } from './authorization.ts';
import type { Effect } from './effects.ts';
import type { Json, JsonObject } from './json.ts';
import type { Profiles } from './profiles.ts';
import type { BrazeEmulatorSettings } from './settings.ts';

export type Answer = { readonly status: number; readonly body: Json };

/** What an endpoint may see and do. */
export type World = {
  readonly settings: BrazeEmulatorSettings;
  /** With every effect that is due by now. */
  readonly profiles: Profiles;
  /** Records a finding of strict mode. */
  violate(rule: number, message: string): void;
  /** Takes effects in; they apply after the delay. */
  accept(effects: readonly { effect: Effect; user: string | undefined }[], delayMs: number): void;
};

export type Endpoint = {
  readonly path: string;
  readonly permission: Permission;
  /** Largest body; over it the answer has `tooLargeStatus`. */
  maxBodyBytes(settings: BrazeEmulatorSettings): { bytes: number; status: number };
  /** True when only one request at a time may concern a user. */
  readonly changesUsers: boolean;
  /** Returns the keys of the users that a body concerns; see `userKey`. */
  users(body: JsonObject, settings: BrazeEmulatorSettings): string[];
  /** Returns the number of objects or ids in a body. */
  countObjects(body: JsonObject): number;
  answer(body: JsonObject, world: World): Answer;
};

/** Returns a 400 with a message. */
export const badRequest = (message: string): Answer => ({ status: 400, body: { message } });

/** Records a finding about the request as a whole and returns its 400. */
export function finding(world: World, rule: number, message: string): Answer {
  world.violate(rule, message);
  return badRequest(`STRICT: ${message}`);
}

/** Returns the first key of a body that is not among the known ones. */
export const unknownKey = (body: JsonObject, known: readonly string[]): string | undefined =>
  Object.keys(body).find((key) => !known.includes(key));

/** The body limit of every endpoint but bulk. */
export const usualBodyLimit = (settings: BrazeEmulatorSettings): { bytes: number; status: number } => ({
  bytes: settings.maxBodyBytes,
  status: settings.tooLargeStatus,
});
