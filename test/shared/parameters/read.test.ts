import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCheckedParameters } from '../../../shared/parameters/checked.ts';
import {
  environmentFile,
  ParametersError,
  parametersFor,
  parseParameters,
  readParameters,
} from '../../../shared/parameters/read.ts';
import { changed, EXAMPLE, errorOf, FILE, lineOf } from './example.ts';

const linesOf = (text: string, files: Readonly<Record<string, string>> = {}): string[] =>
  errorOf(text, files)?.message.split('\n') ?? [];

const parsed = (text: string, files: Readonly<Record<string, string>> = {}) =>
  parseParameters(text, FILE, (file) => {
    const found = files[file];
    if (found === undefined) throw new Error(`no ${file}`);
    return found;
  });

describe('a valid file', () => {
  test('becomes parameters with every default filled in', () => {
    const { apps, destinations, environment } = parsed(EXAMPLE);
    expect(environment).toBe('production');
    expect(apps.braze).toMatchObject({ requestsPerSecond: 50, concurrency: 5, settleSeconds: 5 });
    expect(destinations.customers_to_braze).toMatchObject({ enabled: true, shards: 1, invalidValues: 'reject' });
  });

  test('comes back the same from the JSON that a function carries', () => {
    expect(parseCheckedParameters(JSON.stringify(parsed(EXAMPLE)))).toEqual(parsed(EXAMPLE));
  });

  test('loses a trailing semicolon, trailing comments and a trailing slash', () => {
    const text = changed(
      ['GROUP BY 1, 2, 3\n', 'GROUP BY 1, 2, 3; -- the end\n'],
      ['"ltv > 100"', '"ltv > 100 -- rich"'],
      ['braze.com\n', 'braze.com/\n'],
    );
    const { apps, models } = parsed(text);
    expect(models.customers?.query).toMatch(/GROUP BY 1, 2, 3$/);
    expect(models.customers?.groups.vip).toEqual({ sql: 'ltv > 100' });
    expect(apps.braze).toMatchObject({ endpoint: 'https://rest.iad-01.braze.com' });
  });

  test('is not checked for columns when its query returns everything', () => {
    const text = changed(['SELECT c.customer_id, c.email', 'SELECT *, c.email'], ['email: email', 'email: anything']);
    expect(errorOf(text)).toBeUndefined();
  });
});

test('every mistake of a file is reported in one go, in the order of its lines', () => {
  const text = changed(
    ['type: braze', 'type: brazee'],
    ['braze/rest-api-key', '8f2b5c1e-0000-4000-8000-000000000001'],
    ['app: warehouse', 'app: werehouse'],
    ['op: gte', 'op: gtee'],
    ['"ltv > 100"', '"ltv > 100)"'],
    ['rate(1 hour)', 'rate(1 hours)'],
    ['email: email', 'emial: email'],
    ['lifetime_value: ltv', 'Email: lvt'],
    ['      high_value_recent_buyers: 8f', '      buyers: 8f'],
    ['maxPercent: 10', 'maxPercent: 1000'],
  );
  expect(errorOf(text)?.problems.map(({ path }) => path)).toEqual([
    'apps.braze.type',
    'apps.braze.apiKeySecret',
    'models.customers.app',
    'models.customers.groups.high_value_recent_buyers.all[0].op',
    'models.customers.groups.vip.sql',
    'destinations.customers_to_braze.schedule',
    'destinations.customers_to_braze.mapping.emial',
    'destinations.customers_to_braze.customAttributes.Email',
    'destinations.customers_to_braze.customAttributes.Email',
    'destinations.customers_to_braze.subscriptionGroups.buyers',
    'destinations.customers_to_braze.deletionGuard.maxPercent',
  ]);
});

test('a problem is one line: place, path, what was found, what is allowed, advice', () => {
  const error = errorOf(changed(['syncMode: sync', 'syncMode: synk']));
  const line =
    "parameters/production.yaml:29:15  destinations.customers_to_braze.syncMode  found 'synk', allowed: sync, additive or enrich; did you mean 'sync'?";
  expect(error?.message).toBe(line);
  expect(error?.format()).toBe(line);
});

test('what a problem shows of a file cannot draw on a terminal', () => {
  const message = errorOf(changed(['syncMode: sync', 'syncMode: "\\e[31mred\\n\\u202e"']))?.message ?? '';
  expect(message).toContain('\\u001b[31mred\\n\\u202e');
  expect([...message].filter((character) => character < ' ')).toEqual([]);
});

