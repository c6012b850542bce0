/**
 * A stack in the local cloud: its functions and what feeds them. A new deployment takes over tables and queues from the
 * last one, as `cdk deploy` does.
 */
import * as z from 'zod';
import { dynamoLedger, type Ledger } from '../shared/ledger/ledger.ts';
import type { Parameters } from '../shared/parameters/schema.ts';
import type { StartEvent } from '../shared/runs/start-run.ts';
import { dynamoRuns, type RunStore } from '../shared/runs/store.ts';
import type { Clock } from '../shared/time.ts';
import type { LocalDynamo } from './dynamodb.ts';
import { type Poller, startPoller } from './event-sources.ts';
import { type Crash, type Functions, type Outcome, startFunctions } from './lambda/functions.ts';
import type { LocalSqs } from './sqs.ts';
import { synthesize } from './synthesize.ts';
import type { EventSource, FunctionSpec, StackSpec } from './template.ts';

export type FunctionName = 'start-run' | 'extract-shard' | 'write-batch';

export type Deployment = {
  readonly stack: StackSpec;
  readonly parameters: Parameters;
  readonly runs: RunStore;
  readonly ledger: Ledger;
  /** Invokes start-run as a schedule does. Returns the run's id. @throws Error when it was not started. */
  readonly start: (event: StartEvent) => Promise<string>;
  /** Invokes start-run with what a person discards. Returns what it says. */
  readonly discard: (event: StartEvent) => Promise<string>;
  /** Invokes start-run as the sweeper's schedule does. */
  readonly sweep: () => Promise<void>;
  readonly crashNext: (name: FunctionName, crash: Crash | undefined) => void;
  /** Ends the functions: none of their invocations is running any more. */
  readonly stop: () => Promise<void>;
};

export type DeploymentDeps = {
  readonly sqs: LocalSqs;
  readonly dynamo: LocalDynamo;
  /** The SDK's environment variables for endpoints. */
  readonly endpoints: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** By how far the functions' clocks run ahead, in ms: one number, shared with their threads. */
  readonly clockOffset: SharedArrayBuffer;
  readonly onLog: (functionName: string, line: string) => void;
  readonly onOutcome: (functionName: string, outcome: Outcome, event: unknown) => void;
  /** Pollers by queue: they outlive a deployment, as a poll that is cut off may take a message with it. */
  readonly pollers: Map<string, Poller>;
};

/** Synthesizes the parameters' stack and sets it going. @throws Error when it does not synthesize. */
export async function deploy(deps: DeploymentDeps, parameters: Parameters): Promise<Deployment> {
  const { stack, remove } = await synthesize(parameters, deps.sqs.queueUrl);
  await deps.sqs.create(stack.queues);
  await deps.dynamo.create(stack.tables);
  const nameById = new Map(stack.functions.map((spec) => [spec.id, nameOf(spec)]));
  const functions = startFunctions({
    functions: stack.functions,
    endpoints: deps.endpoints,
    clockOffset: deps.clockOffset,
    onLog: (id, line) => deps.onLog(nameById.get(id) ?? id, line),
  });
  for (const source of stack.eventSources) await feed(deps, stack, functions, source, nameById);
  const idOf = (name: FunctionName): string => {
    const spec = stack.functions.find((each) => nameOf(each) === name);
    if (!spec) throw new Error(`the stack has no function ${name}`);
    return spec.id;
  };
  return {
    stack,
    parameters,
    runs: dynamoRuns(deps.dynamo.client, variable(stack, 'RUNS_TABLE'), deps.clock),
    ledger: dynamoLedger(deps.dynamo.client, variable(stack, 'LEDGER_TABLE'), deps.clock),
    start: async (event) => startedRun(await functions.invoke(idOf('start-run'), event)),
    discard: async (event) => answered(await functions.invoke(idOf('start-run'), event)).because ?? '',
    sweep: async () => {
      returned(await functions.invoke(idOf('start-run'), { sweep: true }));
    },
    crashNext: (name, crash) => functions.crashNext(idOf(name), crash),
    stop: async () => {
      await functions.close();
      remove();
    },
  };
}

async function feed(
  deps: DeploymentDeps,
  stack: StackSpec,
  functions: Functions,
  source: EventSource,
  nameById: ReadonlyMap<string, string>,
): Promise<void> {
  const queue = stack.queues.find(({ name }) => name === source.queueName);
  if (!queue) throw new Error(`the stack has no queue '${source.queueName}'`);
  const known = deps.pollers.get(queue.name);
  if (known) return known.retarget({ functions, source });
  const options = {
    sqs: deps.sqs.client,
    queueUrl: deps.sqs.queueUrl(queue.name),
    visibilitySeconds: queue.visibilitySeconds,
    onOutcome: (id: string, outcome: Outcome, event: unknown) => deps.onOutcome(nameById.get(id) ?? id, outcome, event),
  };
  deps.pollers.set(queue.name, startPoller(options, { functions, source }));
}

/** Functions are told apart by what they are given: only a writer has a Braze app, only a reader all batch queues. */
function nameOf({ environment }: FunctionSpec): FunctionName {
  if ('BRAZE_APP' in environment) return 'write-batch';
  return 'BATCH_QUEUE_URLS' in environment ? 'extract-shard' : 'start-run';
}

/** What the functions are told by an environment variable. */
function variable(stack: StackSpec, name: string): string {
  const value = stack.functions.map(({ environment }) => environment[name]).find((each) => each !== undefined);
  if (value === undefined) throw new Error(`no function of the stack has ${name}`);
  return value;
}

const Started = z.object({ started: z.boolean(), run: z.string().optional(), because: z.string().optional() });

function returned(outcome: Outcome): unknown {
  if (outcome.kind === 'threw') throw new Error(outcome.error);
  if (outcome.kind === 'died') throw new Error(`start-run died: ${outcome.because}`);
  return outcome.result;
}

const answered = (outcome: Outcome): z.infer<typeof Started> => Started.parse(returned(outcome));

function startedRun(outcome: Outcome): string {
  const { started, run, because } = answered(outcome);
  if (!started || run === undefined) throw new Error(`the run was not started: ${because}`);
  return run;
}
