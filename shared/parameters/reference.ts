/**
 * The reference of the parameter file (`docs/parameters.md`), made from the schema and its descriptions.
 *
 * What the schema does not hold (what an operator or a kind of attribute means) is here in tables that must be complete:
 * a new operator without its meaning does not compile.
 */
import { STANDARD_ATTRIBUTES, type StandardKind } from '../braze/attributes.ts';
import { allowedText, alternativesOf, isRule, type SchemaNode, schemaRoot } from './json-schema.ts';
import type { COMPARISONS, LIST_OPERATORS, TEXT_OPERATORS, TIME_OPERATORS, UNARY_OPERATORS } from './schema.ts';

/** A parameter file that shows everything once; a test reads it. */
export const EXAMPLE = `# yaml-language-server: $schema=./schema.json
environment: production
alarmEmail: data-team@example.com

apps:
  warehouse:
    type: redshift
    workgroup: analytics            # or: cluster, with dbUser or secret
    database: dev
    secret: redshift/readonly
  braze:
    type: braze
    endpoint: https://rest.iad-01.braze.com
    apiKeySecret: braze/rest-api-key
    requestsPerSecond: 50

models:
  customers:
    app: warehouse
    query: |
      SELECT c.customer_id, c.email, c.first_name, c.country, c.opt_in, c.tags, c.birthday,
             sum(i.total) AS ltv, max(i.invoice_date) AS last_purchase
      FROM customer c LEFT JOIN invoice i USING (customer_id)
      GROUP BY 1, 2, 3, 4, 5, 6, 7
    where: email IS NOT NULL
    primaryKey: customer_id
    groups:
      buyers: { property: last_purchase, op: exists }
      high_value_recent_buyers:
        all:
          - { property: ltv, op: gte, value: 40 }
          - { property: last_purchase, op: within_last, value: 90 days }
      dach:
        any:
          - { property: country, op: in, value: [DE, AT, CH] }
          - { property: email, op: matches, value: '\\.(de|at|ch)$' }
      vip: { sql: "ltv > 100" }
      vip_buyers:
        all: [{ group: vip }, { group: buyers }]
  companies:
    app: warehouse
    table: public.companies
    primaryKey: company_id

destinations:
  customers_to_braze:
    model: customers
    app: braze
    syncMode: sync
    schedule: rate(1 hour)
    mapping:
      external_id: customer_id
      email: email
      first_name: first_name
      country: country
      dob: birthday
    customAttributes:
      lifetime_value: ltv           # attribute: column
      last_purchase:                # the column of the same name
      tags: { type: array }         # the column of the same name, sent as an array
      newsletter: { property: opt_in, type: boolean }
    subscriptionGroups:
      high_value_recent_buyers: 8f2b5c1e-0000-4000-8000-000000000001
    deletionGuard: { maxPercent: 5, maxRecords: 1000 }
  companies_to_braze:
    model: companies
    app: braze
    syncMode: enrich
    enabled: false
    schedule: { expression: cron(0 6 ? * MON-FRI *), timezone: Europe/Berlin, flexibleMinutes: 15 }
    mapping:
      external_id: company_id
    customAttributes: [industry, employees]
    invalidValues: omit
`;

type Operator = (
  | typeof COMPARISONS
  | typeof TEXT_OPERATORS
  | typeof LIST_OPERATORS
  | typeof UNARY_OPERATORS
  | typeof TIME_OPERATORS
)[number];

const OPERATOR_MEANINGS: Readonly<Record<Operator, string>> = {
  eq: 'The property equals the value.',
  ne: 'The property does not equal the value.',
  gt: 'The property is greater than the value.',
  gte: 'The property is greater than the value or equal to it.',
  lt: 'The property is less than the value.',
  lte: 'The property is less than the value or equal to it.',
  contains: 'The property contains the text.',
  starts_with: 'The property starts with the text.',
  ends_with: 'The property ends with the text.',
  matches: 'A part of the property matches the POSIX regular expression.',
  in: 'The property is one of the values.',
  not_in: 'The property is none of the values.',
  exists: 'The property is not NULL.',
  not_exists: 'The property is NULL.',
  is_true: 'The property is true.',
  is_false: 'The property is false.',
  within_last: 'The property is a time in the last 90 days, say, before the start of the run.',
  before_last: 'The property is an earlier time than that.',
  within_next: 'The property is a time in the 90 days, say, after the start of the run.',
};

