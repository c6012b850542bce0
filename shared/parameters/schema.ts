/**
 * The parameter file's one schema: it types the code, checks the file at synth and in the CLI, and is exported as
 * `parameters/schema.json` for editors.
 *
 * What a schema cannot say is checked beside it: single values in `sense.ts` (SQL, schedules, endpoints), and what
 * parts say of one another in `references.ts` (names, one writer for each attribute, primary key and external_id).
 * Everything here is data: no file is read and no default depends on the environment.
 */
import * as z from 'zod';
import { isStandardAttribute, STANDARD_ATTRIBUTES } from '../braze/attributes.ts';
import { fixedMs } from '../time.ts';
import { withoutTrailingSlash } from './endpoint.ts';
import { stripTrailingComments, stripTrailingSemicolon } from './sql-text.ts';

/** A text of a certain form. Editors show the words when a value does not have it. */
const formed = (pattern: RegExp, words: string) =>
  z.string().regex(pattern, words).meta({ patternErrorMessage: words });

/** A name that becomes part of resource names, metrics and ledger keys. */
export const Name = formed(
  /^[A-Za-z][A-Za-z0-9_-]{0,47}$/,
  'a letter, then letters, digits, _ or -, 48 characters at most',
);

/** A column of the model. */
export const PropertyName = z.string().min(1).max(127).describe('A column of the model.');

/** Name or ARN of a Secrets Manager secret; never the secret itself. */
export const SecretId = formed(
  /^[A-Za-z0-9/_+=.@!:-]{1,2048}$/,
  'the name or ARN of a secret in AWS Secrets Manager',
).describe('Name or ARN of a secret in AWS Secrets Manager. Never the secret itself.');

/**
 * Names that become parts of ARNs in policies: a wildcard or a policy variable in one would grant more than it names.
 * Source: Amazon Redshift API Reference, 'GetClusterCredentials' and 'CreateCluster'.
 */
const ClusterName = formed(/^[a-z][a-z0-9-]{0,62}$/, 'a cluster identifier: lower-case letters, digits and -');
const DatabaseName = formed(/^[A-Za-z_][A-Za-z0-9_+.@-]{0,127}$/, 'text of letters, digits, _ + . @ and -, not empty');

export const RedshiftApp = z
  .strictObject({
    type: z.literal('redshift').describe('A Redshift warehouse.'),
    workgroup: z
      .string()
      .min(3)
      .max(128)
      .optional()
      .describe('Redshift Serverless workgroup. Either this, or cluster and dbUser.'),
    cluster: ClusterName.optional().describe('Provisioned cluster identifier.'),
    dbUser: DatabaseName.optional().describe('Database user on the provisioned cluster (temporary credentials).'),
    database: DatabaseName.describe('Database name.'),
    secret: SecretId.optional().describe(
      'Secret with the database user and password. Without it, IAM credentials are used.',
    ),
  })
  .describe('A Redshift warehouse, reached through the Redshift Data API.');

export const BrazeApp = z
  .strictObject({
    type: z.literal('braze').describe('A Braze workspace.'),
    endpoint: z
      .string()
      .min(1)
      .overwrite(withoutTrailingSlash)
      .describe("The workspace's REST endpoint, from the Braze dashboard, such as https://rest.iad-01.braze.com."),
    allowEndpoint: z
      .boolean()
      .default(false)
      .describe("Takes an endpoint that is not one of Braze's own hosts: any over https, http on this machine only."),
    apiKeySecret: SecretId.describe(
      'Secret that holds the REST API key: the key as plain text, or JSON with an apiKey member.',
    ),
    requestsPerSecond: z
      .number()
      .positive()
      .max(1000)
      .default(50)
      .describe('Requests a second of all writers of this app together.'),
    concurrency: z.int().min(2).max(100).default(5).describe('Writers at once (AWS Lambda allows no less than 2).'),
    maxUsersPerRequest: z.int().min(1).max(75).default(75).describe('Users in one /users/track request.'),
    lookupsPerMinute: z
      .number()
      .positive()
      .max(2500)
      .default(250)
      .describe('Requests a minute to /users/export/ids (enrich only).'),
    workspace: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        'Names the workspace where the endpoint alone does not: behind a proxy, or where several workspaces have one endpoint. A destination never moves to another workspace.',
      ),
    settleSeconds: z
      .int()
      .min(0)
      .max(300)
      .default(5)
      .describe("Least time between two runs' requests for one user, as Braze promises no order between requests."),
  })
  .describe('A Braze workspace, reached through its REST API.');

export const App = z.discriminatedUnion('type', [RedshiftApp, BrazeApp]);

