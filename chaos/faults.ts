/**
 * Which faults a seed injects, and where. Every chance for a fault has a number; what becomes of it is decided by the seed
 * and that number alone, so that a single fault can be left out and the rest stays.
 */
import { hashOf, randomOf } from './random.ts';
import { FAULT_MIX, FAULTS } from './streams.ts';

/** Places where faults happen, with the kinds that can and how likely each is, in a thousand calls. */
const SITES = {
  read: { 'dynamodb throttles': 1, 'invocation dies before a call': 0.6, 'a call is slow': 0.4 },
  write: {
    'dynamodb throttles': 6,
    'dynamodb loses an answer': 8,
    'dynamodb write is repeated': 8,
    'invocation dies before a call': 8,
    'invocation dies after a call': 10,
    'a call is slow': 4,
  },
  /** A batch is settled. */
  settle: {
    'dynamodb throttles': 8,
    'dynamodb loses an answer': 15,
    'dynamodb write is repeated': 20,
    'invocation dies before a call': 12,
    'invocation dies after a call': 20,
    'a call is slow': 4,
  },
  /** A shard's cursor moves. */
  move: {
    'dynamodb throttles': 6,
    'dynamodb loses an answer': 15,
    'dynamodb write is repeated': 12,
    'invocation dies before a call': 10,
    'invocation dies after a call': 20,
    'a call is slow': 4,
  },
  batchRead: { 'dynamodb throttles': 4, 'dynamodb does a part': 30, 'invocation dies before a call': 4 },
  batchWrite: {
    'dynamodb throttles': 10,
    'dynamodb loses an answer': 15,
    'dynamodb does a part': 60,
    'invocation dies before a call': 15,
    'invocation dies after a call': 20,
  },
  send: {
    'sqs fails': 10,
    'sqs loses an answer': 15,
    'sqs takes a part': 40,
    'invocation dies before a call': 15,
    'invocation dies after a call': 25,
    'a call is slow': 6,
  },
  message: { 'message vanishes': 8, 'message is late': 25, 'message is very late': 6, 'message is doubled': 30 },
  receive: { 'visibility runs out': 30, 'message comes after its deletion': 30 },
  /** What becomes of a message whose function has died. */
  death: { 'message is lost with its function': 60 },
  visibility: { 'sqs fails': 20, 'sqs loses an answer': 20, 'invocation dies before a call': 15 },
  submit: {
    'redshift throttles': 20,
    'redshift answers 500': 15,
    'redshift loses an answer': 20,
    'invocation dies before a call': 20,
    'invocation dies after a call': 30,
    'statement fails': 12,
    'statement is cancelled': 8,
    'statement takes long': 40,
  },
  ask: { 'redshift throttles': 15, 'redshift answers 500': 8, 'invocation dies before a call': 8 },
  result: {
    'redshift throttles': 10,
    'redshift answers 500': 8,
    'result has expired': 5,
    'invocation dies before a call': 10,
    'a call is slow': 4,
  },
  secret: { 'secrets manager throttles': 20, 'invocation dies before a call': 5 },
  change: {
    'braze answers 429': 100,
    'braze answers 5xx, not applied': 60,
    'braze answers 5xx, applied': 60,
    'connection refused': 30,
    'connection lost, not applied': 30,
    'connection lost, applied': 40,
    'no answer in time, not applied': 16,
    'no answer in time, applied': 20,
    'body is cut': 40,
    'body is no json': 24,
    'message is unknown': 24,
    'message is queued': 24,
    'body breaks off': 20,
    'error without an index': 30,
    'errors are texts': 30,
    'braze answers 408': 16,
    'no request is left': 40,
    'braze is slow': 40,
    'braze answers 403': 6,
    'invocation dies before a call': 40,
    'invocation dies after a call': 80,
  },
  lookup: {
    'braze answers 429': 80,
    'braze answers 5xx, not applied': 60,
    'connection lost, not applied': 40,
    'body is cut': 30,
    'no answer in time, not applied': 12,
    'invocation dies before a call': 20,
    'invocation dies after a call': 20,
  },
  /** Refusals of a whole request that say nothing about its objects. */
  whole: { 'request too large (413)': 20, 'bad request without an index': 30, 'input too long': 16 },
  start: { 'start is delivered twice': 80 },
} as const satisfies Record<string, Readonly<Record<string, number>>>;

export type Site = keyof typeof SITES;
export type FaultKind = { [S in Site]: keyof (typeof SITES)[S] }[Site];
export type Fault = { readonly index: number; readonly kind: FaultKind; readonly site: Site };

export type Faults = {
  /** Returns the fault that happens here, if one does. */
  readonly draw: (site: Site) => FaultKind | undefined;
  /** Lets nothing go wrong any more. */
  readonly stop: () => void;
  readonly injected: () => readonly Fault[];
};

export type FaultOptions = {
  readonly seed: number;
  /** Only these chances, by number, may become faults. */
  readonly only?: ReadonlySet<number> | undefined;
  /** Kinds that this campaign does without. */
  readonly without?: readonly string[] | undefined;
};

type Together = readonly (readonly [Site, FaultKind, number])[];

/** The batches are on their queue, and nobody will ever move the cursor behind them: they come again and again. */
const LOST_CURSOR: Together = [
  ['send', 'invocation dies after a call', 0.3],
  ['death', 'message is lost with its function', 0.9],
];