/** Source: Braze, 'Standard attributes' and 'User attributes object'. */
const KIND_MEANINGS: Readonly<Record<StandardKind, string>> = {
  text: 'Text.',
  email: 'An e-mail address.',
  phone: 'A phone number, best in E.164 form such as +4930123456.',
  country: 'A country as ISO 3166-1 alpha-2, such as DE.',
  language: 'A language as ISO 639-1, such as de.',
  gender: 'M, F, O (other), N (not applicable) or P (prefers not to say).',
  birth_date: 'A date, YYYY-MM-DD.',
  time_zone: 'An IANA time zone, such as Europe/Berlin.',
  subscription_state: 'opted_in, subscribed or unsubscribed.',
  flag: 'true or false.',
  location: 'A longitude and a latitude.',
  time: 'A time.',
  url: 'A URL of at most 1,024 characters.',
  profile: 'An object, as Braze describes it for the network.',
};

/** Returns the whole reference as Markdown. */
export function renderReference(): string {
  const root = schemaRoot();
  const [redshift, braze] = alternativesOf(entryOf(root, 'apps'));
  const model = entryOf(root, 'models');
  const destination = entryOf(root, 'destinations');
  const schedule = propertyOf(destination, 'schedule');
  return [
    INTRODUCTION,
    '## Example',
    `\`\`\`yaml\n${EXAMPLE}\`\`\``,
    '## Top level',
    keyTable(root, [['extends', 'text or a list of texts', '–', 'paths of files', EXTENDS_MEANING]]),
    '## apps.(name), type: redshift',
    ...section(redshift),
    '## apps.(name), type: braze',
    ...section(braze),
    '## models.(name)',
    ...section(model),
    '## Rules',
    RULES,
    operatorTable(),
    '## destinations.(name)',
    ...section(destination),
    '### schedule',
    'Either the expression alone, or a map:',
    ...section(mapOf(schedule)),
    SCHEDULES,
    '### mapping',
    MAPPING,
    standardTable(),
    '### customAttributes',
    CUSTOM_ATTRIBUTES,
    ...section(mapOf(customOf(destination))),
    '### deletionGuard',
    ...section(propertyOf(destination, 'deletionGuard')),
    '## What is refused',
    REFUSED,
  ]
    .join('\n\n')
    .concat('\n');
}

const EXTENDS_MEANING =
  'Files that this one is laid over, relative to it. Maps are merged key by key, the nearer file wins, of a list the later one; lists and rules are replaced.';

const INTRODUCTION = `# Parameters

<!-- Made by \`npm run docs\` from shared/parameters; edit it there. -->

A parameter file says what is read from the warehouse and what is kept true in Braze. There is one for each environment,
\`parameters/<environment>.yaml\`, and nothing else to edit. It is checked as a whole before anything is deployed or run:
every mistake is reported in one go, with file and line, what was found and what is allowed.

Begin a file with \`# yaml-language-server: $schema=./schema.json\`, and an editor completes and checks it while you type.

Secrets never stand in the file, only their names or ARNs in AWS Secrets Manager.`;

const RULES = `A group is a rule. A rule is a map of one of these forms:

| form | holds when |
| --- | --- |
| \`{ property, op, value }\` | the property compares with the value as the operator says |
| \`{ all: [rule, …] }\` | all of the rules hold |
| \`{ any: [rule, …] }\` | at least one of the rules holds |
| \`{ group: name }\` | the rule of another group of the same model holds |
| \`{ sql: predicate }\` | the SQL predicate over the model's columns holds |

Rules nest 20 levels at most. A regular expression is written with single backslashes, in single quotes.`;

const SCHEDULES = `\`rate(value unit)\` takes a whole number and \`minute\`, \`hour\` or \`day\`, in the plural beyond 1. \`cron(…)\` takes six fields:
minutes, hours, day-of-month, month, day-of-week, year; exactly one of day-of-month and day-of-week is \`?\`.
\`at(2030-01-31T06:00:00)\` runs once.`;

const MAPPING = `\`external_id\` must be the model's primary key. Every other key is a standard attribute of Braze, whose name is in lower
case, with the column that fills it:`;

