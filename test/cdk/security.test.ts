/** docs/security.md tells of the permissions that the template has: all of them, and no other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { functionIds, OneOrMore, ROOT, resources, Text } from './template.ts';

const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const [, section = ''] = /## What each role may do\n([\s\S]*?)\n### /.exec(text) ?? [];
const rows = [...section.matchAll(/^\| ([a-z-]+(?: [a-z]+)?) \| [^|]+ \| ([^|]+) \|$/gm)].map(
  ([, role = '', may = '']) => ({
    role,
    actions: [...may.matchAll(/`([a-z-]+:\w+)`/g)].map(([, action = '']) => action),
  }),
);

const Policy = z.object({
  Roles: z.array(Text),
  PolicyDocument: z.object({ Statement: z.array(z.object({ Action: OneOrMore(z.string()) })) }),
});
const policies = resources('AWS::IAM::Policy', Policy).map(([, policy]) => policy);
const Lambda = z.object({ Role: Text });
const roleByFunction = new Map(
  resources('AWS::Lambda::Function', Lambda).map(([id, { Role }]) => [id, Role.replace('.Arn}', '}')]),
);
const actionsOf = (isRole: (role: string) => boolean): string[] =>
  policies
    .filter(({ Roles }) => Roles.some(isRole))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement.flatMap(({ Action }) => Action));

const functions = (prefix: string): string[] =>
  Object.entries(functionIds).flatMap(([name, id]) => (name.startsWith(prefix) ? (roleByFunction.get(id) ?? []) : []));
const told = (...roles: string[]): string[] =>
  [...new Set(rows.flatMap(({ role, actions }) => (roles.includes(role) ? actions : [])))].sort();

test.each(['start-run', 'extract-shard', 'write-batch'])('%s may do what the document says, and all of it', (name) => {
  const roles = functions(name);
  expect(roles.length).toBeGreaterThan(0);
  const granted = new Set(actionsOf((role) => roles.includes(role)));
  expect(told(name, 'each function')).toEqual([...granted].sort());
});

test('so may the schedules', () => {
  const granted = new Set(actionsOf((role) => role.startsWith('{SchedulerRole')));
  expect(told('schedules')).toEqual([...granted].sort());
});

test('the document knows every role', () => {
  expect([...new Set(rows.filter(({ actions }) => actions.length > 0).map(({ role }) => role))]).toEqual([
    'start-run',
    'extract-shard',
    'write-batch',
    'each function',
    'schedules',
  ]);
});
