/** What the Data API answers: pages through the SDK's own client, rows, and single values of every type. */
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { STANDARD_ATTRIBUTES } from '../shared/braze/attributes.ts';
import { textsIn } from '../shared/braze/redact.ts';
import { readRow, type Shape, shapeOf } from '../shared/diff/row.ts';
import { FatalError, RetryLater } from '../shared/errors.ts';
import { decodeFingerprint } from '../shared/ledger/fingerprint.ts';
import { recordHash } from '../shared/ledger/record-hash.ts';
import { ATTRIBUTE_TYPES, Destination, type FieldMapping } from '../shared/parameters/schema.ts';
import { columnFinder } from '../shared/runs/context.ts';
import { converterOf, typeProblem } from '../shared/values/convert.ts';
import { type Converted, Invalid, type RawValue } from '../shared/values/converted.ts';
import { canonicalText, type JsonValue } from '../shared/values/json.ts';
import { columnType } from '../shared/warehouse/columns.ts';
import { dataApi, type Warehouse } from '../shared/warehouse/data-api.ts';
import { withoutData, wordsOf } from '../shared/warehouse/failure-text.ts';
import { changedJson, changedText, hostileJson, hostileText, INTERNALS } from './hostile.ts';
import type { Random } from './random.ts';
import { hold, laterOutcomeOf, outcomeOf, type Target } from './target.ts';

const rawValue = (chance: Random): RawValue =>
  chance.pick<() => RawValue>([
    () => hostileText(chance),
    () => JSON.stringify(hostileJson(chance)),
    () => chance.pick([0, -0, 1.5, 2 ** 53, -1e300, Number.NaN, Number.POSITIVE_INFINITY]),
    () => chance.chance(0.5),
    () => null,
  ])();

const COLUMN_TYPES = ['int8', 'numeric', 'float8', 'bool', 'varchar', 'bpchar', 'date', 'timestamp', 'timestamptz'];
const MORE_TYPES = ['time', 'super', 'geometry', 'varbyte', ...INTERNALS];

/** Every pair of field and column that a run lets through. */
const PAIRS = [...COLUMN_TYPES, ...MORE_TYPES].flatMap((typeName) => {
  const column = columnType(typeName);
  if (column === undefined) return [];
  const fields: FieldMapping[] = [
    ...Object.keys(STANDARD_ATTRIBUTES).map((attribute) => ({ attribute, property: 'p', standard: true })),
    ...[undefined, ...ATTRIBUTE_TYPES].map((type) => ({
      attribute: 'a',
      property: 'p',
      standard: false,
      ...(type ? { type } : {}),
    })),
  ];
  return fields
    .filter((field) => typeProblem(field, column) === undefined)
    .map((field) => ({
      label: `${column} to ${field.attribute} ${field.type ?? ''}`,
      convert: converterOf(field, column),
    }));
});

/** What may go on to Braze: JSON that comes back as it went, of whole characters, and reasons that quote nothing. */
function checkConverted(value: Converted, raw: RawValue, label: string): string {
  if (value instanceof Invalid) {
    const quoted = typeof raw === 'string' && raw.length >= 12 && value.reason.includes(raw);
    hold(!quoted && value.reason.length < 200, `${label}: a reason that quotes the value`);
    return 'invalid';
  }
  const text = JSON.stringify(value);
  hold(typeof text === 'string', `${label}: no JSON`);
  hold(canonicalText(JSON.parse(text) as JsonValue) === canonicalText(value), `${label}: JSON that comes back changed`);
  const isWhole = (each: string): boolean => each.isWellFormed() && !each.includes('\0');
  hold(textsIn(value).every(isWhole), `${label}: half a character or a NUL`);
  return 'valid';
}

const values: Target = {
  name: 'values',
  share: 24,
  withinMs: 2000,
  attempt: (chance) => {
    const { label, convert } = chance.pick(PAIRS);
    const raw = rawValue(chance);
    return checkConverted(convert(raw), raw, label);
  },
};

const FIELDS = {
  ...Object.fromEntries(INTERNALS.map((name) => [name, name])),
  text: 'text',
  number: { property: 'n', type: 'float' as const },
};
const destination = Destination.parse({
  model: 'm',
  app: 'b',
  syncMode: 'sync',
  mapping: { external_id: 'id', email: 'text', time_zone: 'text', current_location: 'toString' },
  customAttributes: Object.fromEntries(Object.entries(FIELDS).filter(([name]) => name !== '__proto__')),
  subscriptionGroups: { g: '8f2b5c1e-0000-4000-8000-000000000001' },
  invalidValues: 'omit',
});
const columns: [string, string][] = [
  ['id', 'varchar'],
  ['text', 'varchar'],
  ['n', 'numeric'],
  ...INTERNALS.map((name): [string, string] => [name, 'super']),
];
const anyDictionary = {
  idByName: {
    get: (name: string) => 1 + [...name].reduce((sum, sign) => (sum * 31 + (sign.codePointAt(0) ?? 0)) % 60_000, 7),
  },
  nameById: new Map<number, string>(),
};
const dictionary = { ...anyDictionary, idByName: new Map(['id', 'text'].map((name, index) => [name, index])) };
dictionary.idByName.get = anyDictionary.idByName.get;
const shape: Shape = shapeOf(destination, columnFinder(columns), dictionary);

