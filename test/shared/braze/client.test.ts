import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { Agent, MockAgent } from 'undici';
import { brazeClient } from '../../../shared/braze/client.ts';

const KEY = '1b2c3d4e-aaaa-bbbb-cccc-0123456789ab';

type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
let respond: (request: Seen, response: ServerResponse) => void;
const seen: Seen[] = [];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
    seen.push(one);
    respond(one, response);
  });
});
const agent = new Agent();
let endpoint = '';
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await agent.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  seen.length = 0;
  respond = (_, response) => response.writeHead(201).end('{"message":"success"}');
});

const client = (at = endpoint, key: () => Promise<string> = async () => KEY) => brazeClient(agent, at, key);

describe('a request', () => {
  test('is a POST of JSON with the key as bearer, and comes back as it is', async () => {
    respond = (_, response) =>
      response.writeHead(201, { 'X-RateLimit-Reset': '12', 'X-Twice': ['a', 'b'] }).end('{"message":"é😀"}');
    const answer = await client().post('/users/track', '{"attributes":["é😀"]}');
    expect(answer).toMatchObject({
      status: 201,
      body: '{"message":"é😀"}',
      headers: { 'x-ratelimit-reset': '12', 'x-twice': 'a,b' },
    });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/users/track',
        body: '{"attributes":["é😀"]}',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      },
    ]);
  });

  test.each([
    ['', '/users/delete'],
    ['/braze', '/braze/users/delete'],
    ['/braze/', '/braze/users/delete'],
    ['/a/b', '/a/b/users/delete'],
  ])('to an endpoint with the path "%s" goes to %s', async (path, url) => {
    await client(`${endpoint}${path}`).post('/users/delete', '{}');
    expect(seen.map((request) => request.url)).toEqual([url]);
  });

  test('asks for the key each time, so that a renewed one is used', async () => {
    const keys = ['one', 'two'];
    const it = client(endpoint, async () => keys.shift() ?? '');
    await it.post('/users/track', '{}');
    await it.post('/users/track', '{}');
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
  });

  test('follows no redirect: the key goes nowhere else', async () => {
    respond = (_, response) => response.writeHead(307, { location: `${endpoint}/elsewhere` }).end();
    expect(await client().post('/users/track', '{}')).toMatchObject({ status: 307 });
    expect(seen).toHaveLength(1);
  });
});

