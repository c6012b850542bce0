/**
 * What the schema has against a value, one precise finding for each mistake.
 *
 * zod decides whether a parameter file is valid; this file only words it. It walks the exported schema beside the value,
 * and where several kinds of value are allowed it goes by the keys that a person wrote, so that a mistyped operator is
 * reported as that and not as five ways in which the rule is no rule.
 */
import { isStandardAttribute, STANDARD_ATTRIBUTES } from '../braze/attributes.ts';
import { allowedText, alternativesOf, isRule, type SchemaNode, schemaRoot } from './json-schema.ts';
import { didYouMean, nearest } from './nearest.ts';
import { advice, describe, type Finding, isMap, listed, own, type Path, quote } from './problems.ts';
import { masked, secretFinding } from './secret.ts';

/** Returns what the schema has against the content of a parameter file (`extends` already taken out). */
export function explain(value: unknown): Finding[] {
  return check(schemaRoot(), value, []);
}

function check(node: SchemaNode, value: unknown, path: Path): Finding[] {
  if (isRule(node)) return checkRule(value, path);
  const options = alternativesOf(node);
  const [only] = options;
  if (only !== undefined && options.length === 1) return checkOne(only, value, path);
  const tag = tagOf(options);
  if (tag !== undefined) return isMap(value) ? checkTagged(options, tag, value, path) : [mismatch(node, value, path)];
  const chosen = options.find((option) => option.const === undefined && accepts(option, value));
  if (chosen) return checkOne(chosen, value, path);
  return options.some((option) => option.const === value && value !== undefined) ? [] : [mismatch(node, value, path)];
}

function checkOne(node: SchemaNode, value: unknown, path: Path): Finding[] {
  if (node.type === undefined) return [];
  if (!accepts(node, value)) return [mismatch(node, value, path)];
  if (isMap(value)) return checkMap(node, value, path);
  if (Array.isArray(value)) return checkList(node, value, path);
  if (typeof value === 'string') return checkText(node, value, path);
  if (typeof value === 'number') return checkNumber(node, value, path);
  return node.const === undefined || node.const === value ? [] : [mismatch(node, value, path)];
}

