/**
 * The well-formed parts of a parameter file that as a whole may be wrong, so that every mistake is found in one go.
 *
 * A part of the wrong kind reads as undefined: the schema has reported it, and nothing more is said of it. Parts read as
 * `unknown` are those for which it counts that they are there, or that may be written in several ways.
 */
import * as z from 'zod';

const Text = z.string().optional().catch(undefined);
const Anything = z.unknown().optional();
const Parts = z.record(z.string(), z.unknown()).optional().catch(undefined);
const mapOf = <T extends z.ZodType>(part: T) =>
  z.record(z.string(), part.optional().catch(undefined)).optional().catch(undefined);

const DraftApp = z.object({
  type: Text,
  endpoint: Text,
  allowEndpoint: Anything,
  apiKeySecret: Text,
  secret: Anything,
  workgroup: Anything,
  cluster: Anything,
  dbUser: Anything,
});
const DraftModel = z.object({
  app: Text,
  query: Anything,
  table: Anything,
  primaryKey: Text,
  where: Text,
  groups: Parts,
});
const DraftDestination = z.object({
  model: Text,
  app: Text,
  enabled: Anything,
  syncMode: Anything,
  schedule: Anything,
  mapping: Parts,
  customAttributes: Anything,
  subscriptionGroups: Parts,
  audience: Text,
  renamedFrom: Text,
});
const Draft = z.object({ apps: mapOf(DraftApp), models: mapOf(DraftModel), destinations: mapOf(DraftDestination) });

export type DraftApp = z.infer<typeof DraftApp>;
export type DraftModel = z.infer<typeof DraftModel>;
export type DraftDestination = z.infer<typeof DraftDestination>;
export type Draft = z.infer<typeof Draft>;

/** Returns what is well-formed in the content of a parameter file. */
export function draftOf(content: unknown): Draft {
  const draft = Draft.safeParse(content);
  return draft.success ? draft.data : { apps: undefined, models: undefined, destinations: undefined };
}

/** Returns the well-formed members of a map, with their names. */
export const members = <T>(map: Readonly<Record<string, T | undefined>> | undefined): [string, T][] =>
  Object.entries(map ?? {}).flatMap(([name, member]): [string, T][] => (member === undefined ? [] : [[name, member]]));
