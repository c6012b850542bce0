/**
 * What the parts of a parameter file say of one another: names that must exist, and things that exclude each other.
 *
 * Pure, and over a draft: it says what it can of the parts that are well-formed, and never throws.
 */
import { isStandardAttribute, RESERVED_KEYS } from '../braze/attributes.ts';
import { type Draft, type DraftApp, type DraftDestination, type DraftModel, members } from './draft.ts';
import { withoutTrailingSlash } from './endpoint.ts';
import { didYouMean } from './nearest.ts';
import { type Finding, isMap, listed, own, type Path, pathText, quote } from './problems.ts';
import { type PlacedRule, rulesOf } from './rules.ts';
import { secretName } from './secret.ts';
import { queryProblem } from './sql-text.ts';

/** Returns the output columns of a query, or undefined when they cannot be told. */
export type ColumnsOf = (query: string) => readonly string[] | undefined;

/** Returns what the parts of a draft have against one another. */
export function referenceFindings(draft: Draft, columnsOf: ColumnsOf): Finding[] {
  return [
    ...members(draft.apps).flatMap(([name, app]) => warehouseFindings(app, ['apps', name])),
    ...members(draft.models).flatMap(([name, model]) => [
      ...appReference(draft, model.app, 'redshift', ['models', name, 'app']),
      ...sourceFindings(model, ['models', name]),
      ...groupFindings(name, model),
    ]),
    ...members(draft.destinations).flatMap(([name, destination]) => destinationFindings(draft, name, destination)),
    ...writerFindings(draft),
    ...deleterFindings(draft),
    ...columnFindings(draft, columnsOf),
  ];
}

function warehouseFindings(app: DraftApp, path: Path): Finding[] {
  if (app.type !== 'redshift') return [];
  const has = (key: 'workgroup' | 'cluster' | 'dbUser' | 'secret'): boolean =>
    app[key] !== undefined && app[key] !== null;
  const finding = (found: string): Finding[] => [
    { path, on: 'key', found, allowed: 'workgroup, or cluster with dbUser or secret' },
  ];
  if (has('workgroup') && has('cluster')) return finding("both 'workgroup' and 'cluster'");
  if (has('workgroup')) return has('dbUser') ? finding("'dbUser' beside 'workgroup'") : [];
  if (!has('cluster')) return finding("neither 'workgroup' nor 'cluster'");
  return has('dbUser') || has('secret') ? [] : finding("'cluster' without 'dbUser' or 'secret'");
}

function sourceFindings({ query, table }: DraftModel, path: Path): Finding[] {
  const has = (part: unknown): boolean => part !== undefined && part !== null;
  if (has(query) !== has(table)) return [];
  return [
    {
      path,
      on: 'key',
      found: has(query) ? "both 'query' and 'table'" : "neither 'query' nor 'table'",
      allowed: 'one of them',
    },
  ];
}

function appReference(draft: Draft, name: string | undefined, type: 'redshift' | 'braze', path: Path): Finding[] {
  if (name === undefined || draft.apps === undefined) return [];
  const fitting = members(draft.apps).flatMap(([each, app]) => (app.type === type ? [each] : []));
  const allowed = `a ${type} app: ${listed(fitting)}`;
  if (!Object.hasOwn(draft.apps, name)) return [{ path, found: quote(name), allowed, hint: didYouMean(name, fitting) }];
  const other = own(draft.apps, name)?.type;
  if (other === type || (other !== 'redshift' && other !== 'braze')) return [];
  return [{ path, found: `${quote(name)}, which is a ${other} app`, allowed }];
}

function groupFindings(modelName: string, model: DraftModel): Finding[] {
  const names = Object.keys(model.groups ?? {});
  const rules = rulesOf(modelName, model);
  const references = rules.flatMap(({ rule, path, group }) =>
    typeof rule.group === 'string' ? [{ from: group, to: rule.group, path: [...path, 'group'] }] : [],
  );
  const unknown = references.filter(({ to }) => !names.includes(to));
  const { order, circles } = traced(references);
  return [
    ...unknown.map(({ to, path }) => unknownGroup(to, names, modelName, path)),
    ...circles.map(({ path, chain }) => ({
      path,
      found: `groups in a circle: ${chainText(chain)}`,
      allowed: 'groups that do not name themselves',
    })),
    ...(circles.length === 0 ? sizeFindings(modelName, order, rules, references) : []),
  ];
}

const unknownGroup = (
  name: string,
  names: readonly string[],
  modelName: string,
  path: Path,
  on: 'key' | 'value' = 'value',
): Finding => ({
  path,
  on,
  found: quote(name),
  allowed: `a group of model ${quote(modelName)}: ${listed(names)}`,
  hint: didYouMean(name, names),
});

