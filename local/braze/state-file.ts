/**
 * The workspace on disk: one JSON file, replaced atomically, so that a crash leaves the old state or the new one.
 *
 * It holds the profiles and the data points; the log, findings and faults are those of one process.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Json } from './json.ts';
import type { BrazeUser } from './profiles.ts';

const VERSION = 1;

// Members are kept as pairs: a record's schema would lose an attribute of the name `__proto__`.
const Members = z.array(z.tuple([z.string(), z.custom<Json>((value) => value !== undefined)]));

const State = z.object({
  version: z.literal(VERSION),
  dataPoints: z.int().min(0),
  users: z.array(
    z.object({
      brazeId: z.string(),
      externalId: z.string().optional(),
      aliases: z.array(z.object({ alias_name: z.string(), alias_label: z.string() })),
      attributes: Members,
      customAttributes: Members,
      subscriptionGroups: z.record(z.string(), z.enum(['subscribed', 'unsubscribed'])),
      createdAt: z.iso.datetime(),
      updatedAt: z.iso.datetime(),
    }),
  ),
});

export type State = { dataPoints: number; users: BrazeUser[] };

/**
 * Returns the state of the file, or undefined when there is no file.
 * @throws Error when the file is no state that this version wrote.
 */
export function loadState(path: string): State | undefined {
  if (!existsSync(path)) return undefined;
  const { dataPoints, users } = State.parse(JSON.parse(readFileSync(path, 'utf8')));
  return {
    dataPoints,
    users: users.map(({ externalId, ...user }) => ({
      ...user,
      ...(externalId === undefined ? {} : { externalId }),
      attributes: Object.fromEntries(user.attributes),
      customAttributes: Object.fromEntries(user.customAttributes),
    })),
  };
}

/** Writes the state; whoever reads the path meanwhile finds the whole old one. */
export async function saveState(path: string, state: State): Promise<void> {
  const users = state.users.map((user) => ({
    ...user,
    attributes: Object.entries(user.attributes),
    customAttributes: Object.entries(user.customAttributes),
  }));
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, JSON.stringify({ version: VERSION, dataPoints: state.dataPoints, users }));
  await rename(draft, path);
}
