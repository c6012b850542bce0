/** What comes from elsewhere: pinned, whole, and without a say on the machine that installs it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { bundle } from '../cdk/bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const json = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));

const Versions = z.record(z.string(), z.string());
const Manifest = z.object({ dependencies: Versions, devDependencies: Versions });
const Package = z.object({
  /** Where it is not that of its folder. */
  name: z.string().optional(),
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  inBundle: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
});
const Lock = z.object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), Package) });

const manifest = Manifest.parse(json('package.json'));
const packages = Object.entries(Lock.parse(json('package-lock.json')).packages).filter(([path]) => path !== '');
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** The lock file names no place for what comes from the registry. */
const REGISTRY = 'https://registry.npmjs.org/';

describe('packages', () => {
  test.each(Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))(
    '%s is pinned to one version, %s, which is the one that is locked',
    (name, version) => {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(packages.find(([path]) => path === `node_modules/${name}`)?.[1].version).toBe(version);
    },
  );

  test('come from the registry, each with the hash of what it has to be', () => {
    const own = packages.filter(([, { inBundle }]) => !inBundle);
    expect(own.length).toBeGreaterThan(100);
    const odd = own.filter(
      ([, { resolved, integrity }]) =>
        !(resolved ?? REGISTRY).startsWith(REGISTRY) || !/^sha512-[\w+/]+=*$/.test(integrity ?? ''),
    );
    expect(odd).toEqual([]);
  });

  test('that come inside of another are covered by its hash', () => {
    const inside = packages.filter(([, { inBundle }]) => inBundle).map(([path]) => path);
    const around = new Set(inside.map((path) => path.slice(0, path.indexOf('/node_modules/'))));
    expect([...around].sort()).toEqual(['node_modules/@aws-cdk/cloud-assembly-schema', 'node_modules/aws-cdk-lib']);
  });
});

/** Packages with an install script, and why it is not missed. */
const WITH_SCRIPT = {
  '@parcel/watcher': 'development only; brings its binaries as packages of their own',
  '@swc/core': 'development only; brings its binaries as packages of their own',
  'classic-level': 'the local cloud only; has its binaries inside',
  esbuild: 'brings its binary as a package of its own; the script only saves a start of Node',
};

describe('install scripts', () => {
  test('are there in these packages only', () => {
    const found = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path));
    expect(found.sort()).toEqual(Object.keys(WITH_SCRIPT).sort());
  });

  test('do not run', () => {
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8').split('\n')).toContain('ignore-scripts=true');
  });
});

/** Whose code runs with the functions' roles: a new name here is a decision. */
const OWNERS = [
  '@aws',
  '@aws-lambda-powertools',
  '@aws-sdk',
  '@date-fns',
  '@smithy',
  'date-fns',
  'mnemonist',
  'obliterator',
  'undici',
  'zod',
];

describe('functions', () => {
  const SourceMap = z.object({ sources: z.array(z.string()) });
  const carried = ['start-run', 'extract-shard', 'write-batch'].flatMap((handler) => {
    const map = bundle(`lambdas/${handler}/handler.ts`).find(({ name }) => name.endsWith('.map'));
    const { sources } = SourceMap.parse(JSON.parse(Buffer.from(map?.contents ?? []).toString('utf8')));
    return sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
  });
  const names = [...new Set(carried)].sort();

  test('carry code of these owners only', () => {
    const owners = new Set(names.map((name) => (name.startsWith('@') ? name.slice(0, name.indexOf('/')) : name)));
    expect([...owners].sort()).toEqual(OWNERS);
  });

  test('carry no package with an install script', () => {
    expect(names.filter((name) => Object.hasOwn(WITH_SCRIPT, name))).toEqual([]);
  });
});

test('the bill of materials names every package, and needs no network', () => {
  const { stdout } = spawnSync('npm', ['run', '--silent', 'sbom', '--offline'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  const Bill = z.object({ bomFormat: z.literal('CycloneDX'), components: z.array(z.object({ purl: z.string() })) });
  const purls = new Set(Bill.parse(JSON.parse(stdout)).components.map(({ purl }) => decodeURIComponent(purl)));
  const missing = packages.filter(
    ([path, { name, version }]) => !purls.has(`pkg:npm/${name ?? nameOf(path)}@${version}`),
  );
  expect(missing.map(([path]) => path)).toEqual([]);
});

test('the workflow may read and nothing else, and uses actions of GitHub only', () => {
  const text = readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8');
  expect(text).toMatch(/^permissions:\n {2}contents: read\n\w/m);
  expect(text.match(/permissions:/g)).toHaveLength(1);
  const uses = [...text.matchAll(/uses: (\S+)/g)].map(([, action = '']) => action);
  expect(uses.length).toBeGreaterThan(0);
  expect(uses.filter((action) => !/^actions\/[\w-]+@v\d+$/.test(action))).toEqual([]);
  expect(text).not.toContain('secrets.');
});
