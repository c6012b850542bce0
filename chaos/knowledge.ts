/**
 * What can be known of Braze's users from our own requests and their answers: the measure of "only differences are
 * sent". A value is known once its request was accepted and the ledger was told so by an invocation that ended well; it
 * is uncertain from the moment when a request, or only its batch, may have been lost on the way.
 */
import type { Answer, BrazeRequest, Change, Value } from './braze.ts';
import type { Invocation, Outcome } from './lambda.ts';

type Known = {
  value: Value;
  uncertain: boolean;
  /** Start of the run that sent it, where its updates keep an interval. */
  sentAt?: number | undefined;
};
type User = {
  readonly values: Map<string, Known>;
  refused: { readonly text: string; readonly digest: unknown } | undefined;
};

/** How a user fared in one invocation. */
type Fate = {
  last: 'pending' | 'accepted' | 'refused' | 'not_applied' | 'refused_whole' | 'unknown';
  /** An attempt may have been applied without our knowing. */
  maybe: boolean;
  readonly by: SentBy;
  change: Change;
  /** What was known of the values that the change names, before. */
  readonly before: ReadonlyMap<string, Known | undefined>;
};

/** A run, as far as it decides what may be sent. */
export type SentBy = {
  readonly run: string;
  readonly startedAt: number;
  /** What a person has told it to send again. */
  readonly retry: boolean;
  readonly resync: unknown;
  /** Least time between two updates of what has this name, ms. */
  readonly interval: (name: string) => number | undefined;
};

export type Knowledge = {
  readonly sent: (request: BrazeRequest, by: SentBy) => void;
  readonly answered: (request: BrazeRequest, answer: Answer) => void;
  /** The ledger was told of a user by an invocation; `refusal` names the refused state that it remembers. */
  readonly committed: (invocation: Invocation, user: string, refusal: unknown, isGone: boolean) => void;
  /** A batch was settled with every answer known: however the invocation ends, nothing of it is in doubt. */
  readonly settled: (invocation: Invocation) => void;
  readonly ended: (invocation: Invocation, outcome: Outcome) => void;
  /** The value that Braze was last told for certain; undefined when it never was or that is not certain. */
  readonly told: (user: string, name: string) => { readonly value: Value } | 'uncertain' | undefined;
  /** Whether Braze may have a user in any group, by what it was told. */
  readonly mayBeInGroup: (user: string) => boolean;
  /** What was accepted in an invocation costs, by the number of attributes; some are free. */
  readonly dataPoints: (invocation: Invocation, isFree: (name: string) => boolean) => number;
  /** How many users of a destination Braze may hold something of, by name of attribute or group. */
  readonly holders: (belongs: (user: string) => boolean) => Map<string, number>;
};

type BatchBody = { readonly kind: string; readonly records: readonly RecordBody[] };
type RecordBody = {
  readonly k: string;
  readonly a?: readonly (readonly [string, Value])[];
  readonly s?: readonly (string | readonly [string, string])[];
  readonly f?: string;
};

