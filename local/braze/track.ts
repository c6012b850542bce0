/**
 * POST /users/track, with its bulk and its synchronous form. Source: Braze, 'POST: Create and update users'.
 *
 * Every object is judged before any is applied: refused objects are named in errors[] and change nothing, the others
 * apply. A request of which all objects are refused is a 400.
 */
import { type Answer, badRequest, type Endpoint, finding, unknownKey, usualBodyLimit, type World } from './endpoint.ts';
import { readIdentifier, userKey } from './identifiers.ts';
import { areObjects, isArray, type Json, type JsonObject, own } from './json.ts';
import type { BrazeEmulatorSettings } from './settings.ts';
import { type Plan, readActivity, readUserObject } from './user-object.ts';
import type { Reason } from './verdicts.ts';

/** Braze's message when nothing in the request can be processed. */
export const NO_VALID_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.";
export const TOO_MANY_OBJECTS = 'Max Input Length Exceeded';

const ARRAYS = ['attributes', 'events', 'purchases'] as const;
const BULK_MAX_OBJECTS = 1000;
const BULK_MAX_OBJECTS_PER_USER = 100;

type ArrayName = (typeof ARRAYS)[number];
type Input = { readonly array: ArrayName; readonly index: number; readonly object: JsonObject };
type Refusal = Input & { readonly reason: Reason; readonly isFinding: boolean };
type Accepted = Input & { readonly plan: Plan };

export const track: Endpoint = {
  path: '/users/track',
  permission: 'users.track',
  ...common(),
  answer: (body, world) =>
    answerTrack(body, world, world.settings.applyDelayMs, (inputs) => areTooMany(inputs, world.settings)),
};

export const trackBulk: Endpoint = {
  path: '/users/track/bulk',
  permission: 'users.track.bulk',
  ...common(),
  maxBodyBytes: (settings) => ({ bytes: settings.maxBulkBodyBytes, status: 400 }),
  answer: (body, world) =>
    answerTrack(
      body,
      world,
      world.settings.applyDelayMs,
      (inputs) => inputs.length > BULK_MAX_OBJECTS || mostPerUser(inputs, world.settings) > BULK_MAX_OBJECTS_PER_USER,
    ),
};

/** The answer waits until the one object has taken effect. */
export const trackSync: Endpoint = {
  path: '/users/track/sync',
  permission: 'users.track.sync',
  ...common(),
  answer: (body, world) => answerTrack(body, world, 0, (inputs) => inputs.length > 1),
};

function common(): Pick<Endpoint, 'maxBodyBytes' | 'changesUsers' | 'users' | 'countObjects'> {
  return {
    maxBodyBytes: usualBodyLimit,
    changesUsers: true,
    users: (body, settings) => inputsOf(body).flatMap((input) => keyOf(input, settings)),
    countObjects: (body) => inputsOf(body).length,
  };
}

function answerTrack(
  body: JsonObject,
  world: World,
  delayMs: number,
  isTooMuch: (inputs: readonly Input[]) => boolean,
): Answer {
  const { settings } = world;
  const unknown = unknownKey(body, ARRAYS);
  if (unknown !== undefined && settings.strict) return finding(world, 9, `unknown key ${JSON.stringify(unknown)}`);
  for (const array of ARRAYS) {
    const items = own(body, array);
    if (items !== undefined && !(isArray(items) && areObjects(items))) {
      return badRequest(`'${array}' must be an array of objects`);
    }
  }
  const inputs = inputsOf(body);
  if (inputs.length === 0) return badRequest(NO_VALID_DATA);
  if (isTooMuch(inputs)) return badRequest(TOO_MANY_OBJECTS);

  const { refusals, accepted } = judge(inputs, settings);
  for (const { reason, isFinding } of refusals) if (isFinding) world.violate(reason.rule, reason.text);
  const errors = refusals.map((refusal) => errorOf(refusal, settings));
  if (accepted.length === 0) return { status: 400, body: { message: NO_VALID_DATA, errors } };

  const isPartial400 = errors.length > 0 && settings.partialRefusalStatus === 400;
  if (!isPartial400 || settings.applyOnPartial400) {
    const updates = accepted.filter(({ array }) => array === 'attributes');
    world.accept(
      updates.map(({ plan }) => ({ effect: { kind: 'update', plan }, user: userKey(plan.who) })),
      delayMs,
    );
  }
  if (isPartial400)
    return { status: 400, body: { message: NO_VALID_DATA, ...counts(body, accepted, settings), errors } };
  return {
    status: settings.successStatus,
    body: {
      message: settings.successMessage,
      ...counts(body, accepted, settings),
      ...(errors.length > 0 ? { errors } : {}),
    },
  };
}

function judge(
  inputs: readonly Input[],
  settings: BrazeEmulatorSettings,
): { refusals: Refusal[]; accepted: Accepted[] } {
  const refusals: Refusal[] = [];
  const accepted: Accepted[] = [];
  for (const input of inputs) {
    const read = input.array === 'attributes' ? readUserObject : readActivity;
    const result = read(input.object, settings);
    if (result.kind === 'accepted') accepted.push({ ...input, plan: result.plan });
    else refusals.push({ ...input, reason: result.reason, isFinding: result.isFinding });
  }
  return { refusals, accepted };
}

const errorOf = ({ array, index, reason, isFinding }: Refusal, settings: BrazeEmulatorSettings): Json => ({
  type: isFinding ? `STRICT: ${reason.text}` : (settings.errorTypes === 'code' && reason.code) || reason.text,
  input_array: array,
  index,
});

function counts(body: JsonObject, accepted: readonly Accepted[], settings: BrazeEmulatorSettings): JsonObject {
  const entries = ARRAYS.filter((array) => Object.hasOwn(body, array)).map((array): [string, Json] => {
    const processed = accepted.filter((item) => item.array === array);
    const users = new Set(processed.map(({ plan }) => userKey(plan.who)));
    return [`${array}_processed`, settings.processedCounts === 'users' ? users.size : processed.length];
  });
  return Object.fromEntries(entries);
}

function areTooMany(inputs: readonly Input[], settings: BrazeEmulatorSettings): boolean {
  if (!settings.legacyPerArray) return inputs.length > settings.maxObjects;
  return ARRAYS.some((array) => inputs.filter((input) => input.array === array).length > settings.maxObjects);
}

function mostPerUser(inputs: readonly Input[], settings: BrazeEmulatorSettings): number {
  const objectsByUser = new Map<string, number>();
  for (const key of inputs.flatMap((input) => keyOf(input, settings))) {
    objectsByUser.set(key, (objectsByUser.get(key) ?? 0) + 1);
  }
  return Math.max(0, ...objectsByUser.values());
}

function keyOf({ object }: Input, settings: BrazeEmulatorSettings): string[] {
  const who = readIdentifier(object, settings);
  const key = who.kind === 'stored' ? userKey(who.value) : undefined;
  return key === undefined ? [] : [key];
}

/** The objects in the order of the answer's errors; whatever is no array of objects counts as none. */
function inputsOf(body: JsonObject): Input[] {
  return ARRAYS.flatMap((array) => {
    const items = own(body, array);
    return isArray(items) && areObjects(items) ? items.map((object, index) => ({ array, index, object })) : [];
  });
}
