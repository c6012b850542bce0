/**
 * The first step of a run: ask the warehouse for the model's columns, fold what earlier runs left open into the ledger,
 * give every field its id, and submit one statement a shard. Nothing waits: while a statement runs, the step puts itself
 * back on its queue.
 */

import { dictionaryNames, selectedGroups, selectedProperties } from '../diff/row.ts';
import { FatalError } from '../errors.ts';
import { type PossibleWrite, withPossibleWrite } from '../ledger/entry.ts';
import { recordHash } from '../ledger/record-hash.ts';
import { fieldsOf } from '../parameters/schema.ts';
import { typeProblem } from '../values/convert.ts';
import { firstLine, type Warehouse } from '../warehouse/data-api.ts';
import { withoutData, wordsOf } from '../warehouse/failure-text.ts';
import { describeSql, hashRanges, shardSql } from '../warehouse/model-sql.ts';
import { endUnread, failRun } from './close.ts';
import { columnFinder, contextOf, type DestinationContext, identityProblem } from './context.ts';
import { type ExtractDeps, pollDelaySeconds, RESERVE_MS } from './extract-deps.ts';
import { type ExtractMessage, messageText } from './messages.ts';
import { type Intent, isOver, type Run, Shard } from './model.ts';
import { namesOf } from './names.ts';
import type { RunStore } from './store.ts';

type PrepareMessage = Extract<ExtractMessage, { kind: 'prepare' }>;

/** Does the step, or puts it back on the queue. A failure that no repetition can mend fails the run. */
export async function prepare(deps: ExtractDeps, message: PrepareMessage): Promise<void> {
  const run = await deps.runs.get(message.destination, message.run);
  if (!run || isOver(run)) return;
  // Its shards may have been made, and their messages not sent.
  if (run.status === 'failing') return endUnread(deps, run);
  if (run.phase === 'counting' || run.phase === 'extracting') return sendShards(deps, run);
  if (run.phase !== 'preparing') return;
  try {
    const context = currentContext(deps, run);
    const warehouse = deps.warehouse(context.warehouse);
    const columns = await describe(deps, context, warehouse, run, message);
    if (columns === undefined) return;
    const known = await deps.ledger.dictionary(run.ledger);
    const problem = identityProblem(context, known?.identity, run.rekey);
    if (problem) throw new FatalError(problem.found, problem.next);
    if (!(await foldIntents(deps, context, run))) return requeue(deps, message, 0);
    // Against an empty ledger nothing can leave, and without a budget no cost is too much.
    const counts = run.counts ?? (known !== undefined || context.destination.budget !== undefined);
    if (run.counts === undefined) await deps.runs.change(run, { counts }, { status: ['running'] });
    await deps.ledger.ensureFields(run.ledger, dictionaryNames(context.destination), context.identity);
    await submitShards(deps, context, warehouse, { ...run, counts }, columns);
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    await failRun(deps, run, error);
    await endUnread(deps, run);
  }
}

/**
 * Returns the context of an open run.
 * @throws FatalError when the destination's parameters are no longer those that the run was started with.
 */
export function currentContext(deps: Pick<ExtractDeps, 'parameters'>, run: Run): DestinationContext {
  const context = contextOf(deps.parameters, run.destination);
  if (context.parametersHash === run.parametersHash) return context;
  throw new FatalError(
    'the parameters of this destination changed while the run was under way',
    'Nothing is lost: the next run goes by the new parameters.',
  );
}

async function requeue(deps: ExtractDeps, message: PrepareMessage, delaySeconds: number): Promise<void> {
  const text = messageText({ ...message, polls: message.polls + 1 });
  await deps.extractQueue.send([{ text, delaySeconds }]);
}

/** Returns the model's columns, or undefined after putting the step back. @throws FatalError with Redshift's own message. */
async function describe(
  deps: ExtractDeps,
  context: DestinationContext,
  warehouse: Warehouse,
  run: Run,
  message: PrepareMessage,
): Promise<Run['columns'] | undefined> {
  const name = statementName(run, 'describe');
  const id = run.describeId ?? (await warehouse.submit(describeSql(context.model), `${run.run}-describe`, name));
  if (run.describeId === undefined) await deps.runs.change(run, { describeId: id }, { status: ['running'] });
  const status = await warehouse.status(id);
  if (status.kind === 'running') {
    await deps.runs.change(run, { touchedAt: deps.clock.now() }, { status: ['running'] });
    await requeue(deps, message, pollDelaySeconds(message.polls));
    return undefined;
  }
  if (status.kind === 'failed') throw statementFailure(context, status.message);
  const columns: Run['columns'] = [];
  for await (const page of warehouse.pages(id)) {
    columns.push(...page.columns.map(({ name, typeName }): [string, string] => [name, typeName]));
    break;
  }
  checkColumns(context, columns);
  return columns;
}

/** Redshift's own message without what it may say of a row, and the first line of the SQL that the user wrote. */
export const statementFailure = ({ model, destination }: DestinationContext, message: string): FatalError =>
  new FatalError(
    `Redshift: ${withoutData(message, wordsOf(JSON.stringify(model), JSON.stringify(destination)))} (in: ${firstLine(model.query ?? `table ${model.table}`)})`,
    "Correct the model's query, its groups, or the grants of the warehouse user.",
  );