/** Returns knowledge of nobody. */
export function knowledge(violation: (invariant: string, text: string) => void): Knowledge {
  const users = new Map<string, User>();
  const fates = new Map<Invocation, Map<string, Fate>>();
  const commits = new Map<Invocation, Set<string>>();
  const settled = new Set<Invocation>();
  const refusals = new Map<string, unknown>();
  /** Users whose deletion was accepted and committed, by the run that did so. */
  const deleted = new Map<string, string>();

  const userOf = (name: string): User => {
    let user = users.get(name);
    if (!user) {
      user = { values: new Map(), refused: undefined };
      users.set(name, user);
    }
    return user;
  };

  const checkChange = (change: Change, { retry, resync, startedAt, interval }: SentBy): void => {
    const user = users.get(change.user);
    if (change.deletes) return;
    let allKnown = true;
    for (const [name, value] of change.values) {
      const known = user?.values.get(name);
      if (known?.uncertain) {
        allKnown = false;
        continue;
      }
      const sinceMs = startedAt - (known?.sentAt ?? Number.NEGATIVE_INFINITY);
      if (sinceMs < (interval(name) ?? 0) - SECOND_MS)
        violation('intervals are kept', `${change.user}: ${name} is sent again after ${sinceMs} ms`);
      const isResent = name.startsWith('a:') ? resync : resync === 'groups';
      if (isResent && value !== (name.startsWith('a:') ? null : 'unsubscribed')) continue;
      if (same(known?.value ?? null, value ?? null))
        violation('only differences are sent', `${change.user}: ${name} is sent again as ${JSON.stringify(value)}`);
    }
    const isRemembered = user?.refused && user.refused.digest === refusals.get(change.user);
    if (allKnown && !retry && isRemembered && user?.refused?.text === change.text)
      violation('a refused state is not sent again', `${change.user}: ${change.text}`);
  };

  /** All that a batch may have told of its users, or may be thought to have told. */
  const doubt = (invocation: Invocation): void => {
    const body: BatchBody = JSON.parse(invocation.body ?? '{}');
    if (body.kind !== 'upsert' && body.kind !== 'remove') return;
    for (const { k, a = [], s = [], f } of body.records ?? []) {
      const user = userOf(k);
      user.refused = undefined;
      const names = [
        ...a.map(([name]) => `a:${name}`),
        ...s.map((group) => `g:${typeof group === 'string' ? group : group[0]}`),
      ];
      if (body.kind === 'remove' && f === undefined) names.push(...user.values.keys());
      for (const name of names) {
        const known = user.values.get(name);
        if (known) known.uncertain = true;
        else user.values.set(name, { value: null, uncertain: true });
      }
    }
  };

  const revert = ({ change, before }: Fate): void => {
    const user = userOf(change.user);
    for (const [name, known] of before) {
      if (known) user.values.set(name, { ...known });
      else user.values.delete(name);
    }
  };

  const accept = ({ change, by }: Fate): void => {
    const user = userOf(change.user);
    user.refused = undefined;
    if (change.deletes) {
      users.delete(change.user);
      return;
    }
    for (const [name, value] of change.values) user.values.set(name, { value, uncertain: false, sentAt: by.startedAt });
    for (const [name, known] of user.values) if (by.interval(name) === undefined) known.sentAt = undefined;
  };

  const endedWell = (invocation: Invocation): void => {
    const committed = commits.get(invocation);
    let lost = false;
    const mine = [...(fates.get(invocation) ?? [])];
    // A refusal after an attempt that may have been applied leaves the user in doubt.
    for (const [user, fate] of mine) {
      const isCommitted = committed?.has(user) === true;
      if (fate.last === 'accepted' && isCommitted) accept(fate);
      else if (fate.last === 'refused') {
        if (!fate.maybe) revert(fate);
        if (isCommitted) userOf(user).refused = { text: fate.change.text, digest: refusals.get(user) };
      } else if (fate.last === 'refused_whole' && fate.maybe && isCommitted) continue;
      else if (fate.last === 'accepted' || fate.last === 'unknown' || fate.last === 'pending' || fate.maybe)
        lost = true;
      else revert(fate);
    }
    if (lost) doubt(invocation);
  };

  return {
    sent: (request, by) => {
      const { invocation } = request;
      for (const { user, deletes } of request.changes) {
        if (!deletes) deleted.delete(user);
        else if ((deleted.get(user) ?? by.run) !== by.run)
          violation('only differences are sent', `${user} is deleted again`);
      }
      const mine = fates.get(invocation) ?? new Map<string, Fate>();
      fates.set(invocation, mine);
      for (const change of request.changes) {
        const earlier = mine.get(change.user);
        if (earlier) {
          if (earlier.last === 'accepted' || earlier.last === 'refused')
            violation('only differences are sent', `${change.user} is sent again after an answer: ${change.text}`);
          earlier.last = 'pending';
          continue;
        }
        checkChange(change, by);
        const user = userOf(change.user);
        const names = change.deletes ? [...user.values.keys()] : [...change.values.keys()];
        const before = new Map(names.map((name) => [name, copyOf(user.values.get(name))]));
        mine.set(change.user, { last: 'pending', maybe: false, by, change, before });
        for (const name of names) user.values.set(name, { value: null, ...user.values.get(name), uncertain: true });
      }
    },
    answered: (request, answer) => {
      for (const { user } of request.changes) {
        const fate = fates.get(request.invocation)?.get(user);
        if (!fate) continue;
        if (answer.kind === 'received') {
          const isTold = !answer.unknown?.has(user);
          fate.last = answer.refused.has(user) ? 'refused' : isTold ? 'accepted' : 'unknown';
        } else fate.last = answer.kind;
        if (fate.last === 'unknown') fate.maybe = true;
      }
    },
    committed: (invocation, user, refusal, isGone) => {
      refusals.set(user, refusal);
      const fate = fates.get(invocation)?.get(user);
      if (isGone && fate?.change.deletes && fate.last === 'accepted') deleted.set(user, fate.by.run);
      const mine = commits.get(invocation);
      if (mine) mine.add(user);
      else commits.set(invocation, new Set([user]));
    },
    settled: (invocation) => {
      settled.add(invocation);
    },
    ended: (invocation, outcome) => {
      // Its intent may say that Braze has them, whether or not a request has left.
      const body: Partial<BatchBody> = JSON.parse(invocation.body ?? '{}');
      if (body.kind === 'upsert') for (const { k } of body.records ?? []) deleted.delete(k);
      if (!isWell(outcome) && !settled.has(invocation)) doubt(invocation);
      else if (fates.has(invocation)) endedWell(invocation);
      fates.delete(invocation);
      commits.delete(invocation);
      settled.delete(invocation);
    },
    told: (user, name) => {
      const known = users.get(user)?.values.get(name);
      if (!known) return undefined;
      return known.uncertain ? 'uncertain' : { value: known.value };
    },
    dataPoints: (invocation, isFree) => {
      let points = 0;
      for (const { last, change } of fates.get(invocation)?.values() ?? [])
        if (last === 'accepted') for (const name of change.values.keys()) if (!isFree(name)) points++;
      return points;
    },
    mayBeInGroup: (user) =>
      [...(users.get(user)?.values ?? [])].some(
        ([name, { value, uncertain }]) => name.startsWith('g:') && (uncertain || value === 'subscribed'),
      ),
    holders: (belongs) => {
      const counts = new Map<string, number>();
      for (const [name, user] of users) {
        if (!belongs(name)) continue;
        for (const [field, { value, uncertain }] of user.values)
          if (uncertain || (value !== null && value !== 'unsubscribed'))
            counts.set(field, (counts.get(field) ?? 0) + 1);
      }
      return counts;
    },
  };
}

const SECOND_MS = 1000;

const copyOf = (known: Known | undefined): Known | undefined => known && { ...known };

const same = (a: Value, b: Value): boolean => JSON.stringify(a) === JSON.stringify(b);

/** True when an invocation returned and named no message as failed. */
export function isWell(outcome: Outcome): boolean {
  if (outcome.kind !== 'returned') return false;
  const { value } = outcome;
  if (value === null || typeof value !== 'object' || !('batchItemFailures' in value)) return true;
  return Array.isArray(value.batchItemFailures) && value.batchItemFailures.length === 0;
}
