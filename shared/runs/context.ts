/** What a run of a destination needs from the parameters. */
import { createHash } from 'node:crypto';
import { FatalError } from '../errors.ts';
import type { Identity } from '../ledger/ledger.ts';
import type { BrazeApp, Destination, Model, Parameters, RedshiftApp } from '../parameters/schema.ts';
import { canonicalText, type JsonValue } from '../values/json.ts';
import { type Column, columnType, isPadded } from '../warehouse/columns.ts';
import type { Run } from './model.ts';

export type DestinationContext = {
  readonly name: string;
  readonly destination: Destination;
  readonly model: Model;
  readonly warehouse: RedshiftApp;
  readonly brazeName: string;
  readonly braze: BrazeApp;
  /** What the destination's ledger is about, as long as it lives. */
  readonly identity: Identity;
  /** Names this part of the parameters: a run goes on only with the parameters it was started with. */
  readonly parametersHash: string;
};

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

/** Returns the destination with all that it refers to. @throws FatalError when the parameters have no such destination. */
export function contextOf(parameters: Parameters, name: string): DestinationContext {
  const destination = own(parameters.destinations, name);
  const model = destination && own(parameters.models, destination.model);
  const warehouse = model && own(parameters.apps, model.app);
  const braze = destination && own(parameters.apps, destination.app);
  if (!destination || !model || warehouse?.type !== 'redshift' || braze?.type !== 'braze') {
    const known = Object.keys(parameters.destinations).join(', ');
    throw new FatalError(`the parameters have no destination '${name}'`, `There are: ${known || 'none'}.`);
  }
  const part = JSON.parse(JSON.stringify({ destination, model, warehouse, braze })) as JsonValue;
  const parametersHash = createHash('sha256').update(canonicalText(part)).digest('hex').slice(0, 16);
  const identity = {
    primaryKey: model.primaryKey.toLowerCase(),
    workspace: workspaceOf(braze),
  };
  return { name, destination, model, warehouse, brazeName: destination.app, braze, identity, parametersHash };
}

/** Returns the other destinations that write to the same workspace: they may have the same users. */
export function neighboursOf(parameters: Parameters, name: string): string[] {
  const { workspace } = contextOf(parameters, name).identity;
  return Object.entries(parameters.destinations).flatMap(([other, { app }]) =>
    other !== name && workspaceOf(brazeApp(parameters, app)) === workspace ? [other] : [],
  );
}

/** A workspace by its name, or by its endpoint; URLs of hosts differ in case without being different. */
const workspaceOf = ({ workspace, endpoint }: BrazeApp): string =>
  workspace ?? (URL.canParse(endpoint) ? new URL(endpoint).href : endpoint);

/**
 * Returns why the destination can't go on with a ledger, or undefined.
 * A ledger of other keys or of another workspace would delete users, or count users as sent that were never there.
 */
export function identityProblem(
  { identity, name }: Pick<DestinationContext, 'identity' | 'name'>,
  known: Identity | undefined,
  rekey: boolean,
): { readonly found: string; readonly next: string } | undefined {
  if (known === undefined) return undefined;
  if (known.workspace !== identity.workspace) {
    return {
      found: `destination '${name}' has sent to ${known.workspace}, and its app is now ${identity.workspace}`,
      next: 'Another workspace needs a new destination. Restore the endpoint, or give the destination another name.',
    };
  }
  if (known.primaryKey !== identity.primaryKey && !rekey) {
    return {
      found: `the primary key of destination '${name}' was ${known.primaryKey}, and is now ${identity.primaryKey}`,
      next: 'Every user would be another one: those of before would leave, all would be added. If that is meant, run it once with --rekey.',
    };
  }
  return undefined;
}

/** Returns a Braze app. @throws FatalError when the parameters have no Braze app of that name. */
export function brazeApp(parameters: Parameters, name: string): BrazeApp {
  const app = own(parameters.apps, name);
  if (app?.type === 'braze') return app;
  throw new FatalError(`the parameters have no Braze app '${name}'`, 'Deploy the stack again.');
}

/**
 * Returns how a property is found among a model's columns: by its own spelling, else in any case, as Redshift folds names.
 * Columns of types that a profile cannot hold are left out; asking for one of them, or for none that exists, throws.
 * @throws FatalError for a property that is not there.
 */
export function columnFinder(columns: Run['columns']): (property: string) => Column {
  const byName = new Map<string, Column>();
  const byLowerCase = new Map<string, Column>();
  for (const [name, typeName] of columns) {
    const type = columnType(typeName);
    if (type === undefined) continue;
    const column = { name, type, ...(isPadded(typeName) ? { padded: true } : {}) };
    byName.set(name, column);
    byLowerCase.set(name.toLowerCase(), column);
  }
  return (property) => {
    const column = byName.get(property) ?? byLowerCase.get(property.toLowerCase());
    if (column) return column;
    const other = columns.find(([name]) => name.toLowerCase() === property.toLowerCase());
    throw new FatalError(
      other
        ? `the column '${property}' is of type ${other[1]}, which a profile cannot hold`
        : `the model has no column '${property}'`,
      other ? 'Cast it in the query.' : `It has: ${columns.map(([name]) => name).join(', ')}.`,
    );
  };
}