const statementName = (run: Run, part: string): string => `w2b ${run.destination} ${run.run} ${part}`.slice(0, 500);

/** @throws FatalError that names every property that is missing, ambiguous, or of a type that does not fit. */
export function checkColumns({ destination, model }: DestinationContext, columns: Run['columns']): void {
  const find = columnFinder(columns);
  const problems: string[] = [];
  const attempt = (check: () => string | undefined) => {
    try {
      const problem = check();
      if (problem) problems.push(problem);
    } catch (error) {
      if (!(error instanceof FatalError)) throw error;
      problems.push(`${error.found}. ${error.next}`);
    }
  };
  const used = new Set(
    [model.primaryKey, ...selectedProperties(destination)].map((property) => property.toLowerCase()),
  );
  for (const name of used) {
    const count = columns.filter(([column]) => column.toLowerCase() === name).length;
    if (count > 1) problems.push(`the query yields ${count} columns named '${name}'; give each its own name`);
  }
  attempt(() => {
    const { type } = find(model.primaryKey);
    return type === 'text' || type === 'integer' || type === 'decimal'
      ? undefined
      : `the primary key '${model.primaryKey}' is ${type}; it has to be a text or a whole number`;
  });
  for (const field of fieldsOf(destination)) attempt(() => typeProblem(field, find(field.property).type));
  if (problems.length > 0)
    throw new FatalError(problems.join('; '), "Correct the model's query or the destination's mapping.");
}

async function submitShards(
  deps: ExtractDeps,
  context: DestinationContext,
  warehouse: Warehouse,
  run: Run,
  columns: Run['columns'],
): Promise<void> {
  const statements = shardStatements(context, columns, run.startedAt);
  const ids: string[] = [];
  for (const [shard, sql] of statements.entries()) {
    ids.push(await warehouse.submit(sql, `${run.run}-${shard}`, statementName(run, `shard ${shard}`)));
  }
  for (const [shard, range] of hashRanges(context.destination.shards).entries()) {
    const statementId = ids[shard] ?? '';
    const pass = run.counts ? 'count' : 'send';
    const made = Shard.parse({ shard, ...range, statementId, pass, movedAt: deps.clock.now() });
    await deps.runs.createShard(run.run, made);
  }
  const moved = await deps.runs.change(
    run,
    { phase: run.counts ? 'counting' : 'extracting', columns },
    { status: ['running'], phase: 'preparing' },
  );
  if (moved) deps.log.info('statements submitted', { run: run.run, destination: run.destination, shards: ids.length });
  await sendShards(deps, run);
}

/** Returns the statements of a destination's shards, in order. @throws FatalError when a group names a missing column. */
export function shardStatements(context: DestinationContext, columns: Run['columns'], startedAt: number): string[] {
  const { destination, model } = context;
  const column = columnFinder(columns);
  return hashRanges(destination.shards).map((range) =>
    shardSql({
      model,
      primaryKey: column(model.primaryKey),
      properties: selectedProperties(destination).map(column),
      groups: selectedGroups(destination),
      audience: destination.audience,
      range,
      column,
      nowMs: startedAt,
    }),
  );
}

/** A shard's message may be there twice: the reading that comes second finds the shard moved, and stops. */
async function sendShards(deps: ExtractDeps, { run, destination }: Run): Promise<void> {
  const shards = await deps.runs.shards(run);
  const open = shards.filter((shard) => !shard.done);
  await deps.extractQueue.send(
    open.map(({ shard }) => ({ text: messageText({ kind: 'shard', run, destination, shard, polls: 0 }) })),
  );
}

/**
 * Folds the intents of earlier runs into the ledger: what their requests named counts as unknown from now on. No earlier
 * run is open, so none of their invocations can still be alive. Returns false when time ran out before all were folded.
 */
async function foldIntents(deps: ExtractDeps, context: DestinationContext, run: Run): Promise<boolean> {
  for (const name of await namesOf(deps.runs, context)) {
    for await (const intent of deps.runs.intents(name)) {
      if (intent.run === run.run) continue;
      if (await isUnanswered(deps.runs, name, intent)) await fold(deps, run, intent);
      await deps.runs.deleteIntent(name, intent.id);
      if (deps.remainingMs() < RESERVE_MS) return false;
    }
  }
  return true;
}

/** False for a batch that was settled with every answer known, whose writer died before it ended the intent. */
export async function isUnanswered(
  runs: Pick<RunStore, 'batch'>,
  destination: string,
  intent: Intent,
): Promise<boolean> {
  return (await runs.batch(destination, intent)).settled !== 'resolved';
}

async function fold(deps: ExtractDeps, run: Run, intent: Intent): Promise<void> {
  for (const write of possibleWrites(intent)) {
    const entry = withPossibleWrite(await deps.ledger.get(run.ledger, write.hash), write);
    if (entry) await deps.ledger.write(run.ledger, [{ kind: 'put', entry }]);
  }
  const records = intent.primaryKeys.length;
  deps.log.warn('an unanswered batch is sent again', { run: run.run, destination: run.destination, records });
}

/** Returns what an intent's request would have done, record by record. */
export const possibleWrites = (intent: Intent): PossibleWrite[] =>
  intent.primaryKeys.map((primaryKey, index) => ({
    hash: recordHash(primaryKey),
    primaryKey,
    fields: intent.fields[index] ?? [],
    deletes: intent.deletes,
  }));