/** What goes wrong together, and how often at each place: several faults have to meet for some things to happen. */
const TOGETHER: readonly Together[] = [
  [
    ['change', 'invocation dies after a call', 0.5],
    ['death', 'message is lost with its function', 0.7],
  ],
  [
    ['batchWrite', 'invocation dies before a call', 0.4],
    ['death', 'message is lost with its function', 0.7],
  ],
  [
    ['batchWrite', 'invocation dies after a call', 0.4],
    ['death', 'message is lost with its function', 0.7],
  ],
  [
    ['write', 'invocation dies after a call', 0.06],
    ['death', 'message is lost with its function', 0.3],
  ],
  [['change', 'braze answers 5xx, applied', 0.95]],
  [['change', 'connection lost, applied', 0.95]],
  [['change', 'body is cut', 0.9]],
  [['change', 'braze answers 5xx, not applied', 0.95]],
  [
    ['change', 'braze answers 5xx, applied', 0.4],
    ['change', 'braze answers 429', 0.4],
  ],
  [
    ['change', 'connection lost, applied', 0.3],
    ['change', 'errors are texts', 0.3],
  ],
  [
    ['write', 'dynamodb loses an answer', 0.1],
    ['write', 'dynamodb write is repeated', 0.1],
    ['move', 'dynamodb write is repeated', 0.1],
    ['batchWrite', 'dynamodb does a part', 0.5],
    ['batchRead', 'dynamodb does a part', 0.2],
  ],
  [
    ['receive', 'visibility runs out', 0.5],
    ['change', 'braze is slow', 0.5],
    ['message', 'message is doubled', 0.2],
  ],
  [
    ['change', 'braze is slow', 0.9],
    ['message', 'message is doubled', 0.4],
  ],
  [
    ['send', 'invocation dies after a call', 0.25],
    ['send', 'sqs takes a part', 0.2],
  ],
  [
    ['message', 'message is late', 0.3],
    ['message', 'message is very late', 0.1],
  ],
  LOST_CURSOR,
  [
    ['settle', 'dynamodb loses an answer', 0.2],
    ['settle', 'dynamodb write is repeated', 0.3],
    ['settle', 'invocation dies after a call', 0.2],
  ],
  [
    ['move', 'invocation dies before a call', 0.1],
    ['move', 'invocation dies after a call', 0.3],
    ['move', 'dynamodb loses an answer', 0.1],
  ],
  [
    ['read', 'dynamodb throttles', 0.05],
    ['write', 'dynamodb throttles', 0.3],
  ],
  [
    ['result', 'a call is slow', 0.4],
    ['move', 'invocation dies before a call', 0.1],
    ['move', 'invocation dies after a call', 0.1],
  ],
];

/** Returns the faults of a seed: some kinds often, some never, and no more than a certain number in all. */
export function faultsOf({ seed, only, without = [] }: FaultOptions): Faults {
  const random = randomOf(seed, FAULT_MIX);
  const together = random.chance(0.5) ? random.pick(TOGETHER) : undefined;
  const most = together === LOST_CURSOR ? 2 : together ? random.int(4, 45) : random.pick([0, 1, 2, 4, 8, 16, 30]);
  // What goes wrong together often meets users that Braze has already.
  const first = together && random.chance(0.6) ? random.int(0, 1_500) : 0;
  const strength = random.pick([0.3, 1, 1, 3]);
  // Some seeds do a few things wrong all the time, so that several faults meet at one record.
  const allKinds = [...new Set(Object.values(SITES).flatMap((kinds) => Object.keys(kinds)))];
  const focus =
    !together && random.chance(0.4) ? new Set(random.shuffled(allKinds).slice(0, random.int(1, 4))) : undefined;
  const rates = new Map<Site, { kind: FaultKind; upTo: number }[]>();
  for (const [site, kinds] of Object.entries(SITES)) {
    let upTo = 0;
    const list = Object.entries(kinds).flatMap(([kind, perThousand]) => {
      const isTogether = together?.find(([at, each]) => at === site && each === kind);
      const factor = random.pick([0, 0, 1, 1, 1, 4]);
      if (without.includes(kind) || (focus && !focus.has(kind))) return [];
      if (together && !isTogether) return [];
      upTo += isTogether
        ? isTogether[2]
        : focus
          ? Math.min(0.3, perThousand / 150)
          : Math.min(0.4, (perThousand / 1000) * factor * strength);
      return [{ kind: kind as FaultKind, upTo: Math.min(0.95, upTo) }];
    });
    rates.set(site as Site, list);
  }
  const injected: Fault[] = [];
  let index = 0;
  let stopped = most === 0;
  return {
    draw: (site) => {
      const chance = index++;
      if (stopped || chance < first || (only !== undefined && !only.has(chance)) || injected.length >= most)
        return undefined;
      const drawn = hashOf(seed, FAULTS, chance) / 0x1_0000_0000;
      const found = rates.get(site)?.find(({ upTo }) => drawn < upTo);
      if (!found) return undefined;
      injected.push({ index: chance, kind: found.kind, site });
      return found.kind;
    },
    stop: () => {
      stopped = true;
    },
    injected: () => injected,
  };
}
