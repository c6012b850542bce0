/**
 * The parameter file's JSON Schema: for editors (`parameters/schema.json`), for the reference, and for wording mistakes.
 *
 * It is derived from the zod schema alone, so the three cannot disagree with what is checked.
 */
import * as z from 'zod';
import { listed } from './problems.ts';
import { Parameters } from './schema.ts';

/** The part of JSON Schema that the export uses. */
export type SchemaNode = {
  readonly $ref?: string | undefined;
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null' | undefined;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly const?: string | number | boolean | null | undefined;
  readonly enum?: readonly (string | number | boolean | null)[] | undefined;
  readonly anyOf?: readonly SchemaNode[] | undefined;
  readonly oneOf?: readonly SchemaNode[] | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly propertyNames?: SchemaNode | undefined;
  readonly additionalProperties?: SchemaNode | false | undefined;
  readonly items?: SchemaNode | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly format?: string | undefined;
  readonly pattern?: string | undefined;
  /** A pattern in words; editors know the key too. */
  readonly patternErrorMessage?: string | undefined;
  readonly $defs?: Readonly<Record<string, SchemaNode>> | undefined;
};

const Literal = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Count = z.number().optional();
const Text = z.string().optional();
const SchemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  z.object({
    $ref: Text,
    type: z.enum(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']).optional(),
    description: Text,
    default: z.unknown().optional(),
    const: Literal.optional(),
    enum: z.array(Literal).optional(),
    anyOf: z.array(SchemaNode).optional(),
    oneOf: z.array(SchemaNode).optional(),
    properties: z.record(z.string(), SchemaNode).optional(),
    required: z.array(z.string()).optional(),
    propertyNames: SchemaNode.optional(),
    additionalProperties: z.union([z.literal(false), SchemaNode]).optional(),
    items: SchemaNode.optional(),
    minItems: Count,
    maxItems: Count,
    minLength: Count,
    maxLength: Count,
    minimum: Count,
    maximum: Count,
    exclusiveMinimum: Count,
    format: Text,
    pattern: Text,
    patternErrorMessage: Text,
    $defs: z.record(z.string(), SchemaNode).optional(),
  }),
);

let root: SchemaNode | undefined;

/** Returns the schema of a whole parameter file (made once). */
export function schemaRoot(): SchemaNode {
  root ??= SchemaNode.parse(exported());
  return root;
}

const exported = () => z.toJSONSchema(Parameters, { io: 'input' });

/** Returns what a node refers to, or the node itself. */
export const resolved = (node: SchemaNode): SchemaNode =>
  node.$ref === undefined ? node : (schemaRoot().$defs?.[node.$ref.slice('#/$defs/'.length)] ?? node);

/** Returns the kinds of value that a node may be, references followed and alternatives side by side. */
export function alternativesOf(node: SchemaNode): readonly SchemaNode[] {
  const { anyOf, oneOf, ...rest } = resolved(node);
  const options = anyOf ?? oneOf;
  return options ? options.flatMap(alternativesOf) : [rest];
}

/** Returns what a node allows, in words: `a whole number from 1 to 75`, `sync, additive or enrich`, `text`. */
export function allowedText(node: SchemaNode): string {
  if (isRule(node)) return 'a rule';
  const words = alternativesOf(node).map(allowedAlternative);
  return listed([...new Set(words)]);
}

/** True for a reference to the rule of a group. */
export const isRule = (node: SchemaNode): boolean => node.$ref === '#/$defs/Rule';

function allowedAlternative(node: SchemaNode): string {
  if (node.const !== undefined) return String(node.const);
  if (node.enum) return listed(node.enum.map(String));
  switch (node.type) {
    case 'string':
      return node.patternErrorMessage ?? (node.format === 'email' ? 'an e-mail address' : 'text');
    case 'integer':
      return `a whole number${rangeText(node)}`;
    case 'number':
      return `a number${rangeText(node)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    case 'null':
      return 'nothing';
    default:
      return 'a map';
  }
}

function rangeText({ minimum, maximum: limit, exclusiveMinimum }: SchemaNode): string {
  const maximum = limit === Number.MAX_SAFE_INTEGER ? undefined : limit;
  if (exclusiveMinimum !== undefined)
    return ` above ${exclusiveMinimum}${maximum === undefined ? '' : `, at most ${maximum}`}`;
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `, at least ${minimum}`;
  return maximum === undefined ? '' : `, at most ${maximum}`;
}

const EXTENDS = {
  description: 'Files that this one is laid over, relative to it. Maps are merged; a nearer file wins.',
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
} as const;

/** Returns the JSON Schema for editors. A file that extends another need not be complete, so nothing is required of it. */
export function editorSchema(): Readonly<Record<string, unknown>> {
  const { $schema, description, $defs, ...whole } = exported();
  const partial = z.record(z.string(), z.unknown()).parse(withoutRequired(whole));
  return {
    $schema,
    title: 'warehouse-to-braze parameters',
    description,
    if: { required: ['extends'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { ...partial, properties: { extends: EXTENDS, ...z.looseObject({}).parse(partial.properties) } },
    else: { ...whole, properties: { extends: EXTENDS, ...whole.properties } },
    $defs,
  };
}

/** Tags stay required, as editors tell the kinds of app by them; so do the parts of a rule, which is replaced whole. */
function withoutRequired(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutRequired);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => key !== 'required' || !Array.isArray(value))
      .map(([key, value]) => [key, withoutRequired(value)]),
  );
}
