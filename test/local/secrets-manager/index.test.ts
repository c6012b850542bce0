import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type SecretsManager, startSecretsManager } from '../../../local/secrets-manager/index.ts';

let manager: SecretsManager;
let client: SecretsManagerClient;

const clientOf = ({ url }: SecretsManager) =>
  new SecretsManagerClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });

beforeEach(async () => {
  manager = await startSecretsManager({
    secrets: { 'braze/rest-api-key': 'first-value', plain: '{"username":"reader"}' },
    now: () => 1_700_000_000_123,
  });
  client = clientOf(manager);
});

afterEach(async () => {
  client.destroy();
  await manager.close();
});

const get = (SecretId: string, more: { VersionId?: string; VersionStage?: string } = {}) =>
  client.send(new GetSecretValueCommand({ SecretId, ...more }));

test('a secret is found by its name', async () => {
  expect(await get('braze/rest-api-key')).toMatchObject({
    Name: 'braze/rest-api-key',
    ARN: expect.stringMatching(/^arn:aws:secretsmanager:us-east-1:\d{12}:secret:braze\/rest-api-key-\w{6}$/),
    SecretString: 'first-value',
    VersionStages: ['AWSCURRENT'],
    VersionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    CreatedDate: new Date(1_700_000_000_123),
  });
});

test('a secret is found by its ARN, with and without the six added characters', async () => {
  const { ARN = '' } = await get('plain');
  expect((await get(ARN)).SecretString).toBe('{"username":"reader"}');
  expect((await get(ARN.slice(0, -7))).SecretString).toBe('{"username":"reader"}');
  await expect(get(ARN.slice(0, -1))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test('secrets may come as a map', async () => {
  const other = await startSecretsManager({ secrets: new Map([['a', 'one']]) });
  const otherClient = clientOf(other);
  const { SecretString } = await otherClient.send(new GetSecretValueCommand({ SecretId: 'a' }));
  expect(SecretString).toBe('one');
  otherClient.destroy();
  await other.close();
});

test('an unknown secret is answered as the service does', async () => {
  await expect(get('missing')).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: "Secrets Manager can't find the specified secret.",
    $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  });
});

test('a new value is a new version, and the one before stays as AWSPREVIOUS', async () => {
  const before = await get('plain');
  const arn = manager.set('plain', 'second-value');
  const after = await get('plain');
  expect(after).toMatchObject({ ARN: arn, SecretString: 'second-value', VersionStages: ['AWSCURRENT'] });
  expect(after.ARN).toBe(before.ARN);
  expect(after.VersionId).not.toBe(before.VersionId);
  expect(await get('plain', { VersionStage: 'AWSPREVIOUS' })).toMatchObject({
    SecretString: '{"username":"reader"}',
    VersionStages: ['AWSPREVIOUS'],
  });
  expect((await get('plain', { VersionId: before.VersionId ?? '' })).SecretString).toBe('{"username":"reader"}');
});

test.each([
  [{ VersionStage: 'AWSPENDING' }, 'staging label: AWSPENDING'],
  [{ VersionStage: 'AWSPREVIOUS' }, 'staging label: AWSPREVIOUS'],
  [{ VersionId: '00000000-0000-4000-8000-000000000000' }, 'VersionId: 00000000-0000-4000-8000-000000000000'],
])('a version that does not exist is not found: %j', async (version, which) => {
  await expect(get('plain', version)).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: `Secrets Manager can't find the specified secret value for ${which}`,
  });
});

test('requests are listed by name and never by value', async () => {
  await get('plain');
  await get('missing').catch(() => undefined);
  expect(manager.requests()).toEqual([
    { secretId: 'plain', found: true },
    { secretId: 'missing', found: false },
  ]);
  expect(JSON.stringify(manager.requests())).not.toContain('reader');
});

test('an operation that is not imitated is refused by name', async () => {
  const response = await fetch(manager.url, {
    method: 'POST',
    headers: { 'x-amz-target': 'secretsmanager.PutSecretValue' },
    body: '{}',
  });
  expect(response.status).toBe(400);
  expect(response.headers.get('content-type')).toBe('application/x-amz-json-1.1');
  expect(await response.json()).toMatchObject({ __type: 'UnknownOperationException' });
});

test('a body that is not JSON is refused', async () => {
  const response = await fetch(manager.url, {
    method: 'POST',
    headers: { 'x-amz-target': 'secretsmanager.GetSecretValue' },
    body: 'SecretId=plain',
  });
  expect(await response.json()).toMatchObject({ __type: 'SerializationException' });
});
