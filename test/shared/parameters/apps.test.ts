import { endpointProblem, withoutTrailingSlash } from '../../../shared/parameters/endpoint.ts';
import { masked, secretLikeness, secretName } from '../../../shared/parameters/secret.ts';

describe('an endpoint', () => {
  test.each([
    'https://rest.iad-01.braze.com',
    'https://rest.iad-08.braze.com',
    'https://rest.us-10.braze.com',
    'https://rest.fra-02.braze.eu/',
    'https://rest.au-01.braze.com',
    'https://rest.id-01.braze.com',
    'https://rest.jp-01.braze.com',
    'https://rest.kr-01.braze.com:443',
    'https://REST.IAD-01.braze.com',
  ])('%s is one of Braze and passes', (endpoint) => {
    expect(endpointProblem(endpoint)).toBeUndefined();
    expect(endpointProblem(endpoint, true)).toBeUndefined();
  });

  test.each([
    'https://proxy.example.com:8443/braze',
    'https://rest.iad-01.braze.com:8443',
    'https://rest.iad-01.braze.com.',
    'https://rest.iad-01.braze.com.example.com',
    'https://rest-iad-01.braze.com',
    'https://xrest.iad-01.braze.com',
    'https://rest.iad-01.braze.co',
    'https://rest.iad-01.brаze.com',
    'https://rest.evil.com/rest.iad-01.braze.com',
    'https://169.254.169.254',
    'http://127.0.0.1:4567',
    'http://localhost',
    'http://[::1]:4567/',
  ])('%s is not, and passes with allowEndpoint only', (endpoint) => {
    expect(endpointProblem(endpoint)?.hint).toContain('allowEndpoint: true');
    expect(endpointProblem(endpoint, true)).toBeUndefined();
  });

  test('has no path at one of Braze, with allowEndpoint it may', () => {
    expect(endpointProblem('https://rest.iad-01.braze.com/v1')?.hint).toBe('leave out the path');
    expect(endpointProblem('https://rest.iad-01.braze.com/v1', true)).toBeUndefined();
  });

  test.each([
    ['http://rest.iad-01.braze.com', 'http is only for'],
    ['http://127.0.0.1.example.com', 'http is only for'],
    ['http://localhost.example.com', 'http is only for'],
    ['rest.iad-01.braze.com/', 'put https:// before it'],
    ['https://SDK.iad-01.braze.com', 'REST endpoint'],
    ['https://dashboard-01.braze.eu', 'REST endpoint'],
    ['https://dashboard.braze.com/sign_in', 'REST endpoint'],
    ['https://rest.iad-01.braze.com/users/track', 'leave out the path'],
    ['https://rest.iad-01.braze.com/v2/subscription/status/set', 'leave out the path'],
    ['https://rest.iad-01.braze.com//', 'leave out the path'],
  ])('%s is refused with advice, allowEndpoint or not', (endpoint, words) => {
    expect(endpointProblem(endpoint)?.hint).toContain(words);
    expect(endpointProblem(endpoint, true)?.hint).toContain(words);
  });

  test.each([
    ['https://me@rest.iad-01.braze.com', 'a user name'],
    ['https://:hunter2@rest.iad-01.braze.com', 'a user name or password'],
    ['https://rest.iad-01.braze.com?a=hunter2', 'a query'],
    ['https://rest.iad-01.braze.com#hunter2', 'a query or fragment'],
    ['https://rest.iad-01.braze.com/?', 'a query'],
    ['ftp://hunter2', 'no web URL'],
    ['https://', 'no web URL'],
    ['https:rest.iad-01.braze.com', 'no web URL'],
    ['https:\\\\hunter2', 'no web URL'],
    ['https://rest.iad-01\t.braze.com', 'no web URL'],
    [' https://rest.iad-01.braze.com', 'no web URL'],
    ['javascript:hunter2', 'no web URL'],
  ])('%p is refused without showing what may be secret', (endpoint, words) => {
    expect(endpointProblem(endpoint)?.found).toContain(words);
    expect(JSON.stringify(endpointProblem(endpoint))).not.toContain('hunter2');
  });

  test('loses one trailing slash', () => {
    expect(withoutTrailingSlash('https://a.example/')).toBe('https://a.example');
    expect(withoutTrailingSlash('https://a.example')).toBe('https://a.example');
  });
});

describe('what stands for a secret', () => {
  test.each([
    'braze/rest-api-key',
    'braze-rest-api-key',
    'BrazeRestApiKey',
    'production-braze-rest-api-key-2024-version-2',
    'ProductionBrazeRestApiKeySecret2024Version1',
    'MyStack-BrazeKeyA1B2C3D4-aBcDeFgHiJkL',
    'a',
    'arn:aws:secretsmanager:eu-central-1:123456789012:secret:0123456789abcdef0123456789abcdef-AbCdEf',
    'team/0123456789abcdef0123456789abcdef',
    'redshift!workgroup-admin',
  ])('%s is taken for a name', (value) => {
    expect(secretLikeness(value)).toBeUndefined();
  });

  test.each([
    ['8f2b5c1e-0000-4000-8000-000000000001', 'a UUID'],
    ['8F2B5C1E-0000-4000-8000-000000000001', 'a UUID'],
    ['{"apiKey":"x"}', 'JSON'],
    [' {"apiKey":"x"}', 'JSON'],
    ['["x"]', 'JSON'],
    ['Bearer abc', 'Authorization'],
    ['bearer abc', 'Authorization'],
    ['0123456789abcdef0123456789abcdef', 'a key'],
    ['prefix-0123456789ABCDEF0123456789ABCDEF', 'a key'],
    ['Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaQ==', 'a key'],
    ['x7Kq2ZpL9vTn4RbW8sYc1MdF6hGj3', 'a key'],
  ])('%s is taken for the secret itself', (value, words) => {
    expect(secretLikeness(value)).toContain(words);
  });

  test('is shown with its first four characters at most', () => {
    expect(masked('0123456789abcdef')).toBe("'0123…'");
    expect(masked('\u001b[31')).toBe("'?[31…'");
  });

  test('is the same by name and by ARN', () => {
    const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:braze/rest-api-key-AbCdEf';
    expect(secretName(arn)).toBe(secretName('braze/rest-api-key'));
    expect(secretName(arn.replace('rest', 'other'))).not.toBe(secretName('braze/rest-api-key'));
  });
});