type Reference = { readonly from: string; readonly to: string; readonly path: Path };

const MAX_SHOWN_GROUPS = 12;

const chainText = (chain: readonly string[]): string =>
  chain.length > MAX_SHOWN_GROUPS
    ? `${chain.slice(0, MAX_SHOWN_GROUPS).join(' → ')} → … (${chain.length - 1} groups)`
    : chain.join(' → ');

type Circle = { readonly path: Path; readonly chain: readonly string[] };

/**
 * Returns the groups that name others, each after those that it names, and the references that close a circle. Without
 * recursion, as a file may chain more groups than the stack holds.
 */
function traced(references: readonly Reference[]): { order: readonly string[]; circles: readonly Circle[] } {
  const next = new Map<string, Reference[]>();
  for (const reference of references) next.set(reference.from, [...(next.get(reference.from) ?? []), reference]);
  const order = new Set<string>();
  const circles: Circle[] = [];
  for (const start of next.keys()) {
    const chain = order.has(start) ? [] : [{ group: start, ahead: [...(next.get(start) ?? [])] }];
    for (let last = chain.at(-1); last; last = chain.at(-1)) {
      const reference = last.ahead.shift();
      if (reference === undefined) {
        order.add(last.group);
        chain.pop();
        continue;
      }
      const begun = chain.findIndex(({ group }) => group === reference.to);
      const names = chain.map(({ group }) => group);
      if (begun >= 0) circles.push({ path: reference.path, chain: [...names.slice(begun), reference.to] });
      else if (!order.has(reference.to))
        chain.push({ group: reference.to, ahead: [...(next.get(reference.to) ?? [])] });
    }
  }
  return { order: [...order], circles };
}

/** A group is written out where it is named, so a few lines can become a statement that no warehouse takes. */
const MAX_RULES_WRITTEN_OUT = 2000;

function sizeFindings(
  modelName: string,
  order: readonly string[],
  rules: readonly PlacedRule[],
  references: readonly Reference[],
): Finding[] {
  const sizes = new Map<string, number>();
  for (const { group } of rules) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const namedBy = new Map<string, string[]>();
  for (const { from, to } of references) namedBy.set(from, [...(namedBy.get(from) ?? []), to]);
  return order.flatMap((group) => {
    const size = (namedBy.get(group) ?? []).reduce((total, to) => total + (sizes.get(to) ?? 0), sizes.get(group) ?? 0);
    sizes.set(group, size);
    if (size <= MAX_RULES_WRITTEN_OUT) return [];
    const path = ['models', modelName, 'groups', group];
    const found = `${size} rules with the groups that it names`;
    return [{ path, on: 'key' as const, found, allowed: `at most ${MAX_RULES_WRITTEN_OUT}` }];
  });
}

function destinationFindings(draft: Draft, name: string, destination: DraftDestination): Finding[] {
  const path = ['destinations', name];
  const model = destination.model === undefined ? undefined : own(draft.models ?? {}, destination.model);
  return [
    ...modelReference(draft, destination.model, [...path, 'model']),
    ...appReference(draft, destination.app, 'braze', [...path, 'app']),
    ...(model && destination.model !== undefined ? audienceFindings(destination, destination.model, model, path) : []),
    ...(model ? externalIdFindings(destination, model, path) : []),
    ...sameGroupIdFindings(destination, path),
    ...customNameFindings(destination, path),
    ...renamedFindings(draft, name, destination.renamedFrom, [...path, 'renamedFrom']),
  ];
}

/** A ledger goes from one destination to one other, and the former one is gone. */
function renamedFindings(draft: Draft, name: string, from: string | undefined, path: Path): Finding[] {
  if (from === undefined) return [];
  const allowed = 'the former name of this destination';
  if (Object.hasOwn(draft.destinations ?? {}, from))
    return [{ path, found: `${quote(from)}, which is a destination of this file`, allowed }];
  const other = members(draft.destinations).find(([each, { renamedFrom }]) => each !== name && renamedFrom === from);
  if (!other) return [];
  return [{ path, found: `${quote(from)}, which ${quote(other[0])} was renamed from too`, allowed }];
}

function modelReference({ models }: Draft, name: string | undefined, path: Path): Finding[] {
  if (name === undefined || models === undefined || Object.hasOwn(models, name)) return [];
  const names = Object.keys(models);
  return [{ path, found: quote(name), allowed: `a model: ${listed(names)}`, hint: didYouMean(name, names) }];
}

function audienceFindings(
  { audience, subscriptionGroups }: DraftDestination,
  modelName: string,
  model: DraftModel,
  path: Path,
): Finding[] {
  const names = Object.keys(model.groups ?? {});
  const groups = Object.keys(subscriptionGroups ?? {}).filter((group) => !names.includes(group));
  return [
    ...groups.map((group) => unknownGroup(group, names, modelName, [...path, 'subscriptionGroups', group], 'key')),
    ...(audience === undefined || names.includes(audience)
      ? []
      : [unknownGroup(audience, names, modelName, [...path, 'audience'])]),
  ];
}

