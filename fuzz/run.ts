/** Runs the targets: each input has a seed of its own, so that a defect is found again by it. */

import { brazeTargets } from './braze.ts';
import { messageTargets } from './messages.ts';
import { parameterTargets } from './parameters.ts';
import { random } from './random.ts';
import { sqlTargets } from './sql.ts';
import type { Target } from './target.ts';
import { warehouseTargets } from './warehouse.ts';

export const TARGETS: readonly Target[] = [
  ...warehouseTargets,
  ...brazeTargets,
  ...parameterTargets,
  ...sqlTargets,
  ...messageTargets,
];

export type Result = {
  readonly name: string;
  readonly inputs: number;
  readonly seconds: number;
  /** How often which outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The first defect, with what repeats it. */
  readonly defect?: { readonly seed: number; readonly error: unknown };
};

export type Options = {
  /** Inputs of all targets together, at least. */
  readonly runs: number;
  readonly seed: number;
  readonly now: () => number;
  /** Is told before each input what it is. */
  readonly before?: (name: string, seed: number) => void;
};

/** Objects that everything inherits from. Nothing may ever appear in them. */
const SHARED = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
  Map.prototype,
  Promise.prototype,
];
const PRISTINE = JSON.stringify(SHARED.map((each) => Reflect.ownKeys(each).map(String)));
/** Looked at after each so many inputs, and at the end. */
const LOOK_EVERY = 500;

/** True when something has been added to an object that everything inherits from. */
export const isPolluted = (): boolean =>
  JSON.stringify(SHARED.map((each) => Reflect.ownKeys(each).map(String))) !== PRISTINE;

/** Runs a target's part of all inputs. */
export async function runTarget(target: Target, inputs: number, options: Options): Promise<Result> {
  const { name, withinMs, attempt } = target;
  const outcomes = new Map<string, number>();
  const started = options.now();
  const result = (count: number): Result => ({
    name,
    inputs: count,
    seconds: (options.now() - started) / 1000,
    outcomes,
  });
  for (let index = 0; index < inputs; index++) {
    const seed = options.seed + index;
    options.before?.(name, seed);
    const from = options.now();
    try {
      const outcome = await attempt(random(seed));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const tookMs = options.now() - from;
      if (tookMs > withinMs) throw new Error(`took ${Math.round(tookMs)} ms`);
      if ((index % LOOK_EVERY === 0 || index === inputs - 1) && isPolluted())
        throw new Error('a prototype has changed');
    } catch (error) {
      return { ...result(index + 1), defect: { seed, error } };
    }
  }
  return result(inputs);
}

/** Returns how many inputs each target gets. */
export function parts(targets: readonly Target[], runs: number): [Target, number][] {
  const whole = targets.reduce((sum, { share }) => sum + share, 0);
  return targets.map((target) => [target, Math.max(1, Math.ceil((runs * target.share) / whole))]);
}