const rows: Target = {
  name: 'rows',
  share: 20,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([FatalError], () => {
      const key = rawValue(chance);
      const hash = chance.chance(0.9) ? recordHash(String(key)) : rawValue(chance);
      const record = [hash, key, ...chance.times(chance.int(shape.fields.length + 4), () => rawValue(chance))];
      const row = readRow(shape, record, undefined);
      hold(row.hash === '' || /^[0-9a-f]{32}$/.test(row.hash), 'a record hash that is none');
      hold(row.values.length === 0 || row.values.length === shape.fields.length, 'values without their fields');
      hold(row.primaryKey.isWellFormed() || row.rejection !== undefined, 'a key of half characters is sent');
      decodeFingerprint(row.fingerprint);
      for (const value of row.values) checkConverted(value, null, 'row');
      return row.rejection ? 'rejected' : 'read';
    }),
};

const PAGE: JsonValue = {
  ColumnMetadata: [
    { name: 'w2b_record_hash', typeName: 'varchar', nullable: 1, length: 32 },
    { name: 'w2b_key', typeName: 'varchar' },
    { name: 'p', typeName: 'super' },
  ],
  Records: [
    [{ stringValue: '0cc175b9c0f1b6a831c399e269772661' }, { stringValue: 'a' }, { isNull: true }],
    [{ stringValue: '92eb5ffee6ae2fec3ad71c777531578f' }, { longValue: 12 }, { doubleValue: 1.5 }],
    [{ stringValue: '' }, { isNull: true }, { booleanValue: false }],
  ],
  NextToken: 'next',
  TotalNumRows: 3,
};
const STATUS: JsonValue = { Id: 'id', Status: 'FAILED', Error: 'ERROR: "x" is no integer', ResultRows: 3 };

let answer: () => { statusCode: number; text: string } = () => ({ statusCode: 200, text: '{}' });
/** The SDK's own client, whose network is a function: what reads the answers is what reads them in production. */
const newClient = (): RedshiftDataClient =>
  new RedshiftDataClient({
    region: 'eu-central-1',
    credentials: { accessKeyId: 'fuzz', secretAccessKey: 'fuzz' },
    maxAttempts: 1,
    requestHandler: {
      handle: async () => {
        const { statusCode, text } = answer();
        const headers = { 'content-type': 'application/x-amz-json-1.1' };
        return { response: { statusCode, reason: '', headers, body: Buffer.from(text) } };
      },
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    },
  });
let api: Warehouse | undefined;
const dataApiUnderFire = (): Warehouse => {
  api ??= dataApi(newClient(), { type: 'redshift', workgroup: 'w', database: 'd' });
  return api;
};

/** An answer that was changed as JSON, as text, or is another one altogether. */
function changedAnswer(chance: Random, usual: JsonValue): { statusCode: number; text: string } {
  const json = JSON.stringify(changedJson(chance, usual, 0.15));
  const text = chance.chance(0.2) ? changedText(chance, json) : json;
  return { statusCode: chance.pick([200, 200, 200, 200, 400, 429, 500]), text };
}

const pages: Target = {
  name: 'Data API',
  share: 3,
  withinMs: 5000,
  attempt: (chance) =>
    laterOutcomeOf([FatalError, RetryLater], async () => {
      if (chance.chance(0.3)) {
        answer = () => changedAnswer(chance, STATUS);
        const status = await dataApiUnderFire().status('id');
        if (status.kind === 'failed') hold(typeof status.message === 'string', 'a failure without a message');
        return status.kind;
      }
      answer = () => changedAnswer(chance, PAGE);
      let count = 0;
      for await (const page of dataApiUnderFire().pages('id')) {
        for (const value of page.rows.flat()) {
          hold(value === null || ['string', 'number', 'boolean'].includes(typeof value), 'a value that is no scalar');
        }
        hold(
          page.columns.every(({ name, typeName }) => typeof name === 'string' && typeof typeName === 'string'),
          'a column whose name is no text',
        );
        if (++count === 2) break;
      }
      return 'read';
    }),
};

const failures: Target = {
  name: 'failure texts',
  share: 3,
  withinMs: 2000,
  attempt: (chance) => {
    const own = wordsOf('SELECT id FROM customer');
    const secret = `Zx${chance.int(1e9).toString(36)}Qj`;
    const told = withoutData(`ERROR: ${hostileText(chance)}${secret}${hostileText(chance)}`, own);
    hold(!told.includes(secret), 'a word that is nobody’s own is told');
    hold(told.length < 10_000 && told.isWellFormed(), 'a message that is too long or broken');
    return 'told';
  },
};

export const warehouseTargets: readonly Target[] = [values, rows, pages, failures];