const CUSTOM_ATTRIBUTES = `Either a list of columns, which keep their names, or a map of attributes. What stands beside an attribute is the column,
nothing (the column of the same name), or a map:`;

const REFUSED = `Besides what the tables say:

- A name that does not exist: an app, a model, a group, or a column that the query does not return (where the query can be read).
- \`query\` and \`table\` together, or neither; \`workgroup\` and \`cluster\` together, or neither.
- Groups that name themselves, in however many steps.
- A custom attribute with the name of a standard one, in whatever case, with \`$\` before it or spaces around it, or with a word of
  Braze's request as its name.
- Two enabled destinations that write the same attribute, or the same subscription group, of one Braze workspace: each would
  undo the other's work.
- SQL with something left open, with more than one statement, or that does not begin with SELECT or WITH.
- A key where the name of a secret belongs.
- In YAML: the same key twice, merge keys (\`<<\`), several documents, tabs before a key, keys that are no text, more than 1 MB.`;

type Row = readonly [key: string, type: string, otherwise: string, allowed: string, meaning: string];

const section = (node: SchemaNode | undefined): string[] =>
  node ? [...(node.description ? [node.description] : []), keyTable(node)] : [];

function keyTable(node: SchemaNode, more: readonly Row[] = []): string {
  const { properties = {}, required = [] } = mapOf(node) ?? {};
  const rows = Object.entries(properties).map(([key, property]): Row => {
    const isDefault = property.default !== undefined;
    const otherwise = required.includes(key) ? 'required' : isDefault ? code(JSON.stringify(property.default)) : '–';
    return [key, typeText(property), otherwise, allowedInTable(property), property.description ?? ''];
  });
  return table(
    ['key', 'type', 'default', 'allowed', 'meaning'],
    [...rows, ...more].map(([key, ...rest]) => [code(key), ...rest]),
  );
}

const TYPES: Readonly<Record<NonNullable<SchemaNode['type']>, string>> = {
  object: 'map',
  array: 'list',
  string: 'text',
  number: 'number',
  integer: 'whole number',
  boolean: 'true or false',
  null: 'nothing',
};

const typeText = (node: SchemaNode): string =>
  isRule(node) ? 'rule' : [...new Set(alternativesOf(node).map(({ type }) => (type ? TYPES[type] : '')))].join(' or ');

function allowedInTable(node: SchemaNode): string {
  const limit = node.maxLength === undefined ? '' : `at most ${node.maxLength} characters`;
  const allowed = allowedText(node);
  return allowed === typeText(node) || /\ba (map|list)\b/.test(allowed) ? limit : allowed.replace(/^text$/, '');
}

/** Returns what the members of a map of named parts are. */
function entryOf(node: SchemaNode, key: string): SchemaNode {
  const { additionalProperties } = propertyOf(node, key);
  return additionalProperties ? additionalProperties : {};
}

const propertyOf = (node: SchemaNode, key: string): SchemaNode => node.properties?.[key] ?? {};

/** Returns the one kind of a node that is a map with known keys. */
const mapOf = (node: SchemaNode): SchemaNode | undefined => alternativesOf(node).find(({ properties }) => properties);

/** What a custom attribute may be. */
const customOf = (destination: SchemaNode): SchemaNode =>
  alternativesOf(propertyOf(destination, 'customAttributes')).flatMap(
    ({ additionalProperties }) => additionalProperties || [],
  )[0] ?? {};

function operatorTable(): string {
  const options = alternativesOf({ $ref: '#/$defs/Rule' });
  const rows = Object.entries(OPERATOR_MEANINGS).map(([operator, meaning]) => {
    const rule = options.find(({ properties }) => properties?.op?.enum?.includes(operator));
    const value = rule?.properties?.value;
    return [code(operator), value ? allowedText(value) : 'none', meaning];
  });
  return table(['operator', 'value', 'holds when'], rows);
}

const standardTable = (): string =>
  table(
    ['attribute', 'kind', 'takes'],
    Object.entries(STANDARD_ATTRIBUTES).map(([name, kind]) => [code(name), kind, KIND_MEANINGS[kind]]),
  );

const code = (text: string): string => `\`${text}\``;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
