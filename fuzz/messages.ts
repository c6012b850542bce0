/** What travels on the queues and stands in the tables: messages, cursors, intents, fingerprints. */
import * as z from 'zod';
import { trackBody } from '../shared/braze/requests.ts';
import { decodeFingerprint, encodeFingerprint } from '../shared/ledger/fingerprint.ts';
import { BatchMessage, ExtractMessage, fingerprintBytes, messageText } from '../shared/runs/messages.ts';
import { DestinationState, Hold, Intent, Rejection, Run, Settlement, Shard } from '../shared/runs/model.ts';
import { StartEvent } from '../shared/runs/start-run.ts';
import type { JsonValue } from '../shared/values/json.ts';
import { changedJson, changedText, hostileText } from './hostile.ts';
import { hold, outcomeOf, type Target } from './target.ts';

const KEY = { run: '20260101T000000000Z-abc123', destination: 'people' };
const HASH = '0cc175b9c0f1b6a831c399e269772661';
const BATCH = { ...KEY, shard: 0, seq: 3, epoch: 'e1' };
const FINGERPRINT = Buffer.from(encodeFingerprint([{ id: 1, print: '0123456789abcdef' }])).toString('base64');
const MESSAGES: readonly JsonValue[] = [
  { kind: 'prepare', ...KEY, polls: 2 },
  { kind: 'shard', ...KEY, shard: 7, polls: 0 },
  {
    kind: 'upsert',
    ...BATCH,
    records: [
      {
        h: HASH,
        k: 'a',
        a: [
          ['email', 'a@b.c'],
          ['n', { x: [1, null] }],
        ],
        s: [['g', 'subscribed']],
        i: [1, 2],
        f: FINGERPRINT,
        l: true,
      },
    ],
  },
  { kind: 'remove', ...BATCH, records: [{ h: HASH, k: 'a', s: ['g'], i: [1], f: FINGERPRINT }] },
  {
    kind: 'note',
    ...BATCH,
    records: [
      { h: HASH, forget: true },
      { h: HASH, k: 'a', r: { digest: 'd', reason: 'r', field: 'f', tries: 1, since: 2 } },
    ],
  },
  { destination: 'people', execution: 'x', approve: ['deletions'], by: 'jane' },
];
const Message = z.union([ExtractMessage, BatchMessage]);

const messages: Target = {
  name: 'queue messages',
  share: 12,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([z.ZodError, SyntaxError], () => {
      const json = JSON.stringify(changedJson(chance, chance.pick(MESSAGES), 0.05));
      const body: unknown = JSON.parse(chance.chance(0.2) ? changedText(chance, json) : json);
      if (chance.chance(0.1)) {
        const { destination } = StartEvent.parse(body);
        hold(typeof destination === 'string' && destination !== '', 'a start of nothing');
        return 'start';
      }
      const message = Message.parse(body);
      const text = messageText(message);
      hold(/^[^\ud800-\udfff\ufffe\uffff]*$/.test(text), 'a text that SQS does not take');
      hold(
        JSON.stringify(Message.parse(JSON.parse(text))) === JSON.stringify(message),
        'a message that comes back changed',
      );
      if (message.kind === 'upsert') {
        for (const record of message.records) {
          fingerprintBytes(record.f);
          trackBody([{ primaryKey: record.k, attributes: new Map(record.a), subscriptions: new Map(record.s) }], false);
        }
      }
      return message.kind;
    }),
};

const ITEMS: readonly (readonly [z.ZodType, JsonValue])[] = [
  [
    Shard,
    {
      shard: 1,
      from: 0,
      to: 256,
      statementId: 's',
      progress: 2,
      after: HASH,
      token: 't',
      epochs: [{ epoch: 'e', from: 0 }],
      counts: { extracted: 5 },
    },
  ],
  [
    Run,
    {
      ...KEY,
      status: 'running',
      phase: 'extracting',
      syncMode: 'sync',
      startedAt: 1,
      parametersHash: 'h',
      columns: [['id', 'int8']],
      error: { found: 'f', next: 'n' },
    },
  ],
  [
    Intent,
    { id: 'i', run: 'r', shard: 1, kind: 'upsert', seq: 1, leaseUntil: 5, primaryKeys: ['a'], fields: [[1, 2]] },
  ],
  [Hold, { effect: 'group:g', records: 3, of: 4, because: 'x', samples: [HASH], run: 'r', heldAt: 1 }],
  [Rejection, { hash: HASH, field: 'email', reason: 'r', rows: 2 }],
  [DestinationState, { open: 'r', execution: 'x', openedAt: 1 }],
  [Settlement, { accepted: 1, requests: 2 }],
];

const items: Target = {
  name: 'cursors and items',
  share: 8,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([z.ZodError], () => {
      const [schema, usual] = chance.pick(ITEMS);
      const parsed = schema.parse(changedJson(chance, usual, 0.08));
      hold(typeof parsed === 'object' && parsed !== null, 'an item that is no object');
      hold(JSON.stringify(schema.parse(parsed)) === JSON.stringify(parsed), 'an item that comes back changed');
      return 'read';
    }),
};

/** The only error of a fingerprint is a plain one: it is told by its words. */
class NoFingerprint extends Error {}

const fingerprints: Target = {
  name: 'fingerprints',
  share: 3,
  withinMs: 2000,
  attempt: (chance) =>
    outcomeOf([NoFingerprint], () => {
      const bytes = new Uint8Array(
        chance.times(chance.chance(0.5) ? 1 + 10 * chance.int(4) : chance.int(40), () => chance.int(256)),
      );
      if (chance.chance(0.7)) bytes[0] = 1;
      const given = chance.chance(0.2) ? fingerprintBytes(hostileText(chance)) : bytes;
      try {
        const fields = decodeFingerprint(given);
        hold(
          fields.every(({ id, print }) => id <= 0xffff && /^[0-9a-f]{16}$/.test(print)),
          'a print that is none',
        );
      } catch (error) {
        if (error instanceof Error && /holds no fingerprint/.test(error.message)) throw new NoFingerprint();
        throw error;
      }
      return 'read';
    }),
};

export const messageTargets: readonly Target[] = [messages, items, fingerprints];
