/**
 * Mass effects: what a counting reading finds of each, which of them the guards hold, and what of them is left out when
 * the run sends.
 *
 * Guards watch what the data does to fields and groups that are mapped and listed. A field that a person has taken out of
 * the parameters is unset for everybody, as the plan has shown; no guard stands in the way of that.
 */
import { dataPointsOf } from '../braze/data-points.ts';
import type { Decision, Holds } from '../diff/decide.ts';
import type { Shape } from '../diff/row.ts';
import type { Entry } from '../ledger/entry.ts';
import { decodeFingerprint } from '../ledger/fingerprint.ts';
import { type Dictionary, fieldName, groupName } from '../ledger/ledger.ts';
import type { Destination } from '../parameters/schema.ts';
import { heldBecause, overBudget } from './guard.ts';
import type { Effect, EffectCounts, Held, Run } from './model.ts';
import type { RunStore } from './store.ts';

/** Effects by how the ledger names them: `deletions`, or the id of a field or group. */
export type EffectKey = string;

export const DELETIONS = 'deletions';

/** Returns the key of an effect, or undefined for one that the ledger has never heard of. */
export function effectKey(effect: Effect, { idByName }: Dictionary): EffectKey | undefined {
  if (effect === DELETIONS) return DELETIONS;
  const name = effect.startsWith('group:') ? groupName(effect.slice(6)) : fieldName(effect.slice(10));
  const id = idByName.get(name);
  return id === undefined ? undefined : String(id);
}

/** Returns the effect of a field or group by its id. @throws Error when the dictionary does not know the id. */
export function effectOf(key: EffectKey, { nameById }: Dictionary): Effect {
  if (key === DELETIONS) return DELETIONS;
  const name = nameById.get(Number(key));
  if (name === undefined) throw new Error(`the field dictionary has no name for id ${key}`);
  return name.startsWith('g:') ? `group:${name.slice(2)}` : `attribute:${name.slice(2)}`;
}

/** What persons have decided about records, by effect. */
export type Decided = {
  readonly isApproved: (key: EffectKey, hash: string) => boolean;
  readonly isDiscarded: (key: EffectKey, hash: string) => boolean;
};

export const NOTHING_DECIDED: Decided = { isApproved: () => false, isDiscarded: () => false };

/** Returns what persons have decided that a run goes by. Holds the record hashes of the approved and discarded lists. */
export async function decidedOf(
  runs: Pick<RunStore, 'heldHashes'>,
  run: Pick<Run, 'approvals' | 'discards'>,
  dictionary: Dictionary,
): Promise<Decided> {
  const approved = new Map<EffectKey, ReadonlySet<string> | 'all'>();
  const discarded = new Map<EffectKey, ReadonlySet<string>>();
  for (const { effect, shownIn } of run.approvals) {
    const key = effectKey(effect, dictionary);
    if (effect === 'budget' || key === undefined) continue;
    approved.set(key, shownIn === undefined ? 'all' : await runs.heldHashes(shownIn, key));
  }
  for (const { effect, shownIn } of run.discards) {
    const key = effectKey(effect, dictionary);
    if (key !== undefined) discarded.set(key, await runs.heldHashes(shownIn, key));
  }
  return {
    isApproved: (key, hash) => {
      const list = approved.get(key);
      return list === 'all' || list?.has(hash) === true;
    },
    isDiscarded: (key, hash) => discarded.get(key)?.has(hash) === true,
  };
}

/** Returns the ids of the fields and groups that guards watch. */
export const guardedIds = ({ fields, memberships }: Shape): ReadonlySet<number> =>
  new Set([...fields.map(({ id }) => id), ...memberships.map(({ id }) => id)]);

/** Returns what is left out: what persons have discarded, and what the guards hold and nobody has approved. */
export function holdsOf(guarded: ReadonlySet<number>, decided: Decided, heldKeys: ReadonlySet<EffectKey>): Holds {
  const isHeld = (key: EffectKey, hash: string): boolean =>
    decided.isDiscarded(key, hash) || (heldKeys.has(key) && !decided.isApproved(key, hash));
  return {
    field: (id, hash) => guarded.has(id) && isHeld(String(id), hash),
    removal: (hash) => isHeld(DELETIONS, hash),
  };
}

const isRemoval = ({ kind }: Decision): boolean => kind === 'removed' || kind === 'held';

export type EffectTally = {
  readonly add: (decision: Decision, entry: Entry | undefined, hash: string) => void;
  readonly counts: () => EffectCounts;
};

/** Under this key the tally keeps samples of what would be sent. */
export const SENT = 'sent';

const MAX_SAMPLES = 10;

