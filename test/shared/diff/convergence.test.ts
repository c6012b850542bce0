/**
 * Whole histories of a destination, against a Braze that is a map: rows come, change and go, the mapping and the sync mode
 * change, answers are lost, requests are refused or never sent, guards hold back what ends, fields are too young to be
 * sent again, everything is sent again. Whatever has happened, one undisturbed run later Braze is what rows and
 * parameters say, and the run after it has nothing to send and nothing to note.
 */
import fc from 'fast-check';
import { NEVER_NULL } from '../../../shared/braze/attributes.ts';
import {
  type DecideContext,
  type Decision,
  decide,
  type Note,
  nextRefusal,
  type Removal,
  type Upsert,
} from '../../../shared/diff/decide.ts';
import { mergeJoin } from '../../../shared/diff/merge-join.ts';
import { dictionaryNames, type Row } from '../../../shared/diff/row.ts';
import { type Entry, type PossibleWrite, withPossibleWrite } from '../../../shared/ledger/entry.ts';
import { decodeFingerprint, digestOf, UNKNOWN_PRINT } from '../../../shared/ledger/fingerprint.ts';
import { type Dictionary, dictionaryWith, fieldName } from '../../../shared/ledger/ledger.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';
import { DAY_MS } from '../../../shared/time.ts';
import type { JsonValue } from '../../../shared/values/json.ts';
import { START_MS } from '../fake-clock.ts';
import { type DestinationParts, destinationOf, type Person, rowOf, textShape } from './destinations.ts';

type Profile = { readonly attributes: Map<string, JsonValue>; readonly groups: Map<string, string> };
/** What becomes of what a run finds out about a record. */
type Fate = 'accepted' | 'refused' | 'never_sent' | 'lost' | 'lost_but_applied';

type World = {
  readonly braze: Map<string, Profile>;
  readonly ledger: Map<string, Entry>;
  readonly intents: PossibleWrite[];
  dictionary: Dictionary | undefined;
  nowMs: number;
  /** What Braze was told and said yes to, by key. */
  readonly told: Map<string, Map<string, JsonValue>>;
  /** Keys of which an answer was lost: what Braze was told is not known of them. */
  readonly uncertain: Set<string>;
};

type Step = {
  readonly parts: DestinationParts;
  /** Rows by key; several for a duplicate. */
  readonly rows: Readonly<Record<string, readonly Person[]>>;
  readonly fates: Readonly<Record<string, Fate>>;
  /** Users that somebody else makes in Braze before the run. */
  readonly made: readonly string[];
  readonly retryRejections: boolean;
  readonly resync: DecideContext['resync'];
  /** What may not end, by its name in the dictionary, and `removal`; of which keys. */
  readonly held: { readonly names: readonly string[]; readonly keys: readonly string[] };
};

const KEYS = ['ann', 'bob', 'cy', 'déjà'];
const GROUP_IDS = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
const INVALID = 'x'.repeat(256);
const INTERVAL_MS = DAY_MS;
const HOLDABLE = ['removal', 'a:a', 'a:b', 'a:c', 'a:first_name', ...GROUP_IDS.map((id) => `g:${id}`)];
const NOTHING_HELD: Step['held'] = { names: [], keys: [] };

const newWorld = (): World => ({
  braze: new Map(),
  ledger: new Map(),
  intents: [],
  dictionary: undefined,
  nowMs: START_MS,
  told: new Map(),
  uncertain: new Set(),
});

const newProfile = (): Profile => ({ attributes: new Map(), groups: new Map() });

/** Splits into pages of one, two, none, three, … */
async function* paged<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0, size = 1; at < items.length; at += size, size = (size + 1) % 4) yield items.slice(at, at + size);
}

