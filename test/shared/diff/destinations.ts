/** Destinations and rows as a run sees them, without a warehouse. All properties are texts. */
import {
  type Row,
  readRow,
  type Shape,
  selectedGroups,
  selectedProperties,
  shapeOf,
} from '../../../shared/diff/row.ts';
import type { Dictionary } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { Destination } from '../../../shared/parameters/schema.ts';

type CustomAttribute = {
  readonly property: string;
  readonly resolution?: string | number;
  readonly minInterval?: string;
};

export type DestinationParts = {
  readonly syncMode?: Destination['syncMode'];
  /** Standard attribute: property. */
  readonly mapping?: Readonly<Record<string, string>>;
  /** Custom attribute: property, or more. */
  readonly customAttributes?: Readonly<Record<string, string | CustomAttribute>>;
  /** Group: subscription group id. */
  readonly subscriptionGroups?: Readonly<Record<string, string>>;
  readonly invalidValues?: Destination['invalidValues'];
};

export const destinationOf = ({ syncMode = 'sync', mapping = {}, ...more }: DestinationParts): Destination =>
  Destination.parse({ model: 'people', app: 'braze', syncMode, mapping: { external_id: 'id', ...mapping }, ...more });

/** Returns the shape of a destination whose columns are all texts. */
export const textShape = (destination: Destination, dictionary: Dictionary): Shape =>
  shapeOf(destination, (name) => ({ name, type: 'text' }), dictionary);

export type Person = {
  readonly values: Readonly<Record<string, string | null>>;
  readonly groups: Readonly<Record<string, boolean>>;
};

/** Returns a person's row as the warehouse would give it. */
export const rowOf = (destination: Destination, shape: Shape, key: string, { values, groups }: Person): Row =>
  readRow(
    shape,
    [
      recordHash(key),
      key,
      ...selectedProperties(destination).map((property) => values[property] ?? null),
      ...selectedGroups(destination).map((group) => groups[group] ?? false),
    ],
    undefined,
  );