/** Operators that compare a property with one value. */
export const COMPARISONS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] as const;
/** Operators that look into a text. */
export const TEXT_OPERATORS = ['contains', 'starts_with', 'ends_with', 'matches'] as const;
/** Operators that take a list. */
export const LIST_OPERATORS = ['in', 'not_in'] as const;
/** Operators that take no value. */
export const UNARY_OPERATORS = ['exists', 'not_exists', 'is_true', 'is_false'] as const;
/** Operators that take a duration, counted from the start of the run. */
export const TIME_OPERATORS = ['within_last', 'before_last', 'within_next'] as const;

const Scalar = z.union([z.string().max(10_000), z.number(), z.boolean()]);

/** A length of time: a whole number and a unit. */
export const Duration = formed(
  /^\d{1,6} (minute|hour|day|week|month|year)s?$/,
  'a whole number and a unit, such as 90 days',
).describe('Such as 90 days. Units: minutes, hours, days, weeks, months, years.');

const ComparisonRule = z.strictObject({ property: PropertyName, op: z.enum(COMPARISONS), value: Scalar });
const TextRule = z.strictObject({
  property: PropertyName,
  op: z.enum(TEXT_OPERATORS),
  value: z.string().min(1).max(10_000),
});
const ListRule = z.strictObject({
  property: PropertyName,
  op: z.enum(LIST_OPERATORS),
  value: z.array(Scalar).min(1).max(1000),
});
const UnaryRule = z.strictObject({ property: PropertyName, op: z.enum(UNARY_OPERATORS) });
const TimeRule = z.strictObject({ property: PropertyName, op: z.enum(TIME_OPERATORS), value: Duration });

export const PropertyRule = z.discriminatedUnion('op', [ComparisonRule, TextRule, ListRule, UnaryRule, TimeRule]);
export const SqlRule = z.strictObject({
  sql: z
    .string()
    .min(1)
    .max(20_000)
    .overwrite(stripTrailingComments)
    .describe('A predicate over the columns of the model, such as ltv > 100.'),
});
export const GroupRule = z.strictObject({ group: Name.describe('Another group of the same model.') });

export type PropertyRule = z.infer<typeof PropertyRule>;
export type SqlRule = z.infer<typeof SqlRule>;
export type GroupRule = z.infer<typeof GroupRule>;
export type AllRule = { all: Rule[] };
export type AnyRule = { any: Rule[] };
export type Rule = AllRule | AnyRule | SqlRule | GroupRule | PropertyRule;

/** A rule of a group: over one property, by SQL, by another group, or all/any of further rules. */
export const Rule: z.ZodType<Rule> = z
  .lazy(() => z.union([AllRule, AnyRule, SqlRule, GroupRule, PropertyRule]))
  .meta({ id: 'Rule', description: 'One of: property with op and value; all; any; sql; group.' });
export const AllRule = z.strictObject({ all: z.array(Rule).min(1).max(200).describe('All of these must hold.') });
export const AnyRule = z.strictObject({
  any: z.array(Rule).min(1).max(200).describe('At least one of these must hold.'),
});

export const Model = z
  .strictObject({
    app: Name.describe('The warehouse app that holds the rows.'),
    query: z
      .string()
      .min(1)
      .max(50_000)
      .overwrite(stripTrailingSemicolon)
      .optional()
      .describe('One SELECT statement. Either this or table.'),
    table: formed(/^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*){0,2}$/, 'a table or view, such as public.customers')
      .optional()
      .describe('A table or view, such as public.customers. Either this or query.'),
    primaryKey: PropertyName.describe('The column that identifies a record; it becomes external_id.'),
    where: z
      .string()
      .min(1)
      .max(20_000)
      .overwrite(stripTrailingComments)
      .optional()
      .describe('A predicate over the columns: only rows for which it holds are records.'),
    groups: z.record(Name, Rule).default({}).describe('Named audiences of this model.'),
  })
  .describe('Rows of one kind.');

/** What a custom attribute may be in Braze. Source: Braze, 'Custom attribute data types'. */
export const ATTRIBUTE_TYPES = ['string', 'integer', 'float', 'boolean', 'date', 'array', 'object'] as const;
export const AttributeType = z.enum(ATTRIBUTE_TYPES);
export type AttributeType = z.infer<typeof AttributeType>;

/** A length of time that is the same at any date. */
const FixedDuration = formed(
  /^[1-9]\d{0,5} (minute|hour|day|week)s?$/,
  'a whole number of minutes, hours, days or weeks, such as 1 day',
);

