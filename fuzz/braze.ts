/** What Braze answers, and what is made of its sentences. */
import { type Verdict, verdictOf, waitMs } from '../shared/braze/answers.ts';
import { NotDelivered } from '../shared/braze/deliver.ts';
import { lookUp } from '../shared/braze/lookup.ts';
import { withoutTexts } from '../shared/braze/redact.ts';
import { trackBody } from '../shared/braze/requests.ts';
import { FatalError } from '../shared/errors.ts';
import { withoutValues } from '../shared/runs/write-batch.ts';
import { HOUR_MS } from '../shared/time.ts';
import type { JsonValue } from '../shared/values/json.ts';
import { changedJson, changedText, hostileJson, hostileText } from './hostile.ts';
import type { Random } from './random.ts';
import { hold, laterOutcomeOf, type Target } from './target.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const OBJECTS = 5;
const ANSWERS: readonly JsonValue[] = [
  { message: 'success', attributes_processed: 5 },
  { message: 'success', errors: [{ type: "'email' is invalid", input_array: 'attributes', index: 1 }] },
  { message: 'Valid data must be provided', errors: [{ type: 'x', input_array: 'attributes', index: 0 }, 'all'] },
  { error: 'Invalid API key: x' },
  { users: [{ external_id: 'a' }, { external_id: 'b' }], invalid_user_ids: ['c'] },
];
const HEADERS = ['retry-after', 'x-ratelimit-reset', 'x-ratelimit-retry-after', 'x-ratelimit-remaining', '__proto__'];
const STATUSES = [200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 0, -1, 999];

function answerOf(chance: Random) {
  const json = JSON.stringify(changedJson(chance, chance.pick(ANSWERS), 0.1));
  const body = chance.pick([() => json, () => json, () => changedText(chance, json), () => hostileText(chance)])();
  const headers = Object.fromEntries(
    chance.times(chance.int(3), () => [
      chance.pick(HEADERS),
      chance.chance(0.5) ? String(chance.int(1e10)) : hostileText(chance),
    ]),
  );
  const status = chance.chance(0.6) ? chance.pick([200, 201, 400]) : chance.pick(STATUSES);
  return { status, headers, body };
}

function checkReason(reason: string): void {
  hold(reason.length <= 300 && reason.isWellFormed(), 'a reason that is too long or broken');
}

function checkVerdict(verdict: Verdict): string {
  if (verdict.kind === 'received' || verdict.kind === 'resend') {
    for (const [index, reason] of verdict.refused) {
      hold(Number.isInteger(index) && index >= 0 && index < OBJECTS, 'a refusal of an object that was not sent');
      checkReason(reason);
    }
  }
  if (verdict.kind === 'retryable') {
    hold(verdict.afterMs === undefined || (verdict.afterMs >= 0 && verdict.afterMs <= HOUR_MS), 'a wait out of range');
  }
  if (verdict.kind === 'fatal') checkReason(verdict.found);
  if (verdict.kind === 'split') checkReason(verdict.reason);
  return verdict.kind;
}

const answers: Target = {
  name: 'Braze answers',
  share: 18,
  withinMs: 2000,
  attempt: (chance) => {
    const answer = answerOf(chance);
    const wait = waitMs(answer.headers, NOW_MS);
    hold(wait === undefined || (wait >= 0 && wait <= HOUR_MS), 'a wait out of range');
    const verdict = verdictOf(answer, OBJECTS, 'attributes', NOW_MS);
    const said = verdict.kind === 'received' && verdict.refused.size < OBJECTS;
    hold(!said || (answer.status >= 200 && answer.status < 300), 'a success that Braze did not tell of');
    return checkVerdict(verdict);
  },
};

const clock = { now: () => NOW_MS, sleep: async () => undefined, random: () => 0 };
const pace = { take: () => undefined, pause: () => undefined, waitMs: () => 0, restMs: () => 0 };

const lookups: Target = {
  name: 'Braze lookups',
  share: 3,
  withinMs: 2000,
  attempt: (chance) =>
    laterOutcomeOf([NotDelivered, FatalError], async () => {
      const client = {
        post: async () => (chance.chance(0.1) ? { failure: 'unknown' as const, because: 'cut' } : answerOf(chance)),
      };
      const deps = { client, clock, pace, remainingMs: () => 60_000, renewKey: async () => false };
      const found = await lookUp(deps, ['a', 'b'], { requests: 0, throttled: 0, applied: false });
      hold(
        [...found].every((id) => typeof id === 'string'),
        'an id that is no text',
      );
      return 'found';
    }),
};

const sentences: Target = {
  name: 'Braze sentences',
  share: 6,
  withinMs: 2000,
  attempt: (chance) => {
    const value = hostileJson(chance, 2);
    const key = `Zx${chance.int(1e9).toString(36)}${hostileText(chance).slice(0, 100)}`;
    const reason = `${hostileText(chance)} ${chance.pick([key, key.toUpperCase(), JSON.stringify(key)])} ${hostileText(chance)}`;
    const told = withoutValues(reason, { k: key, a: [['a', value]] });
    hold(!told.includes(key), 'a sentence with the key in it');
    const secret = hostileText(chance).replaceAll('…', '');
    const without = withoutTexts(`${hostileText(chance)}${secret}`, [secret]);
    hold(secret.length < 3 || !without.includes(secret), 'a sentence with a text of the record in it');
    return 'told';
  },
};

const bodies: Target = {
  name: 'Braze bodies',
  share: 3,
  withinMs: 2000,
  attempt: (chance) => {
    const attributes = new Map(
      chance.times(chance.int(4), () => [`a_${hostileText(chance)}`, hostileJson(chance)] as const),
    );
    const primaryKey = hostileText(chance);
    const body = trackBody([{ primaryKey, attributes, subscriptions: new Map() }], chance.chance(0.5));
    const [user] = (JSON.parse(body) as { attributes: Record<string, JsonValue>[] }).attributes;
    hold(user !== undefined && user.external_id === primaryKey, 'a user that is another one');
    hold(
      [...attributes.keys()].every((name) => Object.hasOwn(user, name)),
      'an attribute that got lost',
    );
    return 'written';
  },
};

export const brazeTargets: readonly Target[] = [answers, lookups, sentences, bodies];