function accepts(node: SchemaNode, value: unknown): boolean {
  switch (node.type) {
    case 'object':
      return isMap(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
    case 'number':
      return typeof value === 'number';
    case 'null':
      return value === null;
    default:
      return typeof value === node.type;
  }
}

/** A value of the wrong kind, or none. */
const mismatch = (node: SchemaNode, value: unknown, path: Path): Finding => ({
  path,
  found: shown(value, path),
  allowed: allowedText(node),
  hint: mismatchHint(node, value),
});

function mismatchHint(node: SchemaNode, value: unknown): string | undefined {
  if (value === undefined || value === null) return meaningOf(node);
  if (typeof value === 'string') return didYouMean(value, wordsOf(node));
  const isText = alternativesOf(node).some(
    (option) => option.type === 'string' && !option.enum && option.const === undefined,
  );
  return isText && !isMap(value) && !Array.isArray(value)
    ? 'put a text that looks like another kind of value into quotes'
    : undefined;
}

const wordsOf = (node: SchemaNode): string[] =>
  alternativesOf(node).flatMap((option) => [...(option.enum ?? []), option.const ?? []].flat().map(String));

const meaningOf = (node: SchemaNode): string | undefined =>
  node.description === undefined || node.description === ''
    ? undefined
    : `meaning: ${node.description.replace(/\.$/, '')}`;

function checkMap(node: SchemaNode, value: Readonly<Record<string, unknown>>, path: Path): Finding[] {
  const { properties = {}, required = [], propertyNames, additionalProperties } = node;
  const keys = Object.keys(properties);
  const isKnown = (key: string): boolean => Object.hasOwn(properties, key) || additionalProperties !== false;
  // A key that was mistyped is reported as that, and not once more as missing.
  const meant = new Set(Object.keys(value).map((key) => (isKnown(key) ? undefined : nearest(key, keys))));
  const missing = required.filter((key) => !Object.hasOwn(value, key) && !meant.has(key));
  return [
    ...missing.flatMap((key) => mismatch(properties[key] ?? {}, undefined, [...path, key])),
    ...Object.entries(value).flatMap(([key, item]) => {
      const at = [...path, key];
      if (!isKnown(key)) return [unknownKey(key, keys, at)];
      const names = propertyNames ? checkText(propertyNames, key, at) : [];
      const property = own(properties, key) ?? (additionalProperties || {});
      return [...names.map((finding) => ({ ...finding, on: 'key' as const })), ...check(property, item, at)];
    }),
  ];
}

function unknownKey(key: string, keys: readonly string[], path: Path): Finding {
  const allowed = path.length === 1 ? ['extends', ...keys] : keys;
  const finding = { path, on: 'key' as const, found: quote(key), allowed: listed(allowed, 'and') };
  if (path.length === 4 && path[0] === 'destinations' && path[2] === 'mapping')
    return { ...finding, hint: noStandardAttribute(key) };
  return { ...finding, hint: didYouMean(key, allowed) };
}

function noStandardAttribute(key: string): string | undefined {
  const lower = key.toLowerCase();
  const custom = `${quote(key)} is no standard attribute of Braze; custom attributes go under customAttributes`;
  if (isStandardAttribute(lower) || lower === 'external_id')
    return `names of standard attributes are lower case: ${lower}`;
  return advice(didYouMean(key, ['external_id', ...Object.keys(STANDARD_ATTRIBUTES)]), custom);
}

function checkList(node: SchemaNode, value: readonly unknown[], path: Path): Finding[] {
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = node;
  const sized =
    value.length < minItems ? `at least ${minItems}` : value.length > maxItems ? `at most ${maxItems}` : undefined;
  const size = sized === undefined ? [] : [{ path, found: describe(value), allowed: `a list of ${sized}` }];
  return [...size, ...value.flatMap((item, index) => (items ? check(items, item, [...path, index]) : []))];
}

function checkText(node: SchemaNode, value: string, path: Path): Finding[] {
  const at = { path, found: shown(value, path) };
  if (node.enum && !node.enum.includes(value)) {
    return [{ ...at, allowed: allowedText(node), hint: didYouMean(value, node.enum.map(String)) }];
  }
  if (node.const !== undefined && node.const !== value) return [mismatch(node, value, path)];
  if (value.length < (node.minLength ?? 0)) return [{ ...at, allowed: 'a text that is not empty' }];
  if (value.length > (node.maxLength ?? Number.POSITIVE_INFINITY)) {
    return [{ ...at, found: `a text of ${value.length} characters`, allowed: `at most ${node.maxLength} characters` }];
  }
  if (node.pattern === undefined || new RegExp(node.pattern).test(value)) return [];
  const finding = { ...at, allowed: allowedText(node) };
  return [isSecret(path) ? (secretFinding(value, path) ?? finding) : finding];
}

function checkNumber(node: SchemaNode, value: number, path: Path): Finding[] {
  const isRight =
    Number.isFinite(value) &&
    (node.type !== 'integer' || Number.isSafeInteger(value)) &&
    (node.const === undefined || node.const === value) &&
    value >= (node.minimum ?? Number.NEGATIVE_INFINITY) &&
    value > (node.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) &&
    value <= (node.maximum ?? Number.POSITIVE_INFINITY);
  return isRight ? [] : [{ path, found: describe(value), allowed: allowedText(node) }];
}

/** Returns the key whose value tells the kinds of a map apart, if there is one. */
function tagOf(options: readonly SchemaNode[]): string | undefined {
  const [first] = options;
  return Object.keys(first?.properties ?? {}).find((key) =>
    options.every((option) => tagValues(option, key).length > 0),
  );
}

function tagValues(option: SchemaNode, tag: string): readonly unknown[] {
  const node = option.properties?.[tag];
  return node?.enum ?? (node?.const === undefined ? [] : [node.const]);
}

function checkTagged(
  options: readonly SchemaNode[],
  tag: string,
  value: Readonly<Record<string, unknown>>,
  path: Path,
): Finding[] {
  const given = own(value, tag);
  const words = options.flatMap((option) => tagValues(option, tag).map(String));
  const fitting = options.find((option) => tagValues(option, tag).includes(given));
  if (fitting) return checkMap(fitting, value, path).map((finding) => aboutValue(finding, given, value));
  const guess = typeof given === 'string' ? (SIGNS[given] ?? nearest(given, words)) : undefined;
  const meant = options.find((option) => guess !== undefined && tagValues(option, tag).includes(guess));
  const wrongTag = {
    path: [...path, tag],
    found: describe(given),
    allowed: listed(words),
    hint: guess === undefined ? undefined : `did you mean ${quote(guess)}?`,
  };
  return [
    wrongTag,
    ...checkMap(meant ?? common(options), { ...value, [tag]: guess }, path).filter(isNotAbout([...path, tag])),
  ];
}

const isNotAbout =
  (path: Path) =>
  (finding: Finding): boolean =>
    finding.path.join('\0') !== path.join('\0');

/** What all kinds of a map agree in, for a map whose kind is not known; keys that any kind has are let pass. */
function common(options: readonly SchemaNode[]): SchemaNode {
  const properties = new Map(options.flatMap((option) => Object.entries(option.properties ?? {})));
  const shared = [...properties].map(([key, node]): [string, SchemaNode] => [
    key,
    options.every((option) => JSON.stringify(option.properties?.[key]) === JSON.stringify(node)) ? node : {},
  ]);
  const required = [...properties.keys()].filter((key) => options.every((option) => option.required?.includes(key)));
  return { type: 'object', properties: Object.fromEntries(shared), required, additionalProperties: false };
}

/** Signs that people write for operators. */
const SIGNS: Readonly<Record<string, string>> = {
  '=': 'eq',
  '==': 'eq',
  '!=': 'ne',
  '<>': 'ne',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
  equals: 'eq',
  greater_than: 'gt',
  less_than: 'lt',
  like: 'contains',
  regex: 'matches',
  is_null: 'not_exists',
  is_not_null: 'exists',
};

/** Advice on the value of a rule, which depends on its operator. */
function aboutValue(finding: Finding, op: unknown, rule: Readonly<Record<string, unknown>>): Finding {
  if (finding.path.at(-1) !== 'value' || typeof op !== 'string') return finding;
  if (finding.on === 'key') return { ...finding, hint: `${quote(op)} takes no value` };
  return Array.isArray(rule.value) ? { ...finding, hint: 'lists are for in and not_in' } : finding;
}

/** The forms of a rule, and the keys that tell them. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  all: ['all'],
  any: ['any'],
  sql: ['sql'],
  group: ['group'],
  property: ['property', 'op', 'value'],
};
const RULE_ALLOWED = 'property with op and value, or one of all, any, sql and group';

function checkRule(value: unknown, path: Path): Finding[] {
  const allowed = RULE_ALLOWED;
  if (!isMap(value)) return [{ path, found: describe(value), allowed: `a rule: ${allowed}` }];
  const forms = Object.keys(FORMS).filter((form) => FORMS[form]?.some((key) => Object.hasOwn(value, key)));
  const [form] = forms;
  if (form === undefined) {
    const unknown = Object.keys(value).map((key) => ruleKey(key, [...path, key]));
    return unknown.length > 0 ? unknown : [{ path, found: 'an empty rule', allowed }];
  }
  if (forms.length > 1) {
    const found = `${listed(forms.map(quote), 'and')} in one rule`;
    return [
      { path, found, allowed: 'one of them', hint: 'put rules that belong together into a list under all or any' },
      ...rulesBelow(value, path),
    ];
  }
  const options = alternativesOf({ $ref: '#/$defs/Rule' }).filter((option) => option.properties?.[form]);
  const [only] = options;
  return only !== undefined && options.length === 1
    ? checkMap(only, value, path)
    : checkTagged(options, 'op', value, path);
}

const ruleKey = (key: string, path: Path): Finding => ({
  path,
  on: 'key',
  found: quote(key),
  allowed: RULE_ALLOWED,
  hint: didYouMean(key, Object.values(FORMS).flat()),
});

/** The rules in the lists of a rule that is itself of no clear form. */
function rulesBelow(value: Readonly<Record<string, unknown>>, path: Path): Finding[] {
  return ['all', 'any'].flatMap((key) => {
    const list = own(value, key);
    return Array.isArray(list) ? list.flatMap((item, index) => checkRule(item, [...path, key, index])) : [];
  });
}

/** True for a part that names a secret, and must not be shown. */
const isSecret = ([kind, , key]: Path): boolean => kind === 'apps' && (key === 'secret' || key === 'apiKeySecret');

function shown(value: unknown, path: Path): string {
  if (!isSecret(path) || value === '') return describe(value);
  if (typeof value === 'string') return masked(value);
  return typeof value === 'number' ? 'a number' : describe(value);
}