const CustomAttribute = z.union([
  PropertyName,
  z.strictObject({
    property: PropertyName.optional().describe("The column; the attribute's own name when left out."),
    type: AttributeType.optional().describe("The attribute's type, where the column's own type is not the wanted one."),
    resolution: z
      .union([FixedDuration, z.number().positive()])
      .optional()
      .describe(
        'Rounds values down, so that small changes cost no data point: a time to a multiple of a duration (1 day), a number to a multiple of a number (10).',
      ),
    minInterval: FixedDuration.optional().describe(
      'Least time between two updates of this attribute of one user, such as 1 day; what changes sooner waits.',
    ),
  }),
  z.null(),
]);

/** A custom attribute's name in Braze. Source: Braze, 'Custom attributes' (255 characters at most). */
export const CustomAttributeName = z.string().min(1).max(255);

const SubscriptionGroupId = formed(
  /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/,
  'a subscription group id, a UUID',
).describe('The id of a Braze subscription group.');

const ScheduleExpression = z
  .string()
  .min(1)
  .describe('An EventBridge schedule: rate(1 hour), cron(0 6 * * ? *) or at(2030-01-01T00:00:00).');
const Schedule = z.union([
  ScheduleExpression,
  z.strictObject({
    expression: ScheduleExpression,
    timezone: z.string().min(1).default('UTC').describe('IANA time zone of a cron or at expression.'),
    flexibleMinutes: z
      .int()
      .min(1)
      .max(1440)
      .optional()
      .describe('Start within this many minutes after the scheduled time.'),
  }),
]);

const limits = (maxPercent: number, of: string, minRecords: number) =>
  z
    .strictObject({
      maxPercent: z.number().min(0).max(100).default(maxPercent).describe(`Percent of ${of}.`),
      maxRecords: z.int().min(0).default(10_000).describe('Records.'),
      minRecords: z.int().min(0).default(minRecords).describe('So few records, or fewer than them, are never held.'),
    })
    .prefault({});

const mappingShape = Object.fromEntries(
  Object.entries(STANDARD_ATTRIBUTES).map(([name, kind]) => [
    name,
    PropertyName.optional().describe(`A column of the model (${kind}).`),
  ]),
) as Record<keyof typeof STANDARD_ATTRIBUTES, z.ZodOptional<typeof PropertyName>>;

export const Mapping = z
  .strictObject({ external_id: PropertyName.describe("The model's primary key."), ...mappingShape })
  .describe('Braze standard attribute: property.');

export const Destination = z
  .strictObject({
    model: Name.describe('The model whose records are sent.'),
    app: Name.describe('The Braze app.'),
    enabled: z.boolean().default(true).describe('A disabled destination keeps its ledger and has no schedule.'),
    syncMode: z
      .enum(['sync', 'additive', 'enrich'])
      .describe(
        'sync adds, updates and deletes; additive adds and updates; enrich only updates users that Braze already has.',
      ),
    schedule: Schedule.optional().describe('When it runs; without one it runs only on request.'),
    mapping: Mapping,
    customAttributes: z
      .union([z.array(PropertyName), z.record(CustomAttributeName, CustomAttribute)])
      .default({})
      .describe('Braze custom attribute: property. A list of properties keeps their names.'),
    subscriptionGroups: z
      .record(Name, SubscriptionGroupId)
      .default({})
      .describe('Group: the id of the Braze subscription group that its members are subscribed to.'),
    audience: Name.optional().describe(
      'A group: only its members are sent; a record that leaves it counts as removed.',
    ),
    deletionGuard: z
      .strictObject({
        maxPercent: z.number().min(0).max(100).default(10).describe('Percent of the records in the ledger.'),
        maxRecords: z.int().min(0).default(10_000).describe('Records.'),
      })
      .prefault({})
      .describe('Removals beyond either limit are held until a person approves them.'),
    groupGuard: limits(50, "the group's members in the ledger", 9).describe(
      'Records that leave one subscription group while it is listed: beyond either limit they are held until a person approves them.',
    ),
    nullGuard: limits(50, 'the records in the ledger that have the attribute', 9).describe(
      'Records of which one mapped attribute becomes NULL: beyond either limit this is held until a person approves it.',
    ),
    budget: z
      .strictObject({
        dataPointsPerRun: z.int().min(1).optional().describe('Data points of one run.'),
        dataPointsPerDay: z.int().min(1).optional().describe('Data points of all runs that started within 24 hours.'),
      })
      .optional()
      .describe('A run that would cost more is held, before it sends anything, until a person approves it.'),
    renamedFrom: Name.optional().describe(
      "The destination's former name: it goes on with that one's ledger. May be left out after the first run.",
    ),
    invalidValues: z
      .enum(['reject', 'omit'])
      .default('reject')
      .describe('A value that Braze would refuse or lose: reject the record, or leave only the field behind.'),
    shards: z
      .union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16), z.literal(32), z.literal(64)])
      .default(1)
      .describe(
        'Parts in which the rows are read, a statement each. More than one splits small changes over more requests; a result of the Data API has 500 MB at most, so take more from about a million rows on.',
      ),
    askAgainAfter: Duration.default('1 day').describe(
      'enrich: how long a user that Braze does not know stays unasked.',
    ),
  })
  .describe('A model sent to a Braze app.');

