/** Rows and names as nobody would make them by accident: each ends in a clear outcome, and none in a half-sent value. */
import { trackBody } from '../../shared/braze/requests.ts';
import { decide, NO_HOLDS } from '../../shared/diff/decide.ts';
import { dictionaryNames, readRow, selectedProperties, shapeOf } from '../../shared/diff/row.ts';
import { dictionaryWith } from '../../shared/ledger/ledger.ts';
import { recordHash } from '../../shared/ledger/record-hash.ts';
import { ParametersError, parseParameters } from '../../shared/parameters/read.ts';
import { Destination } from '../../shared/parameters/schema.ts';
import { columnFinder, contextOf } from '../../shared/runs/context.ts';
import { BatchMessage, messageText, upsertRecord } from '../../shared/runs/messages.ts';
import type { RawValue } from '../../shared/values/converted.ts';
import type { JsonValue } from '../../shared/values/json.ts';

const COLUMNS: [string, string][] = [
  ['id', 'varchar'],
  ['text', 'varchar'],
  ['json', 'super'],
];
const destination = Destination.parse({
  model: 'm',
  app: 'b',
  syncMode: 'sync',
  mapping: { external_id: 'id', first_name: 'text' },
  customAttributes: { object: { property: 'json', type: 'object' } },
});

/** Reads one row as a run does. */
function read(key: RawValue, text: RawValue, json: RawValue = null, to = destination, columns = COLUMNS) {
  const dictionary = dictionaryWith(undefined, dictionaryNames(to));
  const shape = shapeOf(to, columnFinder(columns), dictionary);
  const [, [textColumn] = ['']] = columns;
  const values = new Map<string, RawValue>([
    [textColumn, text],
    ['json', json],
  ]);
  const selected = selectedProperties(to).map((property) => values.get(property) ?? null);
  const row = readRow(shape, [recordHash(String(key)), key, ...selected], undefined);
  return { row, shape, dictionary };
}

/** What Braze is sent of one row: through decision, message, JSON and request. */
function sent(key: string, text: RawValue, json: RawValue = null, to = destination, columns = COLUMNS): JsonValue {
  const { row, shape, dictionary } = read(key, text, json, to, columns);
  const decision = decide(
    { kind: 'row', row, entry: undefined },
    {
      ...{ shape, dictionary, syncMode: 'sync', nowMs: 0, askAgainBeforeMs: 0 },
      ...{ retryRejections: false, holds: NO_HOLDS, resync: false },
    },
  );
  if (!('upsert' in decision)) throw new Error(`the row is ${decision.kind}`);
  const batch = { run: 'r', destination: 'd', shard: 0, seq: 0, epoch: 'e' };
  const message = messageText({ kind: 'upsert', ...batch, records: [upsertRecord(decision.upsert)] });
  const parsed = BatchMessage.parse(JSON.parse(message));
  if (parsed.kind !== 'upsert') throw new Error('another message');
  const users = parsed.records.map(({ k, a, s }) => ({
    primaryKey: k,
    attributes: new Map(a),
    subscriptions: new Map(s),
  }));
  const body: { attributes: JsonValue[] } = JSON.parse(trackBody(users, false));
  return body.attributes[0] ?? null;
}

const MEGABYTE = 'x'.repeat(1_000_000);
const LONG = 'k'.repeat(100_000);

describe('a row', () => {
  test.each<[string, RawValue, RawValue, RawValue, string, string]>([
    ['a text of 1 MB', 'ann', MEGABYTE, null, 'first_name', 'is longer than 255 characters (1000000)'],
    [
      'JSON of 1 MB',
      'ann',
      null,
      JSON.stringify({ a: Array(9000).fill('y'.repeat(100)) }),
      'object',
      'is larger than 100 KB',
    ],
    ['JSON with a text of 1 MB', 'ann', null, `{"a":"${MEGABYTE}"}`, 'object', 'longer than 255 characters'],
    ['a JSON key of 100,000 characters', 'ann', null, `{"${LONG}":1}`, 'object', 'holds a key that is longer'],
    ['JSON of 1 MB that is none', 'ann', null, `{"a":${MEGABYTE}`, 'object', 'is no valid JSON'],
    ['JSON that nests 100,000 levels', 'ann', null, '['.repeat(100_000) + ']'.repeat(100_000), 'object', ''],
    ['a key of 100,000 characters', LONG, 'Ann', null, 'external_id', 'longer than 987 bytes (100000)'],
    ['a key with a NUL', 'a\0b', 'Ann', null, 'external_id', 'holds a NUL character'],
    ['a key with half a character', 'a\ud83d', 'Ann', null, 'external_id', 'a lone surrogate'],
    ['a text with a NUL', 'ann', 'A\0nn', null, 'first_name', 'holds a NUL character'],
    ['a text with half a character', 'ann', 'A\udc00nn', null, 'first_name', 'a lone surrogate'],
    ['JSON with a NUL', 'ann', null, '{"a":"\\u0000"}', 'object', 'holds a NUL character'],
    ['JSON with half a character', 'ann', null, '{"a":"\\ud800"}', 'object', 'a lone surrogate'],
    ['a JSON key with half a character', 'ann', null, '{"\\ud800":1}', 'object', 'a lone surrogate'],
  ])('with %s is rejected, and the reason says of what', (_, key, text, json, field, reason) => {
    const { row } = read(key, text, json);
    expect(row.rejection).toEqual({ field, reason: expect.stringContaining(reason) });
    expect(row.rejection?.reason.length).toBeLessThan(200);
  });

  test('with two keys that differ in half a character is two rejections, and no record of another', () => {
    expect(recordHash('a\ud800')).toBe(recordHash('a\ud801'));
    expect([read('a\ud800', 'x').row, read('a\ud801', 'x').row].every(({ rejection }) => rejection)).toBe(true);
  });
});