function externalIdFindings({ mapping }: DraftDestination, { primaryKey }: DraftModel, path: Path): Finding[] {
  const externalId = mapping?.external_id;
  if (typeof externalId !== 'string' || primaryKey === undefined || externalId === primaryKey) return [];
  const allowed = `the model's primaryKey, ${quote(primaryKey)}`;
  const hint = 'records are kept apart by the primary key, so Braze must know them by it too';
  return [{ path: [...path, 'mapping', 'external_id'], found: quote(externalId), allowed, hint }];
}

function sameGroupIdFindings({ subscriptionGroups }: DraftDestination, path: Path): Finding[] {
  const groupById = new Map<string, string>();
  return members(subscriptionGroups).flatMap(([group, id]) => {
    if (typeof id !== 'string') return [];
    const other = groupById.get(id.toLowerCase());
    groupById.set(id.toLowerCase(), other ?? group);
    if (other === undefined) return [];
    const found = `the id that ${quote(other)} has`;
    return [
      {
        path: [...path, 'subscriptionGroups', group],
        found,
        allowed: 'a subscription group of its own for each group',
      },
    ];
  });
}

/** A custom attribute of a destination, with the column that fills it, if that can be told, and where that is written. */
type Custom = Place & { readonly name: string; readonly property?: Use };
type Place = { readonly path: Path; readonly on: 'key' | 'value' };
/** A place that names a column. */
type Use = Place & { readonly property: string };

function customsOf({ customAttributes }: DraftDestination, path: Path): Custom[] {
  const at = [...path, 'customAttributes'];
  if (Array.isArray(customAttributes)) {
    return customAttributes.flatMap((name, index): Custom[] => {
      if (typeof name !== 'string') return [];
      const place = { path: [...at, index], on: 'value' } as const;
      return [{ name, ...place, property: { property: name, ...place } }];
    });
  }
  if (!isMap(customAttributes)) return [];
  return Object.entries(customAttributes).map(([name, source]): Custom => {
    const place = { path: [...at, name], on: 'key' } as const;
    const property = propertyOf(source, name, place);
    return { name, ...place, ...(property && { property }) };
  });
}

function propertyOf(source: unknown, name: string, place: Place): Use | undefined {
  if (typeof source === 'string') return { property: source, path: place.path, on: 'value' };
  const isOfSameName = source === null || (isMap(source) && Object.keys(source).every((key) => key === 'type'));
  if (isOfSameName) return { property: name, ...place };
  if (!isMap(source) || typeof source.property !== 'string') return undefined;
  return { property: source.property, path: [...place.path, 'property'], on: 'value' };
}

function customNameFindings(destination: DraftDestination, path: Path): Finding[] {
  const seen = new Set<string>();
  return customsOf(destination, path).flatMap(({ name, path: at, on }) => {
    const isAgain = seen.has(name);
    seen.add(name);
    const objection = isAgain ? { allowed: 'each attribute once' } : customNameObjection(name);
    return objection
      ? [{ path: at, on, found: isAgain ? `${quote(name)} a second time` : quote(name), ...objection }]
      : [];
  });
}

/** Source: Braze, 'Standard attributes' and 'Custom attributes'. */
function customNameObjection(name: string): { allowed: string; hint?: string } | undefined {
  const allowed = 'the name of a custom attribute';
  const lower = name.toLowerCase();
  if (isStandardAttribute(name)) return { allowed, hint: 'it is a standard attribute: put it under mapping' };
  if (isStandardAttribute(lower))
    return {
      allowed,
      hint: `it differs only in case from the standard attribute ${quote(lower)}, which goes under mapping`,
    };
  if (RESERVED_KEYS.some((key) => key === lower))
    return { allowed, hint: 'it is a word of the request and no attribute' };
  if (name === '__proto__') return { allowed };
  if (name.startsWith('$')) return { allowed: `${allowed}, without $ before it` };
  if (name !== name.trim()) return { allowed: `${allowed}, without spaces around it` };
  return /\p{Cc}/u.test(name) ? { allowed: `${allowed}, without control characters` } : undefined;
}

/** Something of a Braze user that a destination sets. */
type Write = Place & { readonly what: string };