/** The name of an environment, and of its parameter file. */
export const Environment = formed(/^[a-z][a-z0-9-]{0,23}$/, 'lower-case letters, digits and -, 24 characters at most');

/** A customer-managed key of AWS KMS. Keys that AWS manages (alias/aws/…) cannot be granted to the services that need it. */
export const KmsKey = formed(
  /^(alias\/(?!aws\/)[A-Za-z0-9/_-]{1,250}|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,100})$/,
  'the ARN of a KMS key, or its alias such as alias/w2b',
);

export const Parameters = z
  .strictObject({
    environment: Environment.describe('Names the stack.'),
    alarmEmail: z.email().optional().describe('Where the alarms are sent.'),
    apps: z.record(Name, App).describe('Connections, by name.'),
    models: z.record(Name, Model).describe('What is read, by name.'),
    destinations: z.record(Name, Destination).describe('What is sent where, by name.'),
    kmsKey: KmsKey.optional().describe(
      "ARN or alias of a customer-managed KMS key, in the stack's account and region, that encrypts queues, tables, logs and alarms; its policy is yours (docs/security.md).",
    ),
  })
  .describe('warehouse-to-braze parameter file');

export type RedshiftApp = z.infer<typeof RedshiftApp>;
export type BrazeApp = z.infer<typeof BrazeApp>;
export type Model = z.infer<typeof Model>;
export type Destination = z.infer<typeof Destination>;
/** A checked parameter file with every default filled in. */
export type Parameters = z.infer<typeof Parameters>;
/** A parameter file as a person writes it. */
export type ParametersInput = z.input<typeof Parameters>;
/** Limits of a guard. */
export type Limits = { readonly maxPercent: number; readonly maxRecords: number; readonly minRecords?: number };
export type SyncMode = Destination['syncMode'];

/** A field of a destination: one attribute of a Braze user, and the property that fills it. */
export type FieldMapping = {
  readonly attribute: string;
  readonly property: string;
  readonly standard: boolean;
  readonly type?: AttributeType;
  /** Values are rounded down to multiples of this: milliseconds where it is a time, else units of the number. */
  readonly resolution?: { readonly ms: number } | { readonly step: number };
  /** Least time between two updates of one user, ms. */
  readonly minIntervalMs?: number;
};

const resolutionOf = (resolution: string | number): NonNullable<FieldMapping['resolution']> =>
  typeof resolution === 'number' ? { step: resolution } : { ms: fixedMs(resolution) };

/** Returns a destination's fields in a stable order, `external_id` left out; both ways to write customAttributes become one. */
export function fieldsOf(destination: Destination): FieldMapping[] {
  const standard = Object.entries(destination.mapping)
    .filter(([attribute, property]) => isStandardAttribute(attribute) && property !== undefined)
    .map(([attribute, property]) => ({ attribute, property: property as string, standard: true }));
  const custom = Array.isArray(destination.customAttributes)
    ? destination.customAttributes.map((property) => ({ attribute: property, property, standard: false }))
    : Object.entries(destination.customAttributes).map(([attribute, source]) => {
        if (typeof source === 'string') return { attribute, property: source, standard: false };
        const { property = attribute, type, resolution, minInterval } = source ?? {};
        return {
          ...{ attribute, property, standard: false },
          ...(type ? { type } : {}),
          ...(resolution === undefined ? {} : { resolution: resolutionOf(resolution) }),
          ...(minInterval === undefined ? {} : { minIntervalMs: fixedMs(minInterval) }),
        };
      });
  return [...standard, ...custom];
}

/** Returns a destination's schedule with its defaults, or undefined when it has none. */
export function scheduleOf(
  destination: Destination,
): { expression: string; timezone: string; flexibleMinutes?: number | undefined } | undefined {
  const { schedule } = destination;
  return typeof schedule === 'string' ? { expression: schedule, timezone: 'UTC' } : schedule;
}
