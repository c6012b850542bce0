import { FatalError } from '../../../shared/errors.ts';
import { columnFinder, contextOf, identityProblem, neighboursOf } from '../../../shared/runs/context.ts';
import { parametersWith } from './deps.ts';

const identityOf = (braze: Record<string, unknown>) => contextOf(parametersWith({ d: {} }, braze), 'd').identity;
const ENDPOINT = 'https://rest.iad-01.braze.com';

describe('what a ledger is about', () => {
  test('is its primary key in any case, and the workspace by its endpoint', () => {
    expect(identityOf({})).toEqual({ primaryKey: 'id', workspace: `${ENDPOINT}/` });
    expect(identityOf({ endpoint: 'https://REST.iad-01.braze.com:443' })).toEqual(identityOf({}));
  });

  test('is the workspace by its name where it has one, whatever the endpoint', () => {
    const proxies = ['https://a.example.com', 'https://b.example.com'].map((endpoint) =>
      identityOf({ endpoint, allowEndpoint: true, workspace: 'shop' }),
    );
    expect(proxies).toEqual([
      { primaryKey: 'id', workspace: 'shop' },
      { primaryKey: 'id', workspace: 'shop' },
    ]);
  });

  const identity = { primaryKey: 'id', workspace: 'one' };
  const OTHER_KEY = { ...identity, primaryKey: 'email' };
  const OTHER_WORKSPACE = { ...identity, workspace: 'two' };
  const rekeyed = "the primary key of destination 'd' was email, and is now id";
  const moved = "destination 'd' has sent to two, and its app is now one";

  test.each([
    ['nothing yet', undefined, false, undefined],
    ['nothing yet, and the key may change', undefined, true, undefined],
    ['the same', identity, false, undefined],
    ['the same, and the key may change', identity, true, undefined],
    ['another key', OTHER_KEY, false, rekeyed],
    ['another key, and it may change', OTHER_KEY, true, undefined],
    ['another workspace', OTHER_WORKSPACE, false, moved],
    ['another workspace, and the key may change', OTHER_WORKSPACE, true, moved],
    ['another key and workspace', { ...OTHER_KEY, ...OTHER_WORKSPACE, primaryKey: 'email' }, false, moved],
    ['another key and workspace, and the key may change', { primaryKey: 'email', workspace: 'two' }, true, moved],
  ])('may have been %s', (_, known, rekey, found) => {
    const problem = identityProblem({ name: 'd', identity }, known, rekey);
    expect(problem?.found).toBe(found);
    if (found === rekeyed) expect(problem?.next).toContain('--rekey');
    if (found === moved) expect(problem?.next).toContain('another name');
  });
});

describe('the parameters of a run', () => {
  const hashOf = (more: Record<string, unknown>, braze = {}) =>
    contextOf(parametersWith({ d: more, other: {} }, braze), 'd').parametersHash;

  test('are others when the destination, its model or its apps are, and the same when only another destination is', () => {
    expect(hashOf({})).toBe(contextOf(parametersWith({ d: {} }), 'd').parametersHash);
    expect(hashOf({})).not.toBe(hashOf({ nullGuard: { minRecords: 1 } }));
    expect(hashOf({})).not.toBe(hashOf({}, { workspace: 'shop' }));
    expect(hashOf({})).not.toBe(hashOf({}, { concurrency: 7 }));
  });

  test.each(['none', 'constructor', '__proto__'])('have no destination %s', (name) => {
    expect(() => contextOf(parametersWith({ d: {} }), name)).toThrow(FatalError);
    expect(() => contextOf(parametersWith({ d: {} }), name)).toThrow('There are: d.');
  });
});

describe('a property', () => {
  const find = columnFinder([
    ['id', 'int4'],
    ['Email', 'varchar'],
    ['email', 'bpchar'],
    ['place', 'geometry'],
  ]);

  test.each([
    ['id', { name: 'id', type: 'integer' }],
    ['ID', { name: 'id', type: 'integer' }],
    ['Email', { name: 'Email', type: 'text' }],
    ['email', { name: 'email', type: 'text', padded: true }],
    ['EMAIL', { name: 'email', type: 'text', padded: true }],
  ])('%s is the column of its own spelling, else one in any case', (property, column) => {
    expect(find(property)).toEqual(column);
  });

  test.each([
    ['place', "'place' is of type geometry, which a profile cannot hold"],
    ['phone', "no column 'phone'"],
  ])('%s that cannot be read is an error', (property, words) => {
    expect(() => find(property)).toThrow(FatalError);
    expect(() => find(property)).toThrow(words);
  });
});

test('neighbours are the other destinations of the workspace, of whichever app, disabled ones too', () => {
  const parameters = parametersWith({
    one: {},
    two: { enabled: false },
    three: { app: 'second' },
    four: { app: 'far' },
  });
  const braze = contextOf(parameters, 'one').braze;
  const apps = {
    ...parameters.apps,
    second: { ...braze, apiKeySecret: 'braze/second' },
    far: { ...braze, workspace: 'another' },
  };
  const of = (name: string) => neighboursOf({ ...parameters, apps }, name);
  expect(of('one')).toEqual(['two', 'three']);
  expect(of('three')).toEqual(['one', 'two']);
  expect(of('four')).toEqual([]);
});