describe('all of Unicode', () => {
  const CHUNK = 200;
  const all = Array.from({ length: 0x10ffff }, (_, index) => index + 1).filter(
    (code) => code < 0xd800 || code > 0xdfff,
  );
  const chunks = Array.from({ length: Math.ceil(all.length / CHUNK) }, (_, index) =>
    String.fromCodePoint(...all.slice(index * CHUNK, (index + 1) * CHUNK)),
  );

  test('arrives at Braze as it was, in keys, in texts and in objects', () => {
    expect(chunks.join('')).toHaveLength(0x10ffff - 0x800 + 0x100000);
    for (const chunk of chunks) {
      const key = `k${chunk}`;
      const expected = { external_id: key, first_name: chunk, object: { a: chunk } };
      expect(sent(key, chunk, JSON.stringify({ a: chunk }))).toEqual(expected);
    }
  });

  test('travels in characters that SQS takes', () => {
    for (const chunk of chunks) {
      const batch = { run: 'r', destination: 'd', shard: 0, seq: 0, epoch: 'e' };
      const record = { h: recordHash(chunk), k: chunk, s: [], i: [] };
      const text = messageText({ kind: 'remove', ...batch, records: [record] });
      expect(text).toMatch(/^[\x20-\ud7ff\ue000-\ufffd]*$/);
      expect(BatchMessage.parse(JSON.parse(text))).toMatchObject({ records: [record] });
    }
  });
});

const INTERNALS = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON', 'then'];

describe('a name that objects have for something of their own', () => {
  test.each(INTERNALS)('%s is an attribute and a property like any other', (name) => {
    const to = Destination.parse({
      model: 'm',
      app: 'b',
      syncMode: 'sync',
      mapping: { external_id: 'id' },
      customAttributes: [name],
    });
    const columns: [string, string][] = [
      ['id', 'varchar'],
      [name, 'varchar'],
    ];
    const user = sent(name, 'value', null, to, columns);
    expect(JSON.stringify(user)).toBe(JSON.stringify({ external_id: name, ...JSON.parse(`{"${name}":"value"}`) }));
  });

  test.each(INTERNALS)('%s is a key of an object like any other', (name) => {
    const json = `{"${name}":{"${name}":"x"}}`;
    expect(JSON.stringify(sent('ann', null, json))).toBe(`{"external_id":"ann","object":${json}}`);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  const fileWith = (name: string): string => `
environment: test
apps:
  ${name}: { type: redshift, workgroup: analytics, database: dev }
  braze: { type: braze, endpoint: https://rest.iad-01.braze.com, apiKeySecret: braze/key }
models:
  ${name}:
    app: ${name}
    table: public.people
    primaryKey: id
    groups: { ${name}: { property: ${name}, op: eq, value: ${name} } }
destinations:
  ${name}:
    model: ${name}
    app: braze
    syncMode: sync
    mapping: { external_id: id, first_name: ${name} }
    subscriptionGroups: { ${name}: 8f2b5c1e-0000-4000-8000-000000000001 }
    audience: ${name}
`;

  test.each(INTERNALS.filter((name) => name !== '__proto__'))(
    '%s names an app, model, group and destination',
    (name) => {
      const parameters = parseParameters(fileWith(name), 'test.yaml');
      const context = contextOf(parameters, name);
      expect(context.warehouse.type).toBe('redshift');
      expect(Object.keys(context.model.groups)).toEqual([name]);
      for (const other of INTERNALS.filter((each) => each !== name)) {
        expect(() => contextOf(parameters, other)).toThrow(`no destination '${other}'`);
      }
    },
  );

  test('__proto__ names none of them, and is told where it stands', () => {
    expect(() => parseParameters(fileWith('__proto__'), 'test.yaml')).toThrow(ParametersError);
    expect(() => parseParameters(fileWith('__proto__'), 'test.yaml')).toThrow(/test\.yaml:4:3 .*'__proto__'/);
  });

  test.each(INTERNALS)('%s is not taken for a part that a file does not have', (name) => {
    const file = fileWith('people')
      .replace('app: people', `app: ${name}`)
      .replace('audience: people', `audience: ${name}`);
    expect(() => parseParameters(file, 'test.yaml')).toThrow(ParametersError);
  });
});
