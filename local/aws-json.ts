/**
 * The AWS JSON 1.1 protocol over HTTP, as far as the emulators of the local cloud need it.
 *
 * A request is a POST to `/` whose header `x-amz-target` names service and operation and whose body is JSON; an answer
 * is JSON with the header `x-amzn-requestid`; an error is `{ "__type", "Message" }` with its HTTP status (member names
 * and status as in the service's model). Signatures are not checked: a request needs no valid credentials.
 * What goes wrong inside an operation without being an `AwsError` is answered as a 500 of type `InternalFailure`.
 * The server listens on 127.0.0.1 only and never writes a body to a log.
 * Source: Smithy, 'AWS JSON 1.1 protocol'.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { z } from 'zod';

const CONTENT_TYPE = 'application/x-amz-json-1.1';
/** No operation of these services takes more; it only keeps a runaway client from filling the memory. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** A failure that the client is told of under its own name. `status` is the HTTP status. */
export class AwsError extends Error {
  readonly exception: string;
  readonly status: number;
  readonly members: Readonly<Record<string, string>>;

  constructor(exception: string, message: string, status = 400, members: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = exception;
    this.exception = exception;
    this.status = status;
    this.members = members;
  }
}

/** An answer that is JSON text already, in parts that are sent one after the other. */
export class JsonText {
  readonly parts: readonly (string | Uint8Array)[];

  constructor(parts: readonly (string | Uint8Array)[]) {
    this.parts = parts;
  }
}

/** Takes the parsed body; returns what is to be sent as JSON, or `JsonText`. Throws `AwsError` for a named failure. */
export type Operation = (input: unknown) => unknown;

export type AwsJsonServer = { readonly url: string; close(): Promise<void> };

/**
 * Starts a server for one service and returns its base URL.
 * `service` is the part of `x-amz-target` before the dot; `port` 0 (the default) takes a free one.
 * @throws when the port is taken.
 */
export async function startAwsJson(options: {
  service: string;
  operations: Readonly<Record<string, Operation>>;
  port?: number | undefined;
}): Promise<AwsJsonServer> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * Returns `input` as the schema reads it.
 * @throws AwsError of type `exception` with every issue, worded like the service's own validation errors.
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown, exception = 'ValidationException'): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => {
    const path = issue.path.join('.');
    return path === '' ? issue.message : `Value at '${path}' failed to satisfy constraint: ${issue.message}`;
  });
  const count = `${issues.length} validation error${issues.length === 1 ? '' : 's'} detected`;
  throw new AwsError(exception, `${count}: ${issues.join('; ')}`);
}

async function answer(
  options: { service: string; operations: Readonly<Record<string, Operation>> },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  try {
    const operation = operationOf(options, request);
    send(response, 200, await operation(parseBody(body)));
  } catch (error) {
    const failure =
      error instanceof AwsError ? error : new AwsError('InternalFailure', `the emulator failed: ${String(error)}`, 500);
    send(response, failure.status, { __type: failure.exception, Message: failure.message, ...failure.members });
  }
}

function operationOf(
  { service, operations }: { service: string; operations: Readonly<Record<string, Operation>> },
  request: IncomingMessage,
): Operation {
  const target = request.headers['x-amz-target'];
  const [named, operation = ''] = typeof target === 'string' ? target.split('.') : [];
  const found = named === service && Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (request.method === 'POST' && found !== undefined) return found;
  const known = Object.keys(operations).join(', ');
  throw new AwsError('UnknownOperationException', `${target ?? 'no x-amz-target'} is not imitated; ${known} are`);
}

function parseBody(body: Buffer | undefined): unknown {
  if (body === undefined) throw new AwsError('RequestEntityTooLargeException', 'the body is too large', 413);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AwsError('SerializationException', 'the body is not JSON');
  }
}

/** Returns the whole body, or undefined when it is over the limit (it is read to its end all the same). */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks) : undefined;
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  const parts = answer instanceof JsonText ? answer.parts : [JSON.stringify(answer ?? {})];
  const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  response.writeHead(status, {
    'content-type': CONTENT_TYPE,
    'content-length': bytes,
    'x-amzn-requestid': randomUUID(),
  });
  for (const part of parts) response.write(part);
  response.end();
}
