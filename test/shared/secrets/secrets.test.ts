import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import fc from 'fast-check';
import { FatalError, RetryLater } from '../../../shared/errors.ts';
import { apiKeyIn } from '../../../shared/secrets/secrets.ts';

type Answer = { readonly SecretString?: string; readonly SecretBinary?: Uint8Array } | Error;

/** A real client whose calls are answered here, one answer after the other; the last one stays. */
function clientOf(...answers: Answer[]) {
  const asked: unknown[] = [];
  const client = new SecretsManagerClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  client.middlewareStack.add(
    () => async (args) => {
      asked.push(args.input);
      const answer = answers[Math.min(asked.length, answers.length) - 1] ?? {};
      if (answer instanceof Error) throw answer;
      return { response: {}, output: { $metadata: {}, ...answer } };
    },
    { step: 'initialize', priority: 'high' },
  );
  return { client, asked };
}

const named = (name: string, more: Record<string, unknown> = {}): Error =>
  Object.assign(new Error(`${name} happened`), { name, ...more });
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

const KEY = '1b2c3d4e-aaaa-bbbb-cccc-0123456789ab';

describe('a secret', () => {
  test.each([
    ['the key', KEY],
    ['the key between white space', `\n ${KEY}\t\r\n`],
    ['JSON with an apiKey', JSON.stringify({ apiKey: KEY })],
    ['JSON with more members and white space', ` {"other": 1, "apiKey" : " ${KEY} "}\n`],
  ])('of %s gives the key', async (_, text) => {
    const { client, asked } = clientOf({ SecretString: text });
    expect(await apiKeyIn(client, 'braze/key').get()).toBe(KEY);
    expect(asked).toEqual([{ SecretId: 'braze/key' }]);
  });

  test.each([
    ['nothing', {}],
    ['an empty text', { SecretString: '' }],
    ['white space', { SecretString: ' \n' }],
    ['two words', { SecretString: `${KEY} more` }],
    ['two lines', { SecretString: `${KEY}\n${KEY}` }],
    ['JSON without an apiKey', { SecretString: JSON.stringify({ api_key: KEY }) }],
    ['JSON with an empty apiKey', { SecretString: JSON.stringify({ apiKey: ' ' }) }],
    ['JSON with an apiKey that is no text', { SecretString: JSON.stringify({ apiKey: [KEY] }) }],
    ['JSON with an apiKey of two lines', { SecretString: JSON.stringify({ apiKey: `${KEY}\n${KEY}` }) }],
    ['JSON that is broken', { SecretString: `{"apiKey": "${KEY}"` }],
    ['a key with letters that no header takes', { SecretString: `${KEY}é` }],
    ['bytes', { SecretBinary: new TextEncoder().encode(KEY) }],
  ])('that holds %s is a fatal error that tells the name and never the secret', async (_, answer) => {
    const error = await failure(apiKeyIn(clientOf(answer).client, 'braze/key').get());
    expect(error).toBeInstanceOf(FatalError);
    expect(String(error)).toContain("'braze/key' holds no Braze API key");
    expect(`${String(error)}${error instanceof Error ? error.stack : ''}`).not.toContain(KEY);
  });

  test('is a key of one word, or a fatal error that repeats nothing of it, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ minLength: 8 }), fc.json()), async (text) => {
        const answer = await failure(apiKeyIn(clientOf({ SecretString: `#${text}` }).client, 'k').get());
        if (typeof answer === 'string') expect(answer).toMatch(/^[\x21-\x7e]+$/);
        else expect(String(answer)).not.toContain(`#${text}`);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['InternalServiceError', ''],
    ['ThrottlingException', ''],
    ['TimeoutError', ''],
    ['Error', 'ECONNRESET'],
    ['Error', 'ENOTFOUND'],
    ['SyntaxError', 503],
    ['UnknownError', 429],
  ])('that cannot be read for %s %s is tried later', async (name, code) => {
    const error = named(name, typeof code === 'number' ? { $metadata: { httpStatusCode: code } } : { code });
    expect(await failure(apiKeyIn(clientOf(error).client, 'k').get())).toBeInstanceOf(RetryLater);
  });

  test.each(['ResourceNotFoundException', 'AccessDeniedException', 'DecryptionFailure', 'InvalidRequestException'])(
    'that cannot be read for %s is a fatal error',
    async (name) => {
      const error = await failure(apiKeyIn(clientOf(named(name)).client, 'k').get());
      expect(error).toBeInstanceOf(FatalError);
      expect(String(error)).toContain(name);
    },
  );
});

describe('the key', () => {
  test('is read once, however many ask for it at the same time', async () => {
    const { client, asked } = clientOf({ SecretString: KEY });
    const key = apiKeyIn(client, 'k');
    expect(await Promise.all([key.get(), key.get(), key.get()])).toEqual([KEY, KEY, KEY]);
    expect(await key.get()).toBe(KEY);
    expect(asked).toHaveLength(1);
  });

  test('is read again after a failure', async () => {
    const key = apiKeyIn(clientOf(named('ThrottlingException'), { SecretString: KEY }).client, 'k');
    expect(await failure(key.get())).toBeInstanceOf(RetryLater);
    expect(await key.get()).toBe(KEY);
  });

  test.each([
    ['another one', 'new-key', true],
    ['the same one', KEY, false],
  ])('is renewed from the secret, which tells whether it is %s', async (_, text, isOther) => {
    const key = apiKeyIn(clientOf({ SecretString: KEY }, { SecretString: text }).client, 'k');
    expect(await key.get()).toBe(KEY);
    expect(await key.renew()).toBe(isOther);
    expect(await key.get()).toBe(text);
  });
});