/** Returns a tally of effects that goes on from what has been counted. */
export function effectTally(start: EffectCounts, guarded: ReadonlySet<number>, decided: Decided): EffectTally {
  const of = { ...start.of };
  const found = { ...start.found };
  const samples = { ...start.samples };
  const leftOut = { ...start.leftOut };
  const leave = (key: EffectKey): void => {
    leftOut[key] = (leftOut[key] ?? 0) + 1;
  };
  const sample = (key: EffectKey, hash: string): void => {
    const some = samples[key] ?? [];
    if (some.length < MAX_SAMPLES) samples[key] = [...some, hash];
  };
  const find = (key: EffectKey, hash: string): void => {
    if (decided.isApproved(key, hash)) return;
    found[key] = (found[key] ?? 0) + 1;
    sample(key, hash);
  };
  return {
    add: (decision, entry, hash) => {
      // A profile that stayed when its row left can be deleted too, once the sync mode wants it.
      if (entry?.fingerprint !== undefined && (!entry.gone || isRemoval(decision)))
        of[DELETIONS] = (of[DELETIONS] ?? 0) + 1;
      if (entry?.fingerprint !== undefined && !entry.gone) {
        for (const { id } of decodeFingerprint(entry.fingerprint)) {
          if (guarded.has(id)) of[id] = (of[id] ?? 0) + 1;
        }
      }
      if (decision.kind === 'removed') find(DELETIONS, hash);
      if (decision.kind === 'added' || decision.kind === 'changed') sample(SENT, hash);
      if (decision.kind === 'held') leave(DELETIONS);
      if (decision.kind === 'unchanged' || decision.kind === 'changed')
        for (const id of decision.heldBack) leave(String(id));
      if (decision.kind !== 'changed') return;
      for (const id of decision.upsert.ended) if (guarded.has(id)) find(String(id), hash);
    },
    counts: () => ({ of: { ...of }, found: { ...found }, leftOut: { ...leftOut }, samples: { ...samples } }),
  };
}

/** Returns the counts of all shards together. */
export function sumEffects(parts: readonly EffectCounts[]): EffectCounts {
  const sum: EffectCounts = { of: {}, found: {}, leftOut: {}, samples: {} };
  for (const { of, found, leftOut, samples } of parts) {
    for (const [key, count] of Object.entries(leftOut)) sum.leftOut[key] = (sum.leftOut[key] ?? 0) + count;
    for (const [key, count] of Object.entries(of)) sum.of[key] = (sum.of[key] ?? 0) + count;
    for (const [key, count] of Object.entries(found)) sum.found[key] = (sum.found[key] ?? 0) + count;
    for (const [key, hashes] of Object.entries(samples))
      sum.samples[key] = [...(sum.samples[key] ?? []), ...hashes].slice(0, MAX_SAMPLES);
  }
  return sum;
}

/** Returns what the guards hold of the effects that a run found. */
export function heldEffects(
  destination: Destination,
  dictionary: Dictionary,
  extracted: number,
  { of, found, leftOut, samples }: EffectCounts,
): Held[] {
  return Object.entries(found).flatMap(([key, concerned]): Held[] => {
    const effect = effectOf(key, dictionary);
    const could = of[key] ?? 0;
    const because = heldBecause({ ...watched(destination, effect), extracted, of: could, found: concerned });
    if (because === undefined) return [];
    // What was discarded before is shown again: the person decides about all of it now.
    return [{ effect, records: concerned + (leftOut[key] ?? 0), of: could, because, samples: samples[key] ?? [] }];
  });
}

function watched(destination: Destination, effect: Effect) {
  if (effect === DELETIONS) return { what: 'removals', limits: destination.deletionGuard };
  if (effect.startsWith('group:')) {
    const id = effect.slice(6);
    const name = Object.entries(destination.subscriptionGroups).find(([, each]) => each.toLowerCase() === id)?.[0];
    return { what: `leavers of group '${name ?? id}'`, limits: destination.groupGuard };
  }
  return { what: `NULLs of '${effect.slice(10)}'`, limits: destination.nullGuard };
}

export type Cost = {
  /** Records that the run would send. */
  readonly records: number;
  readonly dataPoints: number;
  readonly spentToday: number;
  readonly samples: readonly string[];
};

/** Returns the hold of a whole run that would cost too much, or undefined. */
export function heldBudget(destination: Destination, run: Pick<Run, 'approvals'>, cost: Cost): Held | undefined {
  const { budget } = destination;
  if (budget === undefined) return undefined;
  const approved = run.approvals
    .filter(({ effect }) => effect === 'budget')
    .reduce((most, { dataPoints = Number.POSITIVE_INFINITY }) => Math.max(most, dataPoints), 0);
  const { dataPoints, spentToday, records, samples } = cost;
  const because = overBudget({ dataPoints, spentToday, budget, approved });
  if (because === undefined) return undefined;
  const { dataPointsPerRun: ofRun, dataPointsPerDay: ofDay } = budget;
  const of = Math.min(ofRun ?? Number.POSITIVE_INFINITY, ofDay ?? Number.POSITIVE_INFINITY);
  return { effect: 'budget', records, of, because, samples: [...samples], dataPoints };
}

/** Returns the data points of what is held: a NULL costs one. */
export const heldPoints = (held: readonly Held[]): number =>
  held.reduce(
    (sum, { effect, records }) => sum + (effect.startsWith('attribute:') ? nullPoints(effect) * records : 0),
    0,
  );

const nullPoints = (effect: Effect): number => dataPointsOf([[effect.slice(10), null]]);