describe('extends', () => {
  const BASE = EXAMPLE.replace('environment: production', 'environment: base');

  test('lays a file over another, key by key', () => {
    const near = `extends: base.yaml
environment: staging
destinations:
  customers_to_braze: { enabled: false, deletionGuard: { maxPercent: 1 } }
`;
    const { environment, destinations } = parsed(near, { 'parameters/base.yaml': BASE });
    expect(environment).toBe('staging');
    expect(destinations.customers_to_braze).toMatchObject({
      enabled: false,
      schedule: 'rate(1 hour)',
      deletionGuard: { maxPercent: 1, maxRecords: 10_000 },
    });
  });

  test('replaces lists and rules whole', () => {
    const near = `extends: base.yaml
models: { customers: { groups: { vip: { property: ltv, op: gt, value: 1 } } } }
destinations: { customers_to_braze: { customAttributes: [ltv] } }
`;
    const { models, destinations } = parsed(near, { 'parameters/base.yaml': BASE });
    expect(models.customers?.groups.vip).toEqual({ property: 'ltv', op: 'gt', value: 1 });
    expect(destinations.customers_to_braze?.customAttributes).toEqual(['ltv']);
  });

  test('takes a list, of which the later file wins, and paths relative to the file that names them', () => {
    const files = {
      'shared/base.yaml': `extends: ../parameters/older.yaml\nenvironment: second`,
      'parameters/older.yaml': BASE,
      'parameters/first.yaml': 'environment: first\nalarmEmail: first@example.com',
    };
    const { environment, alarmEmail } = parsed('extends: [first.yaml, ../shared/base.yaml]', files);
    expect([environment, alarmEmail]).toEqual(['second', 'first@example.com']);
  });

  test('may reach a file twice in different ways', () => {
    const files = {
      'parameters/a.yaml': 'extends: base.yaml',
      'parameters/b.yaml': 'extends: base.yaml',
      'parameters/base.yaml': BASE,
    };
    expect(parsed('extends: [a.yaml, b.yaml]', files).environment).toBe('base');
  });

  test('a mistake is reported in the file in which it stands', () => {
    const base = BASE.replace('email: email', 'emial: email');
    const problems = errorOf('extends: base.yaml\nenvironment: Wrong', { 'parameters/base.yaml': base })?.problems;
    expect(problems).toMatchObject([
      { file: FILE, line: 2, column: 14, path: 'environment' },
      { file: 'parameters/base.yaml', line: lineOf(base, 'emial'), column: 7 },
    ]);
  });

  test.each([
    [
      'a file that does not exist',
      'extends: gone.yaml',
      {},
      [FILE, '1:10', "'parameters/gone.yaml', which does not exist"],
    ],
    ['a file that extends itself', 'extends: production.yaml', { [FILE]: EXAMPLE }, [FILE, '1:10', 'in a circle']],
    [
      'files that extend one another',
      'extends: a.yaml',
      { 'parameters/a.yaml': 'extends: b.yaml', 'parameters/b.yaml': 'x: 1\nextends: a.yaml' },
      ['parameters/b.yaml:2:10', 'in a circle'],
    ],
    ['a number', 'extends: 12', {}, ['1:10', 'the number 12', 'the path of a file']],
    ['a map in a list', 'extends: [{ file: a.yaml }]', {}, ["a map with 'file'", 'the path of a file']],
    [
      'a file with an open quote',
      'extends: a.yaml',
      { 'parameters/a.yaml': 'a: "b' },
      ['parameters/a.yaml:1', 'a quote'],
    ],
    [
      'a file that is a list',
      'extends: a.yaml',
      { 'parameters/a.yaml': '- a' },
      ['parameters/a.yaml:1:1', 'a list of 1'],
    ],
    ['an empty file', 'extends: a.yaml', { 'parameters/a.yaml': '' }, ['parameters/a.yaml:1:1', 'found nothing']],
  ])('%s is a problem', (_, text, files, words) => {
    const message = errorOf(text, files)?.message ?? '';
    for (const word of words) expect(message).toContain(word);
  });

  test('a file that fans out without end is turned away', () => {
    const fan = (next: string) => `extends: [${Array.from({ length: 8 }, () => next).join(', ')}]`;
    const files = {
      'parameters/a.yaml': fan('b.yaml'),
      'parameters/b.yaml': fan('c.yaml'),
      'parameters/c.yaml': EXAMPLE,
    };
    expect(errorOf(fan('a.yaml'), files)?.message).toContain('very many files');
  });
});

