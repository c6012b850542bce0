// biome-ignore-all lint/suspicious/noTemplateCurlyInString: sources are quoted
/** Seeded defects, each a text of the sources that occurs exactly once, and what it becomes. */

export type Mutant = {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

const WRITE = 'shared/runs/write-batch.ts';
const READ = 'shared/runs/read-shard.ts';
const PREPARE = 'shared/runs/prepare.ts';
const START = 'shared/runs/start-run.ts';
const CLOSE = 'shared/runs/close.ts';
const STORE = 'shared/runs/store.ts';
const VERDICT = 'shared/runs/verdict.ts';
const EFFECTS = 'shared/runs/effects.ts';
const COLLECTOR = 'shared/runs/collector.ts';
const DECIDE = 'shared/diff/decide.ts';
const ROW = 'shared/diff/row.ts';
const NAMES = 'shared/runs/names.ts';
const LEDGER = 'shared/ledger/ledger.ts';
const ENTRY = 'shared/ledger/entry.ts';
const ANSWERS = 'shared/braze/answers.ts';
const DELIVER = 'shared/braze/deliver.ts';
const SQL = 'shared/warehouse/model-sql.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'commits before it sends',
    file: WRITE,
    find: '  const objects = known.map(userObject);\n',
    replace: `  const objects = known.map(userObject);
  await deps.ledger.write(message.destination, known.map(({ h, k, f }) => ({ kind: 'put', entry: { hash: h, primaryKey: k, fingerprint: fingerprintBytes(f) } })));\n`,
  },
  {
    name: 'names nobody in its intent',
    file: WRITE,
    find: 'return { primaryKeys: sent.map(({ k }) => k), fields: sent.map(({ i }) => [...i]), deletes: isDeletion(message) };',
    replace: 'return { primaryKeys: [], fields: [], deletes: false };',
  },
  {
    name: 'forgets that an intent deletes',
    file: WRITE,
    find: 'fields: sent.map(({ i }) => [...i]), deletes: isDeletion(message) };',
    replace: 'fields: sent.map(({ i }) => [...i]), deletes: false };',
  },
  {
    name: 'ends the intent before the commit',
    file: WRITE,
    find: '    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);\n',
    replace: `    await deps.runs.deleteIntent(batch.message.destination, batch.id);
    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);\n`,
  },
  {
    name: 'settles before it commits',
    file: WRITE,
    find: '    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);\n',
    replace: `    await deps.runs.settle(batch.message, { ...NO_OUTCOME, ...written.counts, requests: 0, lookups: 0 }, false);
    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);\n`,
  },
  {
    name: 'does not commit',
    file: WRITE,
    find: '    await deps.ledger.write(run.ledger, [...withoutRecords(written.writes, possible), ...possible]);\n',
    replace: '',
  },
  {
    name: 'skips a settle',
    file: WRITE,
    find: '  await deps.runs.settle(message, outcome, keepIntent);\n',
    replace: '  if (message.seq % 3 !== 1) await deps.runs.settle(message, outcome, keepIntent);\n',
  },
  {
    name: 'settles a batch twice',
    file: STORE,
    find: "ConditionExpression: 'NOT contains(settled, :seq)',",
    replace: "ConditionExpression: 'NOT contains(settled, :seq) OR contains(settled, :seq)',",
  },
  {
    name: 'does not mind a lease',
    file: WRITE,
    find: "  if (claim === 'leased') throw new RetryLater('another delivery of this batch is under way', 15 * SECOND_MS);\n",
    replace: '',
  },
  {
    name: 'takes a lease over while it lasts',
    file: STORE,
    find: "ConditionExpression: 'leaseUntil < :now',",
    replace: "ConditionExpression: 'leaseUntil < :now OR leaseUntil >= :now',",
  },
  {
    name: 'forgets what was applied when a lease ends',
    file: WRITE,
    find: '  if (!batch.wasTried && !applied) return deps.runs.deleteIntent(message.destination, id);\n',
    replace: '  if (message) return deps.runs.deleteIntent(message.destination, id);\n',
  },
  {
    name: 'forgets what was applied when a batch is given up',
    file: WRITE,
    find: '  const mayBeApplied = batch.wasTried || tally.applied;',
    replace: '  const mayBeApplied = false;',
  },
  {
    name: 'forgets an earlier attempt of a batch that is given up',
    file: WRITE,
    find: '  const mayBeApplied = batch.wasTried || tally.applied;',
    replace: '  const mayBeApplied = tally.applied;',
  },
  {
    name: 'sends batches of an ended run',
    file: WRITE,
    find: "  if (isOver(run)) return { kind: 'void' };\n",
    replace: '',
  },
  {
    name: 'sends batches of a failing run',
    file: WRITE,
    find: "return run.status === 'failing' ? { kind: 'failing' } : { kind: 'due', run };",
    replace: "return { kind: 'due', run };",
  },
  {
    name: 'sends batches of a void epoch',
    file: WRITE,
    find: "return shard.epochs.findLast(({ from }) => from <= seq)?.epoch === epoch ? 'due' : 'void';",
    replace: "return 'due';",
  },
  {
    name: 'sends batches before the cursor has moved',
    file: WRITE,
    find: "return shard.done ? 'void' : 'early';",
    replace: "return shard.done ? 'void' : 'due';",
  },
  {
    name: 'drops a batch that is early',
    file: WRITE,
    find: "return shard.done ? 'void' : 'early';",
    replace: "return 'void';",
  },
  {
    name: 'does not put a waiting message back at its last try',
    file: WRITE,
    find: '    if (error instanceof RetryLater && isLastTry(received)) return putBack(deps, received.message, error.afterMs);\n',
    replace: '',
  },
  {
    name: 'takes every user for found',
    file: WRITE,
    find: 'unconfirmed.length > 0 ? await lookUp(timed(deps, deps.lookup), unconfirmed, lookups) : new Set<string>();',
    replace: 'new Set<string>(unconfirmed);',
  },
  {
    name: 'does not remember who was absent',
    file: WRITE,
    find: "({ h, k }): LedgerWrite => ({ kind: 'put', entry: { hash: h, primaryKey: k, absentAt: deps.clock.now() } }),",
    replace: "({ h }): LedgerWrite => ({ kind: 'delete', hash: h }),",
  },
  {
    name: 'does not widen the intent to users that were found',
    file: WRITE,
    find: '    await widenIntent(deps, batch, known);\n',
    replace: '',
  },
  {
    name: 'remembers no refusal',
    file: WRITE,
    find: 'const digest = digestOfState(record);',
    replace: 'const digest = String(index);',
  },
  {
    name: 'commits who was refused',
    file: WRITE,
    find: '  const accepted = known.filter((_, index) => !refused.has(index));\n',
    replace: '  const accepted = known;\n',
  },
  {
    name: 'keeps a deleted user in the ledger',
    file: WRITE,
    find: "      ...deleted.map(({ h }): LedgerWrite => ({ kind: 'delete', hash: h })),\n",
    replace: '',
  },
  {
    name: 'makes leavers anew',
    file: WRITE,
    find: '    body: (users: readonly UserObject[]) => trackBody(users, true),\n',
    replace: '    body: (users: readonly UserObject[]) => trackBody(users, false),\n',
  },
  {
    name: 'creates users in enrich',
    file: WRITE,
    find: "body: (users) => trackBody(users, syncMode === 'enrich') },",
    replace: 'body: (users) => trackBody(users, false) },',
  },
  {
    name: 'moves a cursor that another reading has moved',
    file: STORE,
    find: "ConditionExpression: 'progress = :expected',",
    replace: "ConditionExpression: 'progress = :expected OR attribute_exists(pk)',",
  },
  {
    name: 'drops the cursor',
    file: READ,
    find: '      after = hash;\n',
    replace: '',
  },
  {
    name: 'reads rows before the cursor again',
    file: READ,
    find: 'yield after === undefined ? rows : rows.filter((row) => row.hash > after);',
    replace: 'yield rows;',
  },
  {
    name: 'reads entries before the cursor again',
    file: READ,
    find: 'const entries = deps.ledger.entries(run.ledger, start, start.after);',
    replace: 'const entries = deps.ledger.entries(run.ledger, start);',
  },
  {
    name: 'sends while it counts',
    file: READ,
    find: '    makes: !isCount,\n',
    replace: '    makes: true,\n',
  },
  {
    name: 'does not hold when it sends',
    file: READ,
    find: 'const heldKeys = new Set(isCount ? [] : run.held',
    replace: 'const heldKeys = new Set(isCount || run ? [] : run.held',
  },
  {
    name: 'does not wait for requests of the last run',
    file: START,
    find: '  notBefore: lastClosedAt === 0 ? 0 : lastClosedAt + context.braze.settleSeconds * SECOND_MS,\n',
    replace: '  notBefore: 0,\n',
  },
  {
    name: 'opens a run while another one is open',
    file: STORE,
    find: "replacing === undefined ? 'attribute_not_exists(#open)' : '#open = :replacing',",
    replace:
      "replacing === undefined ? 'attribute_not_exists(#open) OR attribute_exists(#open)' : '#open = :replacing',",
  },
  {
    name: 'takes the ledger of a former name over while its first run is open',
    file: START,
    find: '  if (former.open !== undefined) {\n',
    replace: '  if (former.open !== undefined && former.lastClosedAt > 0) {\n',
  },
  {
    name: 'starts a renamed destination anew',
    file: START,
    find: '  return { ledger, carryFrom: from };\n',
    replace: '  return { ledger: name, carryFrom: from };\n',
  },
  {
    name: 'does not fold intents of the former name',
    file: PREPARE,
    find: 'for (const name of await namesOf(deps.runs, context)) {\n',
    replace: 'for (const name of (await namesOf(deps.runs, context)).slice(0, 1)) {\n',
  },
  {
    name: 'forgets former names that are no longer given',
    file: NAMES,
    find: '  if (renamedFrom === undefined) return [name, ...formerly];\n',
    replace: '  if (renamedFrom === undefined) return [name];\n',
  },
  {
    name: 'goes on with another primary key',
    file: 'shared/runs/context.ts',
    find: '  if (known.primaryKey !== identity.primaryKey && !rekey) {\n',
    replace: '  if (known.primaryKey !== identity.primaryKey && !rekey && name === "") {\n',
  },
  {
    name: 'forgets what the day has cost',
    file: NAMES,
    find: 'runs.spentSince(name, beforeMs - DAY_MS)',
    replace: 'runs.spentSince(name, beforeMs)',
  },
  {
    name: 'keeps no interval',
    file: DECIDE,
    find: 'at + minIntervalMs > nowMs ? [id] : [];',
    replace: 'at + minIntervalMs > nowMs && id < 0 ? [id] : [];',
  },
  {
    name: 'waits for an interval for ever',
    file: DECIDE,
    find: 'at + minIntervalMs > nowMs ? [id] : [];',
    replace: 'at + minIntervalMs > 0 ? [id] : [];',
  },
  {
    name: 'forgets when fields of who left were last sent',
    file: WRITE,
    find: '              ...(t ? { sentAt: new Map(t) } : {}),\n',
    replace: '',
  },
  {
    name: 'keeps what was sent as NULL a short time ago for sent',
    file: DECIDE,
    find: '  const waiting = [...tooSoon].filter((id) => !known.has(id) && own.delete(id));\n',
    replace: '  const waiting = [...tooSoon].filter((id) => !known.has(id) && own.has(id));\n',
  },
  {
    name: 'rounds to the nearest multiple',
    file: 'shared/values/convert.ts',
    find: '  return multiple(nearest) > value ? multiple(nearest - 1) : multiple(nearest);\n',
    replace: '  return multiple(nearest);\n',
  },
  {
    name: 'puts no extract message back whose run cannot be failed',
    file: 'shared/runs/extract-step.ts',
    find: '      if (!next) throw another;\n',
    replace: '      if (next) throw another;\n',
  },
  {
    name: 'takes a live run for stuck',
    file: START,
    find: '  if (lastMove > silentSince) return undefined;\n',
    replace: '',
  },
  {
    name: 'never takes a run for stuck',
    file: START,
    find: '  if (lastMove > silentSince) return undefined;\n',
    replace: '  if (lastMove > 0) return undefined;\n',
  },
  {
    name: 'goes on with other parameters',
    file: PREPARE,
    find: '  if (context.parametersHash === run.parametersHash) return context;\n',
    replace: '  if (run) return context;\n',
  },
  {
    name: 'forgets to fold intents',
    file: PREPARE,
    find: '      if (await isUnanswered(deps.runs, name, intent)) await fold(deps, run, intent);\n',
    replace: '',
  },
  {
    name: 'does not fold intents of batches that were given up',
    file: PREPARE,
    find: ".settled !== 'resolved';",
    replace: ".settled === 'no';",
  },
  {
    name: 'folds intents of batches that were settled',
    file: PREPARE,
    find: ".settled !== 'resolved';",
    replace: ' !== undefined;',
  },
  {
    name: 'folds an intent into nothing',
    file: ENTRY,
    find: '  const kept = known.filter((field) => !unknown.has(field.id));\n',
    replace: '  const kept = known; unknown.clear();\n',
  },
  {
    name: 'knows what a lost deletion has left',
    file: ENTRY,
    find: 'const unknown = new Set(write.deletes ? known.map((field) => field.id) : write.fields);',
    replace: 'const unknown = new Set(write.deletes ? [] : write.fields);',
  },
  {
    name: 'does not end the shards of a failed run',
    file: CLOSE,
    find: '  done: true,\n  progress: shard.progress + 1,\n',
    replace: '  progress: shard.progress + 1,\n',
  },
  {
    name: 'does not read again after counting',
    file: VERDICT,
    find: "  if (now?.status === 'running' && now.phase === 'extracting') await readAgain(deps, now);\n",
    replace: '',
  },
  {
    name: 'holds nothing',
    file: VERDICT,
    find: '  return budget ? [budget] : held;\n',
    replace: '  return budget ? [budget] : [];\n',
  },
  {
    name: 'keeps no budget',
    file: VERDICT,
    find: '  return budget ? [budget] : held;\n',
    replace: '  return held;\n',
  },
  {
    name: 'takes an approval for more than was shown',
    file: EFFECTS,
    find: "      return list === 'all' || list?.has(hash) === true;\n",
    replace: '      return list !== undefined;\n',
  },
  {
    name: 'lets an empty extract delete',
    file: 'shared/runs/guard.ts',
    find: '  if (extracted === 0) return `${held}the extract had no rows at all`;\n',
    replace: '',
  },
  {
    name: 'closes before all batches are settled',
    file: CLOSE,
    find: '  return settled >= sent;\n',
    replace: '  return settled >= sent - 1;\n',
  },
  {
    name: 'goes on before all shards are read',
    file: VERDICT,
    find: 'shards.length > 0 && shards.every((shard) => shard.done && shard.pass === pass);',
    replace: 'shards.some((shard) => shard.done && shard.pass === pass);',
  },
  {
    name: 'closes before all shards are read',
    file: CLOSE,
    find: '  if (shards.some((shard) => !shard.done)) return false;\n',
    replace: '',
  },
  {
    name: 'says succeeded of a run with rejections',
    file: CLOSE,
    find: "  return totals.rejected + totals.unremoved > 0 ? 'partial' : 'succeeded';\n",
    replace: "  return 'succeeded';\n",
  },
  {
    name: 'counts duplicate rows as one',
    file: COLLECTOR,
    find: '          counts.rejected += decision.rows;\n',
    replace: '          counts.rejected += 1;\n',
  },
  {
    name: 'drops what is left over at the end of a reading',
    file: COLLECTOR,
    find: "      flush('upsert', waiting.upsert);\n",
    replace: '',
  },
  {
    name: 'drops what is to be looked up at the end of a reading',
    file: COLLECTOR,
    find: "      flush('upsert', waiting.lookup);\n",
    replace: '',
  },
  {
    name: 'ignores the index of an error',
    file: ANSWERS,
    find: 'refused.set(index, refused.get(index) ?? reason);',
    replace: 'refused.set(0, reason);',
  },
  {
    name: 'takes refused objects for accepted',
    file: ANSWERS,
    find: "if (placed.unplaced === undefined) return { kind: 'received', refused: placed.refused };",
    replace: "if (placed.unplaced === undefined) return { kind: 'received', refused: new Map() };",
  },
  {
    name: 'takes an error without an index for none',
    file: ANSWERS,
    find: "if (placed.unplaced === undefined) return { kind: 'received', refused: placed.refused };",
    replace: "return { kind: 'received', refused: placed.refused };",
  },
  {
    name: 'takes 429 for accepted',
    file: ANSWERS,
    find: '  if (status === 429) {\n',
    replace: "  if (status === 429) return { kind: 'received', refused: new Map() };\n  if (status === 428) {\n",
  },
  {
    name: 'takes a 5xx for not applied',
    file: ANSWERS,
    find: "      because: `status ${status}`,\n      applied: 'maybe',\n",
    replace: "      because: `status ${status}`,\n      applied: 'no',\n",
  },
  {
    name: 'takes a lost answer for not applied',
    file: ANSWERS,
    find: "applied: answer.failure === 'unknown' ? 'maybe' : 'no' };",
    replace: "applied: 'no' };",
  },
  {
    name: 'takes any body of a 2xx for success',
    file: ANSWERS,
    find: "if (body === undefined || !TAKEN.has(body.message ?? '')) {",
    replace: "if (body === undefined) return { kind: 'received', refused: new Map() };\n  if (body.message === '') {",
  },
  {
    name: 'fails at the word queued',
    file: ANSWERS,
    find: "const TAKEN = new Set(['success', 'queued']);",
    replace: "const TAKEN = new Set(['success']);",
  },
  {
    name: 'takes a 400 that names some for the answer for all',
    file: ANSWERS,
    find: "  if (placed.refused.size > 0) return { kind: 'resend', refused: placed.refused };\n",
    replace: "  if (placed.refused.size > 0) return { kind: 'received', refused: placed.refused };\n",
  },
  {
    name: 'drops the second half of a split',
    file: DELIVER,
    find: 'return [positions.slice(0, middle), positions.slice(middle)].map((half) => ({',
    replace: 'return [positions.slice(0, middle)].map((half) => ({',
  },
  {
    name: 'keeps no pace',
    file: DELIVER,
    find: '    deps.pace.take();\n',
    replace: '',
  },
  {
    name: 'does not renew its key',
    file: DELIVER,
    find: 'if (verdict.status === 401 && (await deps.renewKey())) continue;',
    replace: 'if (verdict.status === 401 && (await deps.renewKey()) && tries < 0) continue;',
  },
  {
    name: 'forgets what an attempt may have done',
    file: DELIVER,
    find: "    if (verdict.applied === 'maybe') {\n      tally.applied = true;\n      onDoubt();\n    }\n",
    replace: '',
  },
  {
    name: 'takes NULL for unchanged',
    file: DECIDE,
    find: '      if (!staysAnyway && !context.holds.field(id, row.hash)) continue;\n',
    replace: '',
  },
  {
    name: 'does not unset fields that are no longer mapped',
    file: DECIDE,
    find: '  for (const id of ended) unset(id, dictionary, attributes, subscriptions);\n',
    replace:
      '  for (const id of ended) if (shape.fields.some((field) => field.id === id) || shape.memberships.some((group) => group.id === id)) unset(id, dictionary, attributes, subscriptions);\n',
  },
  {
    name: 'does not unsubscribe who leaves a group',
    file: DECIDE,
    find: "  else subscriptions.set(name.slice(2), 'unsubscribed');\n",
    replace: '',
  },
  {
    name: 'unsets a consent that is no longer mapped',
    file: DECIDE,
    find: 'const staysAnyway = omitted.has(id) || isNeverNull(id, context.dictionary);',
    replace: 'const staysAnyway = omitted.has(id);',
  },
  {
    name: 'unsets what is omitted',
    file: ROW,
    find: '      problems.push({ field: field.attribute, reason: value.reason });\n      carried.push(field.id);\n',
    replace: '      problems.push({ field: field.attribute, reason: value.reason });\n',
  },
  {
    name: 'sends records with invalid values',
    file: ROW,
    find: '  const rejection = shape.omitInvalid ? undefined : problems[0];\n',
    replace: '  const rejection = undefined;\n',
  },
  {
    name: 'sends the first of several rows of one key',
    file: DECIDE,
    find: "  if (match.kind === 'duplicate') {\n",
    replace: "  if (match.kind === 'duplicate' && match.rows > 2) {\n",
  },
  {
    name: 'sends again what was refused, in every run',
    file: DECIDE,
    find: '  if (!context.retryRejections && entry && wasRefusedAs(row, before, entry, after, context)) {\n',
    replace:
      '  if (!context.retryRejections && entry && wasRefusedAs(row, before, entry, after, context) && row.hash === "") {\n',
  },
  {
    name: 'never sends again what was refused',
    file: DECIDE,
    find: '  if (!context.retryRejections && entry && wasRefusedAs(row, before, entry, after, context)) {\n',
    replace: '  if (entry && wasRefusedAs(row, before, entry, after, context)) {\n',
  },
  {
    name: 'takes what is held back for another state than the one that was refused',
    file: DECIDE,
    find: '  (after.heldBack.length > 0 &&\n',
    replace: '  (after.heldBack.length < 0 &&\n',
  },
  {
    name: 'selects groups in the order of the file',
    file: ROW,
    find: '  Object.keys(destination.subscriptionGroups).sort();\n',
    replace: '  Object.keys(destination.subscriptionGroups);\n',
  },
  {
    name: 'selects properties in the order of the file',
    file: ROW,
    find: '.map((field) => field.property))].sort();\n',
    replace: '.map((field) => field.property))];\n',
  },
  {
    name: 'never asks again about who was absent',
    file: DECIDE,
    find: '  if (absent && (entry.absentAt ?? 0) > context.askAgainBeforeMs) return unchanged();\n',
    replace: '  if (absent) return unchanged();\n',
  },
  {
    name: 'asks in every run about who was absent',
    file: DECIDE,
    find: '  if (absent && (entry.absentAt ?? 0) > context.askAgainBeforeMs) return unchanged();\n',
    replace: '',
  },
  {
    name: 'looks nobody up in enrich',
    file: DECIDE,
    find: "return { kind: 'added', upsert: { ...upsert, lookup: context.syncMode === 'enrich' }, omitted, heldBack: [] };",
    replace: "return { kind: 'added', upsert: { ...upsert, lookup: false }, omitted, heldBack: [] };",
  },
  {
    name: 'trusts an entry whose user may be gone',
    file: DECIDE,
    find: 'const isSure = isKnown && !entry.uncertain && !entry.gone;',
    replace: 'const isSure = isKnown;',
  },
  {
    name: 'deletes in additive',
    file: DECIDE,
    find: "  const deletes = syncMode === 'sync';\n",
    replace: "  const deletes = syncMode !== 'enrich';\n",
  },
  {
    name: 'ignores who left, unless in sync',
    file: DECIDE,
    find: "if (syncMode !== 'sync' && entry.gone && groups.length === 0) return { kind: 'kept' };",
    replace: "if (syncMode !== 'sync') return { kind: 'kept' };",
  },
  {
    name: 'a resync overwrites what users have chosen',
    file: DECIDE,
    find: "(resync === 'attributes' && nameOf(id, dictionary).startsWith('a:'));",
    replace: "resync === 'attributes';",
  },
  {
    name: 'ignores the audience',
    file: SQL,
    find: '    ...(query.audience ? [groupPredicate(query.audience, context)] : []),\n',
    replace: '',
  },
  {
    name: 'leaves a gap between shards',
    file: SQL,
    find: 'to: (index + 1) * width }));',
    replace: 'to: (index + 1) * width - (index === 0 && shards > 1 ? 8 : 0) }));',
  },
  {
    name: 'drops items that DynamoDB did not write',
    file: LEDGER,
    find: '    left = answer.UnprocessedItems?.[table] ?? [];\n',
    replace: '    left = [];\n',
  },
  {
    name: 'drops keys that DynamoDB did not read',
    file: STORE,
    find: '    left = [...left.slice(KEYS_PER_CALL), ...(answer.UnprocessedKeys?.[table]?.Keys ?? [])];\n',
    replace: '    left = left.slice(KEYS_PER_CALL);\n',
  },
  {
    name: 'reads one page of a partition of the ledger',
    file: LEDGER,
    find: 'following = page.next && fetched(keyRange(destination, partition, range, after), page.next);',
    replace: 'following = undefined;',
  },
  {
    name: 'reads one page of the runs table',
    file: STORE,
    find: '    start = answer.LastEvaluatedKey;\n',
    replace: '    start = undefined;\n',
  },
  {
    name: 'gives ids of fields anew',
    file: LEDGER,
    find: '  const known = new Map(Object.entries(ids));\n',
    replace: '  const known = new Map(Object.entries(ids).slice(0, 1));\n',
  },
  {
    name: 'drops messages that SQS did not take',
    file: 'shared/runs/queue.ts',
    find: '    left = left.filter((entry) => failedIds.has(entry.Id));\n',
    replace: '    left = left.filter((entry) => failedIds.has(entry.Id) && entry.Id === "");\n',
  },
  {
    name: 'waits for ever for a cancelled statement',
    file: 'shared/warehouse/data-api.ts',
    find: "        if (answer.Status === 'ABORTED') return { kind: 'failed', message: 'the statement was cancelled' };\n",
    replace: '',
  },
  {
    name: 'submits a statement anew each time',
    file: 'shared/warehouse/data-api.ts',
    find: 'ClientToken: idempotencyToken, StatementName',
    replace: 'ClientToken: idempotencyToken + String(Math.random()), StatementName',
  },
  {
    name: 'forgets a doubtful attempt before a refusal',
    file: WRITE,
    find: 'const doubtful = batch.wasTried ? written.refused : written.doubtful;',
    replace: 'const doubtful = new Set<string>();',
  },
  {
    name: 'keeps a dead run open while a batch waits for its cursor',
    file: WRITE,
    find: '  await putBack(deps, batch.message, afterMs);\n',
    replace:
      '  await putBack(deps, batch.message, afterMs);\n  await deps.runs.change(batch.message, { touchedAt: deps.clock.now() }, { status: OPEN });\n',
  },
];