describe('an answer', () => {
  test.each([401, 201, 500])('of status %i that repeats the key comes without it', async (status) => {
    respond = ({ headers }, response) =>
      response.writeHead(status).end(`Invalid API key: ${headers.authorization}, ${KEY}!`);
    const answer = await client().post('/users/track', '{}');
    expect(answer).toMatchObject({ status, body: 'Invalid API key: Bearer <redacted>, <redacted>!' });
    expect(JSON.stringify(answer)).not.toContain(KEY);
  });

  test('that writes the key in escapes of JSON comes without it', async () => {
    const escaped = [...KEY].map((sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    respond = (_, response) => response.writeHead(401).end(`{"message":"Invalid API key: ${escaped}"}`);
    expect(await client().post('/users/track', '{}')).toMatchObject({
      body: '{"message":"Invalid API key: <redacted>"}',
    });
    const odd = 'a"b\\c-key';
    respond = (_, response) => response.writeHead(401).end(JSON.stringify({ message: `key ${odd}` }));
    expect(await client(endpoint, async () => odd).post('/users/track', '{}')).toMatchObject({
      body: '{"message":"key <redacted>"}',
    });
  });

  test('that repeats the key in a header comes without it', async () => {
    respond = (_, response) => response.writeHead(401, { 'www-authenticate': `Bearer ${KEY}` }).end();
    expect(JSON.stringify(await client().post('/users/track', '{}'))).not.toContain(KEY);
  });

  test('without a body, or without UTF-8, is an answer', async () => {
    respond = (_, response) => response.writeHead(204).end();
    expect(await client().post('/users/track', '{}')).toMatchObject({ status: 204, body: '' });
    respond = (_, response) => response.writeHead(502).end(Buffer.from([0xff, 0xfe, 0x41]));
    expect(await client().post('/users/track', '{}')).toMatchObject({ status: 502, body: '\ufffd\ufffdA' });
  });

  test('of more than 4 MB is cut, and the next request is not disturbed by it', async () => {
    respond = (_, response) => response.writeHead(200).end('x'.repeat(6_000_000));
    const answer = await client().post('/users/export/ids', '{}');
    expect('body' in answer ? answer.body.length : 0).toBeLessThanOrEqual(4_000_000);
    expect(answer).toMatchObject({ status: 200 });
    respond = (_, response) => response.writeHead(201).end('fine');
    expect(await client().post('/users/track', '{}')).toMatchObject({ status: 201, body: 'fine' });
  });
});

describe('without an answer', () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ['before any of it', (response) => response.socket?.resetAndDestroy()],
    ['after the request was read', (response) => response.socket?.destroy()],
    [
      'in the middle of it',
      (response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"message":', () => response.socket?.destroy());
      },
    ],
  ])('as the connection breaks %s, it is unknown what Braze has seen', async (_, break_) => {
    respond = (_request, response) => break_(response);
    const answer = await client().post('/users/track', '{}');
    expect(answer).toEqual({ failure: 'unknown', because: expect.any(String) });
    expect(JSON.stringify(answer)).not.toContain(KEY);
  });

  test('as what answers speaks no HTTP, it is unknown what Braze has seen', async () => {
    const sockets: Socket[] = [];
    const other = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.end(`${KEY} is no HTTP\r\n\r\n`);
    });
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const answer = await client(`http://127.0.0.1:${(other.address() as AddressInfo).port}`).post('/users/track', '{}');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => other.close(resolve));
    expect(answer).toMatchObject({ failure: 'unknown' });
    expect(JSON.stringify(answer)).not.toContain(KEY);
  });

  test('as nobody listens, it was not sent', async () => {
    const other = createTcpServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    await new Promise((resolve) => other.close(resolve));
    expect(await client(`http://127.0.0.1:${port}`).post('/users/track', '{}')).toEqual({
      failure: 'not_sent',
      because: 'ECONNREFUSED',
    });
  });

  test.each([
    ['ECONNREFUSED', 'not_sent'],
    ['ENOTFOUND', 'not_sent'],
    ['UND_ERR_CONNECT_TIMEOUT', 'not_sent'],
    ['CERT_HAS_EXPIRED', 'not_sent'],
    ['ECONNRESET', 'unknown'],
    ['EPIPE', 'unknown'],
    ['ETIMEDOUT', 'unknown'],
    ['UND_ERR_SOCKET', 'unknown'],
    ['UND_ERR_HEADERS_TIMEOUT', 'unknown'],
    ['UND_ERR_BODY_TIMEOUT', 'unknown'],
  ])('for %s, it is told as %s', async (code, failure) => {
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock
      .get('https://rest.example.com')
      .intercept({ method: 'POST', path: '/users/track' })
      .replyWithError(Object.assign(new Error(`failed with ${KEY}`), { code }));
    const answer = await brazeClient(mock, 'https://rest.example.com', async () => KEY).post('/users/track', '{}');
    await mock.close();
    expect(answer).toEqual({ failure, because: code });
  });

  test('for an error without a code, its message is told without the key', async () => {
    const mock = new MockAgent();
    mock
      .get('https://rest.example.com')
      .intercept({ method: 'POST', path: '/users/track' })
      .replyWithError(new Error(`no ${KEY}`));
    const answer = await brazeClient(mock, 'https://rest.example.com', async () => KEY).post('/users/track', '{}');
    await mock.close();
    expect(answer).toEqual({ failure: 'unknown', because: 'no <redacted>' });
  });
});