describe('what is dangerous or doubtful in YAML is a problem', () => {
  const bomb = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
    .concat(['b', 'c', 'd', 'e', 'f'].map((name, index) => `${name}: &${name} [${`*${'abcde'[index]}, `.repeat(10)}]`))
    .join('\n');

  test.each([
    ['a key twice', 'apps: {}\nmodels: {}\napps: {}', '3:1', "'apps' a second time", 'the first is in line 1'],
    ['a key twice in one line', 'apps: { a: 1, a: 2 }', '1:15', "'a' a second time"],
    ['a number as a key', 'apps:\n  12: x', '2:3', 'the number 12 as a key', 'quotes'],
    ['true as a key', 'true: x', '1:1', 'true as a key'],
    ['nothing as a key', '? \n: x', '', 'nothing as a key'],
    ['a list as a key', '? [a]\n: x', '1:3', 'a list, map or alias as a key'],
    ['__proto__', 'apps:\n  __proto__: { polluted: true }', '2:3', "'__proto__'"],
    ['a merge key', 'a: &a { x: 1 }\napps: { <<: *a }', '2:9', 'a merge key', 'use extends'],
    ['two documents', 'apps: {}\n---\nmodels: {}', '2:1', 'a second document'],
    ['a tab before a key', 'apps:\n\ta: 1', '2:1', 'a tab', 'spaces'],
    ['a tag', 'apps: !include x', '1:7', 'an unknown tag'],
    ['a tag of another YAML', 'apps: !!set { a, b }', '1:7', 'an unknown tag'],
    ['another version of YAML', '%YAML 1.1\n---\napps: yes', '1:1', 'YAML 1.1'],
    ['an unknown directive', '%FOO bar\n---\napps: {}', '', 'a directive'],
    ['an alias without an anchor', 'apps: *x', '1:7', 'an alias', 'an anchor'],
    ['an alias inside itself', 'apps: &x [*x]', '1:11', 'an alias (*…) inside itself'],
    ['aliases that grow without end', bomb, '', 'grow without end'],
    ['very many aliases', `a: &a 1\nb: [${'*a, '.repeat(101)}]`, '', 'at most 100 aliases'],
    ['very deep lists', `a: ${'['.repeat(20_000)}`, '', 'at most 100 levels'],
    ['very deep maps', '{a: '.repeat(20_000), '', 'at most 100 levels'],
    ['very deep items', '- '.repeat(20_000), '', 'at most 100 levels'],
    [
      'depth by aliases',
      'a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nb: &b [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nc: &c [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nd: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*c]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
      '',
      'at most 100 levels',
    ],
    ['very many parts', '- 1\n'.repeat(200_000), '', 'very many parts'],
    ['a huge text', `a: ${'x'.repeat(1_000_000)}`, '', 'at most 1000000 bytes'],
    ['a NUL', 'a: "x\\0"', '1:4', 'NUL'],
    ['half a character', 'a: "\\ud800"', '1:4', 'half a character'],
    ['a NUL in a key', '"a\\0": 1', '1:1', 'without NUL'],
    ['a number that is not kept exactly', 'a: 12345678901234567890', '1:4', 'survives exactly', 'quotes'],
    ['an unknown escape', 'a: "\\d+"', '1:5', 'an unknown escape', 'single quotes'],
    ['a colon in a value', 'a: b: c', '1:4', 'a second key in one line'],
    ['a reserved sign', 'a: @b', '1:4', 'a reserved sign'],
    ['an open bracket', 'a: [1, 2', '', 'allowed:'],
    ['a crooked indentation', 'a:\n  b: 1\n c: 2', '3:1', 'indented'],
    ['nothing', '', '1:1', 'found nothing', 'a map with environment'],
    ['only a comment', '# later', '1:1', 'found nothing'],
    ['a text', 'hello', '1:1', "'hello'"],
    ['a list', '- a', '1:1', 'a list of 1'],
  ])('%s', (_, text, place, ...words) => {
    const [line = ''] = linesOf(text).filter((each) => words.every((word) => each.includes(word)));
    expect(line).toContain(`${FILE}:${place}`);
  });

  test('a NUL byte in the text leads to problems and nothing else', () => {
    expect(errorOf(`apps: \0\n`)?.problems.length).toBeGreaterThan(0);
  });

  test('the prototype of objects stays as it is', () => {
    errorOf(
      '__proto__: { polluted: true }\nconstructor: { prototype: { polluted: true } }\napps: { __proto__: { polluted: true } }',
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect('polluted' in {}).toBe(false);
  });

  test('aliases, anchors, tags of the core schema and a byte order mark are fine', () => {
    const text = changed(
      ['first_name: first_name\n', 'first_name: !!str first_name\n'],
      ['app: warehouse', 'app: &w warehouse'],
    );
    expect(parsed(`\ufeff${text}`).environment).toBe('production');
  });
});

describe('two destinations of one Braze workspace', () => {
  const second = (lines: string): string =>
    `${EXAMPLE}  other:\n    model: customers\n    app: braze\n    syncMode: additive\n${lines}`;
  const mapping = (line: string): string => `    mapping:\n      external_id: customer_id\n${line}`;

  test.each([
    ['a standard attribute', second(mapping('      email: email\n')), "attribute 'email'"],
    [
      'a custom attribute',
      second(`${mapping('')}    customAttributes:\n      lifetime_value: ltv\n`),
      "attribute 'lifetime_value'",
    ],
    [
      'a custom attribute in a list',
      second(`${mapping('')}    customAttributes: [last_purchase]\n`),
      "attribute 'last_purchase'",
    ],
    [
      'a subscription group',
      second(`${mapping('')}    subscriptionGroups: { vip: 8F2B5C1E-0000-4000-8000-000000000001 }\n`),
      "subscription group '8f2b5c1e-0000-4000-8000-000000000001'",
    ],
  ])('may not both write %s', (_, text, what) => {
    expect(errorOf(text)?.problems).toHaveLength(1);
    expect(errorOf(text)?.message).toContain(`found ${what} of 'other', which 'customers_to_braze' writes`);
  });

  test.each([
    ['the name', 'braze/rest-api-key'],
    ['the ARN', 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:braze/rest-api-key-AbCdEf'],
  ])('are seen behind two apps with the same endpoint and %s of the secret', (_, secret) => {
    const app = `  again: { type: braze, endpoint: https://REST.iad-01.braze.com/, apiKeySecret: ${secret} }\nmodels:\n`;
    const text = second(mapping('      email: email\n')).replace('models:\n', app);
    expect(
      errorOf(text.replace(/app: braze\n {4}syncMode: additive/, 'app: again\n    syncMode: additive'))?.problems,
    ).toHaveLength(1);
  });

  test.each([
    ['write different attributes', second(mapping('      last_name: first_name\n'))],
    ['write the same attribute when one is disabled', second(`    enabled: false\n${mapping('      email: email\n')}`)],
    [
      'have the same endpoint and different keys',
      second(mapping('      email: email\n'))
        .replace(
          'models:\n',
          '  again: { type: braze, endpoint: https://rest.iad-01.braze.com, apiKeySecret: braze/other }\nmodels:\n',
        )
        .replace(/app: braze\n {4}syncMode: additive/, 'app: again\n    syncMode: additive'),
    ],
  ])('may %s', (_, text) => {
    expect(errorOf(text)).toBeUndefined();
  });

  /** The example's destination syncs an audience; the other one gets `lines`. */
  const beside = (lines: string): string =>
    second(`${mapping('      last_name: first_name\n')}${lines}`).replace('    # audience:', '    audience:');

  test.each([
    ['all of the model', beside('')],
    ['another audience', beside('    audience: vip\n')],
  ])('may not be a sync of an audience, and one of %s that would lose its users', (_, text) => {
    const problems = errorOf(text)?.problems ?? [];
    expect(problems).toHaveLength(1);
    expect(errorOf(text)?.message).toContain(
      "found 'sync' of the audience 'high_value_recent_buyers', beside 'other', which sends others of model 'customers'",
    );
  });

  test.each([
    ['the same audience', beside('    audience: high_value_recent_buyers\n')],
    ['one that only enriches', beside('').replace('syncMode: additive', 'syncMode: enrich')],
    ['a disabled one', beside('    enabled: false\n')],
    ['no audience', beside('').replace(/ {4}audience: .*\n/, '')],
  ])('may be a sync of an audience, beside %s', (_, text) => {
    expect(errorOf(text)).toBeUndefined();
  });
});

describe('a secret in a file is never shown', () => {
  const SECRET = 'Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaQ';

  test.each([
    ['as the key', `apiKeySecret: ${SECRET}`],
    ['in JSON', `apiKeySecret: '{"apiKey": "${SECRET}"}'`],
    ['as a header', `apiKeySecret: Bearer ${SECRET}`],
    ['with signs that no name has', `apiKeySecret: "${SECRET}#!"`],
    ['as an alias', `apiKeySecret: *${SECRET}`],
    ['in a list', `apiKeySecret: [${SECRET}]`],
    ['in a map', `apiKeySecret: { apiKey: ${SECRET} }`],
    ['under a wrong name', `apiKey: ${SECRET}`],
    ['in broken YAML', `apiKeySecret: "${SECRET}`],
    ['with a colon', `apiKeySecret: Bearer: ${SECRET}`],
    ['after a tag', `apiKeySecret: !${SECRET} x`],
    ['twice', `apiKeySecret: ${SECRET}\n    apiKeySecret: ${SECRET}`],
    ['in the endpoint', `apiKeySecret: a\n    endpoint: https://${SECRET}@rest.iad-01.braze.com`],
    ['in the query of the endpoint', `apiKeySecret: a\n    endpoint: https://rest.iad-01.braze.com?key=${SECRET}`],
    ['in an endpoint that is none', `apiKeySecret: a\n    endpoint: "https:// ${SECRET}"`],
  ])('%s', (_, lines) => {
    const message = errorOf(changed(['apiKeySecret: braze/rest-api-key', lines]))?.message ?? '';
    expect(message).not.toBe('');
    expect(message).not.toContain(SECRET.slice(0, 12));
  });
});

test.each([['12345678'], ['12345678901234567890']])(
  'a secret of digits alone, such as %s, is not shown either',
  (digits) => {
    const message = errorOf(changed(['apiKeySecret: braze/rest-api-key', `apiKeySecret: ${digits}`]))?.message ?? '';
    expect(message).toContain('apps.braze.apiKeySecret');
    expect(message).not.toContain('12345678');
  },
);

describe('overrides', () => {
  test('are laid over the file', () => {
    const overrides = {
      apps: { braze: { endpoint: 'http://127.0.0.1:4567', allowEndpoint: true } },
      destinations: { customers_to_braze: { shards: 8 } },
    };
    const { apps, destinations } = parseParameters(EXAMPLE, FILE, undefined, { overrides });
    expect(apps.braze).toMatchObject({ endpoint: 'http://127.0.0.1:4567', apiKeySecret: 'braze/rest-api-key' });
    expect(destinations.customers_to_braze?.shards).toBe(8);
  });

  test('are named as the place of a mistake in them', () => {
    const overrides = { destinations: { customers_to_braze: { shards: 3 } } };
    expect(() => parseParameters(EXAMPLE, FILE, undefined, { overrides })).toThrow(
      /^\(overrides\) {2}destinations\.customers_to_braze\.shards {2}found the number 3/,
    );
  });
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parameters-'));
  const workingDirectory = process.cwd();
  const write = (name: string, text: string | Buffer): string => {
    writeFileSync(join(folder, 'parameters', name), text);
    return join(folder, 'parameters', name);
  };
  beforeAll(() => {
    mkdirSync(join(folder, 'parameters'));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(workingDirectory);
    rmSync(folder, { recursive: true });
  });

  test('are read with what they extend', () => {
    write('base.yaml', EXAMPLE);
    expect(readParameters(write('near.yaml', 'extends: base.yaml\nenvironment: near')).environment).toBe('near');
  });

  test('of an environment are found by its name', () => {
    write('production.yaml', EXAMPLE);
    expect(environmentFile('production')).toBe(join('parameters', 'production.yaml'));
    expect(parametersFor('production').environment).toBe('production');
  });

  test('of another environment than their name says are refused', () => {
    write('staging.yaml', EXAMPLE);
    expect(() => parametersFor('staging')).toThrow(
      /staging\.yaml:1:14 {2}environment {2}found 'production', allowed: 'staging'/,
    );
    expect(readParameters(environmentFile('staging')).environment).toBe('production');
  });

  test.each(['../production', '', 'Production', 'a b'])('of an environment named %p are not looked for', (name) => {
    expect(() => parametersFor(name)).toThrow('lower-case letters');
  });

  test.each([
    ['that do not exist', () => join(folder, 'parameters', 'gone.yaml'), 'does not exist'],
    ['that are folders', () => join(folder, 'parameters'), 'it is no file'],
    ['that are not in UTF-8', () => write('latin.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xe4])), 'not in UTF-8'],
    ['that are huge', () => write('huge.yaml', Buffer.alloc(5_000_000, 0x61)), 'it has 5000000 bytes'],
    ['that are a little too large', () => write('large.yaml', Buffer.alloc(1_000_001, 0x61)), 'at most 1000000 bytes'],
  ])('%s are a problem', (_, file, words) => {
    expect(() => readParameters(file())).toThrow(ParametersError);
    expect(() => readParameters(file())).toThrow(words);
  });
});