function writesOf(destination: DraftDestination, path: Path): Write[] {
  const standard = Object.keys(destination.mapping ?? {}).filter(isStandardAttribute);
  return [
    ...standard.map(
      (name): Write => ({ what: `attribute ${quote(name)}`, path: [...path, 'mapping', name], on: 'key' }),
    ),
    ...customsOf(destination, path).map(({ name, path: at, on }) => ({
      what: `attribute ${quote(name)}`,
      path: at,
      on,
    })),
    ...members(destination.subscriptionGroups).flatMap(([group, id]): Write[] =>
      typeof id === 'string'
        ? [
            {
              what: `subscription group ${quote(id.toLowerCase())}`,
              path: [...path, 'subscriptionGroups', group],
              on: 'value',
            },
          ]
        : [],
    ),
  ];
}

/**
 * Two destinations that set the same thing of the same users would undo each other's work for ever: each ledger would
 * be true to its own last word.
 */
function writerFindings(draft: Draft): Finding[] {
  const writerOf = new Map<string, string>();
  return members(draft.destinations).flatMap(([name, destination]) => {
    const workspace = destination.enabled === false ? undefined : workspaceOf(draft, destination.app);
    if (workspace === undefined) return [];
    return writesOf(destination, ['destinations', name]).flatMap(({ what, path, on }) => {
      const key = `${workspace}\n${what}`;
      const other = writerOf.get(key) ?? name;
      writerOf.set(key, other);
      if (other === name) return [];
      const found = `${what} of ${quote(name)}, which ${quote(other)} writes in the same Braze workspace`;
      return [
        { path, on, found, allowed: 'one destination for each attribute', hint: 'leave it out of one, or disable one' },
      ];
    });
  });
}

/**
 * A sync that reads a part of a model deletes who leaves that part, also when another destination still sends them: its
 * ledger would then tell of users that are no more.
 */
function deleterFindings(draft: Draft): Finding[] {
  const enabled = members(draft.destinations).filter(([, { enabled }]) => enabled !== false);
  return enabled.flatMap(([name, { model, app, audience, syncMode }]) => {
    const workspace = workspaceOf(draft, app);
    if (syncMode !== 'sync' || audience === undefined || model === undefined || workspace === undefined) return [];
    const other = enabled.find(
      ([each, to]) =>
        each !== name &&
        (to.syncMode === 'sync' || to.syncMode === 'additive') &&
        to.model === model &&
        to.audience !== audience &&
        workspaceOf(draft, to.app) === workspace,
    );
    if (!other) return [];
    return [
      {
        path: ['destinations', name, 'syncMode'],
        found: `'sync' of the audience ${quote(audience)}, beside ${quote(other[0])}, which sends others of model ${quote(model)} to the same Braze workspace`,
        allowed: 'additive or enrich here, or the same audience in both',
        hint: `who leaves the audience would be deleted, though ${quote(other[0])} still sends them`,
      },
    ];
  });
}

/** Returns what is the same for two apps of one Braze workspace. */
function workspaceOf({ apps }: Draft, name: string | undefined): string | undefined {
  const app = name === undefined ? undefined : own(apps ?? {}, name);
  if (app?.type !== 'braze') return undefined;
  if (app.endpoint === undefined || app.apiKeySecret === undefined) return `app ${name}`;
  return `${withoutTrailingSlash(app.endpoint).toLowerCase()}\n${secretName(app.apiKeySecret)}`;
}

function columnFindings(draft: Draft, columnsOf: ColumnsOf): Finding[] {
  return members(draft.models).flatMap(([name, model]) => {
    const uses = usesOf(draft, name, model);
    if (typeof model.query !== 'string' || uses.length === 0 || queryProblem(model.query)) return [];
    const columns = columnsOf(model.query);
    if (columns === undefined) return [];
    const known = new Set(columns.map((column) => column.toLowerCase()));
    return uses
      .filter(({ property }) => !known.has(property.toLowerCase()))
      .map(({ property, path, on }) => ({
        path,
        on,
        found: quote(property),
        allowed: `a column of ${pathText(['models', name, 'query'])}: ${listed(columns)}`,
        hint: didYouMean(property, columns),
      }));
  });
}

function usesOf(draft: Draft, modelName: string, model: DraftModel): Use[] {
  const use = (property: unknown, path: Path): Use[] =>
    typeof property === 'string' && property !== '' ? [{ property, path, on: 'value' }] : [];
  return [
    ...use(model.primaryKey, ['models', modelName, 'primaryKey']),
    ...rulesOf(modelName, model).flatMap(({ rule, path }) => use(rule.property, [...path, 'property'])),
    ...members(draft.destinations)
      .filter(([, destination]) => destination.model === modelName)
      .flatMap(([name, destination]) => [
        ...members(destination.mapping).flatMap(([attribute, property]) =>
          use(property, ['destinations', name, 'mapping', attribute]),
        ),
        ...customsOf(destination, ['destinations', name]).flatMap(({ property }) => property ?? []),
      ]),
  ];
}