/** Finds what there is to do, as a shard's reading does. */
async function decisions(world: World, step: Step): Promise<{ decision: Decision; key: string }[]> {
  for (const write of world.intents.splice(0)) {
    const entry = withPossibleWrite(world.ledger.get(write.hash), write);
    if (entry) world.ledger.set(write.hash, entry);
  }
  const destination = destinationOf(step.parts);
  const dictionary = dictionaryWith(world.dictionary, dictionaryNames(destination));
  world.dictionary = dictionary;
  const shape = textShape(destination, dictionary);
  const rows = Object.entries(step.rows)
    .flatMap(([key, people]) => people.map((person) => rowOf(destination, shape, key, person)))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const entries = [...world.ledger.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const context: DecideContext = {
    shape,
    syncMode: destination.syncMode,
    dictionary,
    nowMs: world.nowMs,
    askAgainBeforeMs: world.nowMs - DAY_MS,
    retryRejections: step.retryRejections,
    resync: step.resync,
    holds: holdsOf(step, dictionary),
  };
  const found: { decision: Decision; key: string }[] = [];
  for await (const matches of mergeJoin<Row, Entry>(paged(rows), paged(entries))) {
    for (const match of matches) {
      const key = match.kind === 'entry' ? match.entry.primaryKey : match.row.primaryKey;
      found.push({ decision: decide(match, context), key });
    }
  }
  return found;
}

function holdsOf({ held }: Step, { nameById }: Dictionary): DecideContext['holds'] {
  const hashes = new Set(held.keys.map(recordHash));
  return {
    field: (id, hash) => hashes.has(hash) && held.names.includes(nameById.get(id) ?? ''),
    removal: (hash) => hashes.has(hash) && held.names.includes('removal'),
  };
}

/** One run: every decision meets its fate. Returns what would have been sent or noted. */
async function run(world: World, step: Step): Promise<(Upsert | Removal | Note)[]> {
  for (const key of step.made) if (!world.braze.has(key)) world.braze.set(key, newProfile());
  const sent: (Upsert | Removal | Note)[] = [];
  for (const { decision, key } of await decisions(world, step)) {
    const fate = step.fates[key] ?? 'accepted';
    if (decision.kind === 'added' || decision.kind === 'changed') {
      if (upsert(world, step, decision.upsert, fate)) sent.push(decision.upsert);
    } else if (decision.kind === 'removed') {
      sent.push(decision.removal);
      remove(world, step, decision.removal, fate);
    } else if (decision.kind === 'forgotten' && fate === 'accepted') world.ledger.delete(decision.hash);
    const note = decision.kind === 'unchanged' || decision.kind === 'rejected' ? decision.note : undefined;
    if (note) sent.push(note);
    if (note && fate !== 'never_sent') take(world, note);
  }
  world.nowMs += DAY_MS / 4;
  return sent;
}

function take({ ledger }: World, note: Note): void {
  const { hash } = note;
  const entry = ledger.get(hash);
  if (note.kind === 'refuse') ledger.set(hash, { ...entry, hash, primaryKey: note.primaryKey, refused: note.refusal });
  else if (entry) {
    const { refused: _, ...kept } = entry;
    ledger.set(hash, kept);
  }
}

/** Returns whether a user was to be set; an absent one is only remembered as absent. */
function upsert(world: World, step: Step, upsert: Upsert, fate: Fate): boolean {
  const { hash, primaryKey, fingerprint } = upsert;
  if (fate === 'never_sent') return true;
  if (upsert.lookup && !world.braze.has(primaryKey)) {
    world.ledger.set(hash, { hash, primaryKey, absentAt: world.nowMs });
    return false;
  }
  if (fate === 'refused') {
    const because = { digest: digestOf(fingerprint), reason: 'because', field: '' };
    const refused = nextRefusal(upsert.refusedBefore, because, world.nowMs);
    world.ledger.set(hash, { ...world.ledger.get(hash), hash, primaryKey, refused });
    return true;
  }
  checkMinimal(world, step, upsert);
  checkInterval(world, step, upsert);
  if (fate !== 'lost') setUser(world, step.parts.syncMode === 'enrich', upsert);
  if (fate === 'accepted') {
    world.ledger.set(hash, { hash, primaryKey, fingerprint, sentAt: upsert.sentAt });
    world.told.set(primaryKey, new Map([...(world.told.get(primaryKey) ?? []), ...statements(upsert)]));
  } else lose(world, { hash, primaryKey, fields: upsert.fields, deletes: false });
  return true;
}

const statements = ({ attributes, subscriptions }: Upsert): [string, JsonValue][] => [...attributes, ...subscriptions];

function lose(world: World, write: PossibleWrite): void {
  world.intents.push(write);
  world.uncertain.add(write.primaryKey);
}

/** As long as no answer of a record was lost, nothing is sent that Braze has been told before, nor null for what it was never told. */
function checkMinimal(world: World, { resync }: Step, upsert: Upsert): void {
  if (world.uncertain.has(upsert.primaryKey)) return;
  const told = world.told.get(upsert.primaryKey) ?? new Map<string, JsonValue>();
  for (const [name, value] of upsert.attributes) {
    if (resync !== false && value !== null) continue;
    expect({ name, value }).not.toEqual({ name, value: told.get(name) ?? null });
  }
  for (const [id, state] of upsert.subscriptions) {
    if (resync === 'groups' && state === 'subscribed') continue;
    expect({ id, state }).not.toEqual({ id, state: told.get(id) ?? 'unsubscribed' });
  }
}

/** What Braze surely has is not sent again before its time, not even when everything is. */
function checkInterval({ ledger, dictionary, nowMs }: World, { parts }: Step, { hash, attributes }: Upsert): void {
  const entry = ledger.get(hash);
  const prints = new Map(entry?.fingerprint ? decodeFingerprint(entry.fingerprint).map((p) => [p.id, p.print]) : []);
  for (const [attribute, source] of Object.entries(parts.customAttributes ?? {})) {
    const id = dictionary?.idByName.get(fieldName(attribute)) ?? 0;
    const at = entry?.sentAt?.get(id);
    const print = prints.get(id);
    if (typeof source === 'string' || at === undefined || print === undefined || print === UNKNOWN_PRINT) continue;
    if (at + INTERVAL_MS > nowMs) expect([...attributes.keys()]).not.toContain(attribute);
  }
}

function setUser(world: World, existingOnly: boolean, { primaryKey, attributes, subscriptions }: Upsert): void {
  const known = world.braze.get(primaryKey);
  if (!known && existingOnly) return;
  const profile = known ?? newProfile();
  world.braze.set(primaryKey, profile);
  for (const [name, value] of attributes) {
    if (value === null) {
      expect(NEVER_NULL.has(name)).toBe(false);
      profile.attributes.delete(name);
    } else profile.attributes.set(name, value);
  }
  for (const [id, state] of subscriptions) profile.groups.set(id, state);
}

function remove(world: World, { parts }: Step, removal: Removal, fate: Fate): void {
  const { hash, primaryKey, fingerprint, leaves, fields } = removal;
  const deletes = parts.syncMode === 'sync';
  expect(fingerprint === undefined).toBe(deletes);
  if (fate === 'never_sent' || fate === 'refused') return;
  if (fate !== 'lost') {
    if (deletes) world.braze.delete(primaryKey);
    const profile = world.braze.get(primaryKey);
    for (const id of leaves) profile?.groups.set(id, 'unsubscribed');
  }
  if (fate !== 'accepted') lose(world, { hash, primaryKey, fields, deletes });
  else if (deletes) {
    world.ledger.delete(hash);
    world.told.delete(primaryKey);
  } else {
    world.ledger.set(hash, { hash, primaryKey, ...(fingerprint ? { fingerprint } : {}), gone: true });
    const told = world.told.get(primaryKey);
    for (const id of leaves) told?.set(id, 'unsubscribed');
  }
}

/** What one undisturbed run has to make of Braze, told from rows and parameters alone. */
function expected(world: World, step: Step): Map<string, { attributes: object; subscribed: string[] }> {
  const { syncMode, mapping = {}, customAttributes = {}, subscriptionGroups = {}, invalidValues } = step.parts;
  const fields = Object.entries({ ...mapping, ...customAttributes }).map(([attribute, source]): [string, string] => [
    attribute,
    typeof source === 'string' ? source : source.property,
  ]);
  const ours = [...(world.dictionary?.idByName.keys() ?? [])].filter((name) => name.startsWith('a:'));
  const result = new Map<string, { attributes: object; subscribed: string[] }>();
  const keep = (key: string, profile: Profile) =>
    result.set(key, { attributes: Object.fromEntries(profile.attributes), subscribed: subscribed(profile) });
  for (const key of new Set([...world.braze.keys(), ...Object.keys(step.rows)])) {
    const profile = world.braze.get(key);
    const people = step.rows[key] ?? [];
    const [person] = people;
    const isKnown = world.ledger.get(recordHash(key))?.fingerprint !== undefined;
    if (person === undefined) {
      // Who left is deleted, or leaves the groups; who never came is not ours.
      if (profile && !(isKnown && syncMode === 'sync')) {
        keep(key, isKnown ? { ...profile, groups: new Map() } : profile);
      }
      continue;
    }
    const isInvalid = fields.some(([attribute, property]) => isRefused(attribute, person.values[property] ?? null));
    if (people.length > 1 || (isInvalid && invalidValues !== 'omit')) {
      if (profile) keep(key, profile);
      continue;
    }
    if (!profile && syncMode === 'enrich') continue;
    const attributes = new Map(profile?.attributes);
    for (const name of ours.map((each) => each.slice(2))) {
      const property = fields.find(([attribute]) => attribute === name)?.[1];
      const value = property === undefined ? null : (person.values[property] ?? null);
      if (isRefused(name, value)) continue;
      if (value !== null) attributes.set(name, value);
      else if (!NEVER_NULL.has(name)) attributes.delete(name);
    }
    const groups = Object.entries(subscriptionGroups).filter(([group]) => person.groups[group]);
    result.set(key, { attributes: Object.fromEntries(attributes), subscribed: groups.map(([, id]) => id).sort() });
  }
  return result;
}

const subscribed = ({ groups }: Profile): string[] =>
  [...groups].flatMap(([id, state]) => (state === 'subscribed' ? [id] : [])).sort();

const isRefused = (attribute: string, value: string | null): boolean =>
  value === INVALID || (NEVER_NULL.has(attribute) && value !== null && !/^(un)?subscribed$/.test(value));

const actual = (world: World) =>
  new Map(
    [...world.braze].map(([key, profile]) => [
      key,
      { attributes: Object.fromEntries(profile.attributes), subscribed: subscribed(profile) },
    ]),
  );

const person: fc.Arbitrary<Person> = fc.record({
  values: fc.record({
    p: fc.constantFrom(null, '', 'x', 'y'),
    q: fc.constantFrom(null, 'x', 'y', INVALID),
    s: fc.constantFrom(null, 'subscribed', 'unsubscribed', 'maybe'),
  }),
  groups: fc.record({ one: fc.boolean(), two: fc.boolean() }),
});

const source = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('p', 'q') },
  { weight: 1, arbitrary: fc.constantFrom('p', 'q').map((property) => ({ property, minInterval: '1 day' })) },
);

