/** Bytes in and out: reading a body within limits, parsing it strictly, sending an answer, cutting a connection. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { isObject, type Json, type JsonObject } from './json.ts';
import type { Headers } from './rate-limits.ts';

/** Keeps recursion over a body, here and in a client that reads it back, from exhausting the stack. */
const MAX_DEPTH = 200;

/** `bytes` is cut off after the limit, `bodyBytes` is the whole size. */
export type ReadBody = { readonly bytes: Buffer; readonly bodyBytes: number };

export type ParsedBody =
  | { readonly kind: 'object'; readonly body: JsonObject }
  | { readonly kind: 'other'; readonly body: Json }
  | { readonly kind: 'invalid'; readonly error: string };

export type Reply = { readonly status: number; readonly headers: Headers; readonly body: string };

/** Returns the request's body, kept up to `limitBytes`; undefined when the client went away. */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<ReadBody | undefined> {
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  try {
    for await (const chunk of request) {
      const bytes: Buffer = chunk;
      if (bodyBytes <= limitBytes) chunks.push(bytes);
      bodyBytes += bytes.length;
    }
  } catch {
    return undefined;
  }
  return { bytes: Buffer.concat(chunks), bodyBytes };
}

/** Returns the body as JSON; `limitBytes` bounds what a compressed one may unfold to. */
export function parseBody({ bytes }: ReadBody, isGzip: boolean, limitBytes: number): ParsedBody {
  try {
    const plain = isGzip ? gunzipSync(bytes, { maxOutputLength: limitBytes }) : bytes;
    // A byte order mark is kept, and is then no JSON.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
    const body: Json = JSON.parse(text);
    if (isDeeperThan(MAX_DEPTH, body)) return { kind: 'invalid', error: `nested deeper than ${MAX_DEPTH} levels` };
    return isObject(body) ? { kind: 'object', body } : { kind: 'other', body };
  } catch (error) {
    return { kind: 'invalid', error: error instanceof Error ? error.message : 'unreadable' };
  }
}

/** Returns an answer with a JSON body. */
export const jsonReply = (status: number, body: Json, headers: Headers = {}): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** Sends an answer, unless the client has gone away. */
export function send(response: ServerResponse, { status, headers, body }: Reply): void {
  if (response.destroyed || response.writableEnded) return;
  response.writeHead(status, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) });
  response.end(body);
}

/** True for JSON in UTF-8. */
export const isJsonType = (contentType: string | undefined): boolean =>
  /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType ?? '');

function isDeeperThan(levels: number, value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member));
}
