/** The demo as a newcomer runs it, and what it trusts: its data, and the comparison behind its claims. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { differencesOf, type Profile } from '../../demo/check.ts';
import { day1Sql } from '../../demo/make-day-1.ts';
import { page } from '../../demo/page.ts';
import { plannerOf } from '../../demo/planner.ts';
import { StoryDiffers, tellStory } from '../../demo/story.ts';
import type { BrazeUser } from '../../local/braze/emulator.ts';
import { startLocalCloud } from '../../local/cloud.ts';
import { readParameters } from '../../shared/parameters/read.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('the demo ends well, in plain text, and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'w2b-test-demo-'));
  const { NODE_OPTIONS: _, FORCE_COLOR: __, ...env } = process.env;
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--no-warnings', '--import', 'tsx', 'demo/demo.ts'],
      {
        cwd: ROOT,
        env: { ...env, TMPDIR: folder },
        timeout: 58_000,
      },
    );
    expect(stderr).toBe('');
    expect(stdout).not.toContain('\u001b');
    expect(figuresIn(stdout)).toEqual([
      'plan (sync): 414 rows: 0 unchanged, 407 added, 0 changed, 0 removed',
      'partial: 414 rows: 0 unchanged, 407 added, 0 changed, 0 removed',
      'plan (sync): 415 rows: 388 unchanged, 11 added, 16 changed, 3 removed',
      'succeeded: 415 rows: 388 unchanged, 11 added, 16 changed, 3 removed',
      'held: 0 rows: 0 unchanged, 0 added, 0 changed, 415 removed',
      'succeeded: 415 rows: 415 unchanged, 0 added, 0 changed, 0 removed',
    ]);
    expect(stdout).toMatch(/^ +the differences +30 +2 +117$/m);
    expect(stdout).toMatch(/^ +high_value_recent_car_buyers +- +→ +member$/m);
    expect(stdout).toMatch(/^ +high_value_recent_car_buyers +member +→ +-$/m);
    expect(stdout).toContain('Braze still has 415 users. Not one request was sent.');
    expect(stdout).toMatch(/^Everything was as told, in \d+ seconds\.$/m);
    expect(readdirSync(folder).filter((name) => name.startsWith('w2b-'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What each plan and run says of the warehouse, with its status. */
const figuresIn = (text: string): string[] =>
  [...text.matchAll(/customers_to_braze {2}(?:\S )?(plan \(sync\)|\w+).*\n +warehouse {2}(.*)/g)].map(
    ([, status, rows]) => `${status}: ${rows}`,
  );

test('a Braze that is not as the story says ends it with what differs', async () => {
  const cloud = await startLocalCloud({ parameters: readParameters(join(ROOT, 'parameters', 'demo.yaml')) });
  const planner = plannerOf(cloud);
  try {
    cloud.braze().putUser({ externalId: '999999' });
    const told = tellStory({ cloud, planner, page: page(() => undefined) });
    await expect(told).rejects.toThrow(
      new StoryDiffers('users in Braze after the plan: the story says 0, but it is 1'),
    );
  } finally {
    planner.close();
    await cloud.close();
  }
});

test('day-1.sql is what make-day-1.ts makes', () => {
  expect(readFileSync(join(ROOT, 'demo', 'day-1.sql'), 'utf8')).toBe(day1Sql());
});

const GROUPS = { 'group-id': 'vips' };

const user = (changes: Partial<BrazeUser>): BrazeUser => ({
  brazeId: 'b',
  externalId: '1',
  aliases: [],
  attributes: { first_name: 'Zoé' },
  customAttributes: { purchases: 2, last_purchase: '2026-01-28T22:02:44.000Z' },
  subscriptionGroups: { 'group-id': 'subscribed' },
  createdAt: '',
  updatedAt: '',
  ...changes,
});

const EXPECTED = new Map<string, Profile>([
  [
    '1',
    new Map([
      ['first_name', 'Zoé'],
      ['purchases', '2'],
      ['last_purchase', '2026-01-28T22:02:44'],
      ['vips', 'member'],
    ]),
  ],
]);

test.each([
  ['is the same', [user({})], []],
  ['is missing', [], ['Braze has no user 1']],
  ['is not alone', [user({}), user({ externalId: '2' })], ['Braze has the user 2']],
  [
    'has another value',
    [user({ attributes: { first_name: 'Zoe' } })],
    ['user 1 has first_name = Zoe where the warehouse has Zoé'],
  ],
  [
    'lacks a value',
    [user({ customAttributes: { purchases: 2 } })],
    ['user 1 has last_purchase = nothing where the warehouse has 2026-01-28T22:02:44'],
  ],
  [
    'has a value too much',
    [user({ attributes: { first_name: 'Zoé', email: 'zoe@example.com' } })],
    ['user 1 has email = zoe@example.com where the warehouse has nothing'],
  ],
  [
    'has left a group',
    [user({ subscriptionGroups: { 'group-id': 'unsubscribed' } })],
    ['user 1 has vips = nothing where the warehouse has member'],
  ],
] satisfies [string, BrazeUser[], string[]][])('a user that %s is told so', (_, users, differences) => {
  expect(differencesOf(EXPECTED, users, GROUPS)).toEqual(differences);
});