const parts = (modes: readonly DestinationParts['syncMode'][]): fc.Arbitrary<DestinationParts> =>
  fc.record({
    syncMode: fc.constantFrom(...modes).map((mode) => mode ?? 'sync'),
    mapping: fc.record({ first_name: fc.constant('p'), email_subscribe: fc.constant('s') }, { requiredKeys: [] }),
    customAttributes: fc.dictionary(fc.constantFrom('a', 'b', 'c'), source, { maxKeys: 3 }),
    subscriptionGroups: fc.constantFrom(
      {},
      { one: GROUP_IDS[0] },
      { one: GROUP_IDS[1] },
      { one: GROUP_IDS[0], two: GROUP_IDS[1] },
      { two: GROUP_IDS[0] },
    ),
    invalidValues: fc.constantFrom('omit' as const, 'reject' as const),
  });

const people = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(person) },
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.tuple(person, person) },
);
const rows = fc.record(Object.fromEntries(KEYS.map((key) => [key, people])));

const steps = (
  modes: readonly DestinationParts['syncMode'][],
  fates: readonly Fate[],
  more: { readonly held: fc.Arbitrary<Step['held']>; readonly resync: fc.Arbitrary<Step['resync']> },
): fc.Arbitrary<{ history: Step[]; last: Step }> => {
  const step = fc.record({
    parts: parts(modes),
    rows,
    fates: fc.record(Object.fromEntries(KEYS.map((key) => [key, fc.constantFrom(...fates)]))),
    made: fc.subarray(KEYS, { maxLength: 2 }),
    retryRejections: fc.boolean(),
    ...more,
  });
  // Rows and parameters often stay as they were, so that what was disturbed meets the same row again.
  const history = fc.array(fc.tuple(step, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 6 }).map((drawn) => {
    const history: Step[] = [];
    for (const [step, samePeople, sameParts] of drawn) {
      const before = history.at(-1) ?? step;
      const { rows, parts } = before;
      history.push({ ...step, ...(samePeople ? { rows } : {}), ...(sameParts ? { parts } : {}) });
    }
    return history;
  });
  return fc.tuple(history, step, fc.boolean(), fc.boolean()).map(([history, step, samePeople, sameParts]) => {
    const before = history.at(-1) ?? step;
    const last = {
      ...step,
      ...(samePeople ? { rows: before.rows } : {}),
      ...(sameParts ? { parts: before.parts } : {}),
      fates: {},
      retryRejections: true,
      held: NOTHING_HELD,
    };
    return { history, last };
  });
};

