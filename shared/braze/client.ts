/**
 * HTTP to one Braze workspace. It sends what it is given and returns what came back: what that means is decided in
 * answers.ts. Redirects are not followed, answers are cut at a limit, and the key is taken out of everything returned.
 */
import type { Dispatcher } from 'undici';
import { codeOf, messageOf } from '../errors.ts';
import { SECOND_MS } from '../time.ts';
import type { HttpAnswer, NoAnswer } from './answers.ts';

export type BrazePath = '/users/track' | '/users/delete' | '/users/export/ids';

export type BrazeClient = {
  /** Sends a JSON body; never throws for what happens on the network. */
  readonly post: (path: BrazePath, body: string) => Promise<HttpAnswer | NoAnswer>;
};

/** Errors after which Braze cannot have seen the request. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Braze answers within seconds; a minute of silence is a lost answer. */
const ANSWER_TIMEOUT_MS = 30 * SECOND_MS;
/** Answers are small, but for exports; anything beyond is cut. */
const MAX_ANSWER_BYTES = 4_000_000;

/** Returns the client of a workspace. The endpoint may have a path (of a proxy); the key is read anew for each request. */
export function brazeClient(dispatcher: Dispatcher, endpoint: string, apiKey: () => Promise<string>): BrazeClient {
  const { origin, pathname } = new URL(endpoint);
  const prefix = pathname.replace(/\/$/, '');
  return {
    post: async (path, body) => {
      const key = await apiKey();
      try {
        const answer = await dispatcher.request({
          origin,
          path: `${prefix}${path}`,
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json' },
          body,
          headersTimeout: ANSWER_TIMEOUT_MS,
          bodyTimeout: ANSWER_TIMEOUT_MS,
        });
        const text = await readLimited(answer.body);
        return { status: answer.statusCode, headers: flat(answer.headers, key), body: redact(text, key) };
      } catch (error) {
        const code = codeOf(error);
        return { failure: NOT_SENT.has(code) ? 'not_sent' : 'unknown', because: redact(code || messageOf(error), key) };
      }
    },
  };
}

async function readLimited(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const flat = (headers: Readonly<Record<string, string | string[] | undefined>>, key: string): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), redact(String(value), key)]));

/** A 401 may echo the key. JSON can write it in escapes, which a parser would undo later: those are undone first. */
function redact(text: string, key: string): string {
  if (key === '') return text;
  const plain = /\\[u/"\\]/.test(text) ? plainJson(text) : text;
  return plain.replaceAll(key, '<redacted>').replaceAll(JSON.stringify(key).slice(1, -1), '<redacted>');
}

function plainJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
