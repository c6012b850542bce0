/** What the commands are given, checked before anything starts. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { ParametersError, readParameters } from '../shared/parameters/read.ts';
import type { Parameters } from '../shared/parameters/schema.ts';

export const ExitCode = { ok: 0, notAllWell: 1, mistake: 2 } as const;

export type CommandOptions = {
  readonly parameters: string;
  readonly destination?: string;
  readonly local: string;
  readonly warehouseSql: readonly string[];
  readonly brazeEndpoint?: string;
  readonly secrets?: string;
  readonly approve: readonly string[];
  readonly approveDeletions?: boolean;
  readonly by?: string;
  readonly retryRejections?: boolean;
  readonly resync?: boolean;
  readonly withGroups?: boolean;
  readonly rekey?: boolean;
  readonly showValues?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
};

/** A mistake of the user: told as it is, with exit code 2. */
export class Mistake extends Error {}

export type Input = {
  readonly parameters: Parameters;
  readonly destinations: readonly string[];
  readonly secrets: Readonly<Record<string, string>>;
  /** SQL scripts with the names of their files. */
  readonly scripts: readonly { readonly file: string; readonly sql: string }[];
};

/** Returns everything that a command reads from files. @throws Mistake for what is wrong with it, all of a parameter file at once. */
export function readInput(options: CommandOptions): Input {
  const parameters = checkedParameters(options.parameters);
  return {
    parameters: withChosen(parameters, options.destination),
    destinations: chosenDestinations(parameters, options.destination),
    secrets: options.secrets === undefined ? {} : secretsIn(options.secrets, parameters),
    scripts: options.warehouseSql.map((file) => ({ file, sql: textOf(file, '--warehouse-sql') })),
  };
}

function checkedParameters(file: string): Parameters {
  try {
    return readParameters(file);
  } catch (error) {
    if (error instanceof ParametersError) throw new Mistake(error.message);
    throw error;
  }
}

/** A destination that is named is run, whether enabled or not. */
function withChosen(parameters: Parameters, name: string | undefined): Parameters {
  const destination = name === undefined ? undefined : parameters.destinations[name];
  if (name === undefined || destination === undefined) return parameters;
  return { ...parameters, destinations: { ...parameters.destinations, [name]: { ...destination, enabled: true } } };
}

function chosenDestinations(parameters: Parameters, name: string | undefined): string[] {
  const names = Object.keys(parameters.destinations);
  if (name === undefined) return names.filter((each) => parameters.destinations[each]?.enabled);
  if (Object.hasOwn(parameters.destinations, name)) return [name];
  throw new Mistake(`--destination: there is no destination '${name}'. There are: ${names.join(', ') || 'none'}.`);
}

const Secrets = z.record(z.string(), z.union([z.string().min(1), z.record(z.string(), z.unknown())]));

/** Values that are objects become the JSON text that Secrets Manager would hold. */
function secretsIn(file: string, parameters: Parameters): Record<string, string> {
  let parsed: z.infer<typeof Secrets>;
  try {
    parsed = Secrets.parse(JSON.parse(textOf(file, '--secrets')));
  } catch (error) {
    if (error instanceof Mistake) throw error;
    throw new Mistake(`--secrets: ${file} is no JSON object from secret name to value.`);
  }
  const values = Object.entries(parsed).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const needed = Object.values(parameters.apps).flatMap((app) => (app.type === 'braze' ? [app.apiKeySecret] : []));
  const missing = needed.filter((name) => !Object.hasOwn(parsed, name));
  if (missing.length > 0) throw new Mistake(`--secrets: ${file} has no value for ${missing.join(', ')}.`);
  return Object.fromEntries(values);
}

function textOf(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Mistake(`${option}: ${file} can't be read (${error instanceof Error ? error.message : String(error)}).`);
  }
}