async function expectConvergence({ history, last }: { history: Step[]; last: Step }): Promise<void> {
  const world = newWorld();
  for (const step of history) await run(world, step);
  world.nowMs += 2 * DAY_MS;
  for (const key of last.made) if (!world.braze.has(key)) world.braze.set(key, newProfile());
  await decisions(world, last);
  const wanted = expected(world, last);
  await run(world, last);
  expect(actual(world)).toEqual(wanted);
  expect(await run(world, { ...last, made: [], resync: false })).toEqual([]);
  expect(actual(world)).toEqual(wanted);
}

const UNDISTURBED: readonly Fate[] = ['accepted'];
const DISTURBED: readonly Fate[] = ['accepted', 'accepted', 'refused', 'never_sent', 'lost', 'lost_but_applied'];

const PLAIN = { held: fc.constant(NOTHING_HELD), resync: fc.constant(false) } as const;
/** What was held in one run is sent in a later one, as when a person has approved it. */
const DECIDED = {
  held: fc.record({ names: fc.subarray(HOLDABLE), keys: fc.subarray(KEYS) }),
  resync: fc.constantFrom<Step['resync'][]>(false, false, 'attributes', 'groups'),
} as const;

const MODES = [
  { name: 'sync', modes: ['sync'] },
  { name: 'additive', modes: ['additive'] },
  { name: 'enrich', modes: ['enrich'] },
  { name: 'changing sync modes', modes: ['sync', 'additive', 'enrich'] },
] as const;

describe.each(MODES)('in $name', ({ modes }) => {
  test.each([
    ['undisturbed', UNDISTURBED, PLAIN],
    ['with refusals and lost answers', DISTURBED, PLAIN],
    ['with holds, approvals and resyncs', UNDISTURBED, DECIDED],
    ['with all of that', DISTURBED, DECIDED],
  ])('every history, %s, ends with Braze as rows and parameters say', async (_, fates, more) => {
    await fc.assert(fc.asyncProperty(steps(modes, fates, more), expectConvergence), { numRuns: 75 });
  });
});
