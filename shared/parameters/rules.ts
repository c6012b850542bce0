/** Walks the rules of a model's groups as a person wrote them, whether or not they are valid. */
import { type DraftModel, members } from './draft.ts';
import { isMap, own, type Path } from './problems.ts';

/** A rule with its place; `level` counts the rules around it, itself included. */
export type PlacedRule = {
  readonly rule: Readonly<Record<string, unknown>>;
  readonly path: Path;
  readonly group: string;
  readonly level: number;
};

/** Returns all rules of a model, outer ones before the ones in them. */
export const rulesOf = (modelName: string, { groups }: DraftModel): PlacedRule[] =>
  members(groups).flatMap(([group, rule]) => [...walk(rule, ['models', modelName, 'groups', group], group, 1)]);

function* walk(rule: unknown, path: Path, group: string, level: number): Generator<PlacedRule> {
  if (!isMap(rule)) return;
  yield { rule, path, group, level };
  for (const key of ['all', 'any']) {
    const list = own(rule, key);
    if (!Array.isArray(list)) continue;
    for (const [index, item] of list.entries()) yield* walk(item, [...path, key, index], group, level + 1);
  }
}
