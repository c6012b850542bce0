/**
 * The whole system on one machine: the synthesized stack, its bundled functions, and emulators of the services around
 * them. Only the SDK's endpoints differ from an account: no handler knows where it runs.
 *
 * With a folder, tables, warehouse and Braze are kept from one start to the next. Queues are not: a run that was under
 * way when the cloud stopped is closed as failed by the next start, and found again by the next run, as anywhere.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { dynamoLedger, type Ledger } from '../shared/ledger/ledger.ts';
import type { BrazeApp, Parameters } from '../shared/parameters/schema.ts';
import { isOver, type Run } from '../shared/runs/model.ts';
import { closeStuckRun, type StartEvent } from '../shared/runs/start-run.ts';
import { dynamoRuns, type RunStore } from '../shared/runs/store.ts';
import { type Clock, systemClock } from '../shared/time.ts';
import { type BrazeEmulator, startBrazeEmulator } from './braze/emulator.ts';
import { startDynamo } from './dynamodb.ts';
import { type Poller, startPoller } from './event-sources.ts';
import { type Crash, type Functions, type Outcome, startFunctions } from './lambda/functions.ts';
import { type Lock, lockFolder } from './lock.ts';
import { type RedshiftDataApi, startRedshiftDataApi } from './redshift/index.ts';
import { type SecretsManager, startSecretsManager } from './secrets-manager/index.ts';
import { type LocalSqs, startSqs } from './sqs.ts';
import { synthesize } from './synthesize.ts';
import type { StackSpec } from './template.ts';

export type LocalCloudOptions = {
  readonly parameters: Parameters;
  /** Keeps the state from one start to the next; in memory when absent. */
  readonly dir?: string;
  /** Sends to this Braze in place of the emulators. */
  readonly brazeEndpoint?: string;
  /** Secret values by name or ARN; keys that are not given are made up. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Takes each line that a function logs. */
  readonly onLog?: (functionId: string, line: string) => void;
  /** Takes how each invocation ended. */
  readonly onOutcome?: (functionId: string, outcome: Outcome) => void;
  /** Rows of a page of the Data API. */
  readonly pageRows?: number;
};

export type FunctionName = 'start-run' | 'extract-shard' | 'write-batch';

export type LocalCloud = {
  readonly warehouse: RedshiftDataApi;
  readonly secrets: SecretsManager;
  /** The emulated workspace of a Braze app; none when another Braze is used. */
  readonly braze: (app?: string) => BrazeEmulator;
  readonly runs: RunStore;
  readonly ledger: Ledger;
  readonly sqs: LocalSqs;
  readonly stack: StackSpec;
  readonly clock: Clock;
  /** The parameters as the functions have them, with local endpoints. */
  readonly parameters: Parameters;
  /** Starts a run as its schedule does; returns its id. @throws Error when it was not started. */
  readonly start: (event: StartEvent) => Promise<string>;
  /** Waits for a run's end. */
  readonly ended: (destination: string, run: string) => Promise<Run>;
  /** Starts a run and waits for its end. */
  readonly run: (event: StartEvent) => Promise<Run>;
  /** Lets the next invocation of a function die. */
  readonly crashNext: (name: FunctionName, crash: Crash) => void;
  /** Lets the clocks of functions and emulators run ahead. */
  readonly advance: (ms: number) => void;
  readonly close: () => Promise<void>;
};

/** Starts the local cloud. @throws Error when the folder is in use or the stack does not synthesize. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const closers: (() => Promise<void>)[] = [];
  const closing = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await start(options, closers, closing);
  } catch (error) {
    await closing();
    throw error;
  }
}

async function start(
  options: LocalCloudOptions,
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<LocalCloud> {
  const { dir } = options;
  const kept = (name: string): string | undefined => (dir === undefined ? undefined : join(dir, name));
  if (dir !== undefined) {
    const lock: Lock = lockFolder(dir);
    closers.push(async () => lock.release());
  }
  let functions: Functions | undefined;
  const clock: Clock = { ...systemClock, now: () => functions?.now() ?? Date.now() };

  const warehouseDir = kept('warehouse');
  const warehouse = await startRedshiftDataApi({
    now: clock.now,
    ...(warehouseDir === undefined ? {} : { dataDir: warehouseDir }),
    ...(options.pageRows === undefined ? {} : { pageRows: options.pageRows }),
  });
  closers.push(warehouse.close);

  const secretValues = secretsOf(options);
  const secrets = await startSecretsManager({ secrets: secretValues, now: clock.now });
  closers.push(secrets.close);

  const emulators = await startEmulators(options, secretValues, clock, kept);
  for (const emulator of emulators.values()) closers.push(() => emulator.close());

  const parameters = withEndpoints(options, emulators);
  const sqs = await startSqs();
  closers.push(sqs.close);
  const { stack, remove } = await synthesize(parameters, sqs.queueUrl);
  closers.push(async () => remove());
  await sqs.create(stack.queues);

  const dynamo = await startDynamo(stack.tables, kept('dynamodb'));
  closers.push(dynamo.close);
  const started = startFunctions({
    functions: stack.functions,
    endpoints: {
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.url,
      AWS_ENDPOINT_URL_SQS: sqs.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      AWS_ENDPOINT_URL_REDSHIFT_DATA: warehouse.url,
    },
    onLog: options.onLog ?? (() => undefined),
  });
  functions = started;
  closers.push(started.close);

  const runs = dynamoRuns(dynamo.client, tableOf(stack, 'RUNS_TABLE'), clock);
  const ledger = dynamoLedger(dynamo.client, tableOf(stack, 'LEDGER_TABLE'), clock);
  await closeInterrupted(parameters, runs, clock);

  const pollers = stack.eventSources.map((source): Poller => {
    const spec = stack.queues.find(({ name }) => name === source.queueName);
    if (!spec) throw new Error(`the stack has no queue '${source.queueName}'`);
    return startPoller({
      sqs: sqs.client,
      functions: started,
      source,
      queueUrl: sqs.queueUrl(spec.name),
      visibilitySeconds: spec.visibilitySeconds,
      onOutcome: options.onOutcome ?? (() => undefined),
    });
  });
  closers.push(async () => {
    await Promise.all(pollers.map((poller) => poller.stop()));
  });

  const startByName = async (event: StartEvent): Promise<string> =>
    startedRun(await started.invoke(functionId(stack, 'start-run'), event));
  const ended = async (destination: string, run: string): Promise<Run> => {
    for (;;) {
      const current = await runs.get(destination, run);
      if (current && isOver(current)) return current;
      await sleep(30);
    }
  };
  return {
    warehouse,
    secrets,
    braze: (app = Object.keys(parameters.apps).find((name) => parameters.apps[name]?.type === 'braze') ?? '') => {
      const emulator = emulators.get(app);
      if (!emulator) throw new Error(`there is no emulated Braze app '${app}'`);
      return emulator;
    },
    runs,
    ledger,
    sqs,
    stack,
    clock,
    parameters,
    start: startByName,
    ended,
    run: async (event) => ended(event.destination, await startByName(event)),
    crashNext: (name, crash) => started.crashNext(functionId(stack, name), crash),
    advance: started.advance,
    close,
  };
}

const brazeApps = (parameters: Parameters): [string, BrazeApp][] =>
  Object.entries(parameters.apps).flatMap(([name, app]): [string, BrazeApp][] =>
    app.type === 'braze' ? [[name, app]] : [],
  );

/** Secrets that nobody gave a value for get one: locally, any key will do. */
function secretsOf({ parameters, secrets = {} }: LocalCloudOptions): Record<string, string> {
  const made: Record<string, string> = {};
  for (const app of Object.values(parameters.apps)) {
    const id = app.type === 'braze' ? app.apiKeySecret : app.secret;
    if (id !== undefined) made[id] = app.type === 'braze' ? 'local-api-key' : '{"username":"local","password":"local"}';
  }
  return { ...made, ...secrets };
}

async function startEmulators(
  { parameters, brazeEndpoint }: LocalCloudOptions,
  secrets: Readonly<Record<string, string>>,
  clock: Clock,
  kept: (name: string) => string | undefined,
): Promise<Map<string, BrazeEmulator>> {
  const emulators = new Map<string, BrazeEmulator>();
  if (brazeEndpoint !== undefined) return emulators;
  for (const [name, app] of brazeApps(parameters)) {
    const statePath = kept(`braze-${name}.json`);
    const key = apiKeyText(secrets[app.apiKeySecret] ?? '');
    emulators.set(
      name,
      await startBrazeEmulator({ keys: [{ key }], now: clock.now, ...(statePath === undefined ? {} : { statePath }) }),
    );
  }
  return emulators;
}

const apiKeyText = (secret: string): string =>
  secret.trim().startsWith('{') ? z.object({ apiKey: z.string() }).parse(JSON.parse(secret)).apiKey : secret.trim();

function withEndpoints(
  { parameters, brazeEndpoint }: LocalCloudOptions,
  emulators: ReadonlyMap<string, BrazeEmulator>,
): Parameters {
  const apps = Object.entries(parameters.apps).map(([name, app]) =>
    app.type === 'braze'
      ? [name, { ...app, endpoint: brazeEndpoint ?? emulators.get(name)?.url ?? app.endpoint }]
      : [name, app],
  );
  return { ...parameters, apps: Object.fromEntries(apps) };
}

/** The table that the functions know by an environment variable. */
function tableOf(stack: StackSpec, variable: string): string {
  const table = stack.functions.map(({ environment }) => environment[variable]).find((name) => name !== undefined);
  if (table === undefined) throw new Error(`no function of the stack has ${variable}`);
  return table;
}

/** Functions are told apart by what they are given: only a writer has a Braze app, only a reader all batch queues. */
function functionId(stack: StackSpec, name: FunctionName): string {
  const fits = (environment: Readonly<Record<string, string>>): boolean => {
    if (name === 'write-batch') return 'BRAZE_APP' in environment;
    if (name === 'extract-shard') return 'BATCH_QUEUE_URLS' in environment;
    return 'EXTRACT_QUEUE_URL' in environment && !('LEDGER_TABLE' in environment);
  };
  const spec = stack.functions.find(({ environment }) => fits(environment));
  if (!spec) throw new Error(`the stack has no function ${name}`);
  return spec.id;
}

const Started = z.object({ started: z.boolean(), run: z.string().optional(), because: z.string().optional() });

function startedRun(outcome: Outcome): string {
  if (outcome.kind === 'threw') throw new Error(outcome.error);
  if (outcome.kind === 'died') throw new Error(`start-run died: ${outcome.because}`);
  const { started, run, because } = Started.parse(outcome.result);
  if (!started || run === undefined) throw new Error(`the run was not started: ${because}`);
  return run;
}

/** No function is alive and no message is left when the cloud starts: an open run has ended with the last one. */
async function closeInterrupted(parameters: Parameters, runs: RunStore, clock: Clock): Promise<void> {
  for (const destination of Object.keys(parameters.destinations)) {
    const { open, openedAt } = await runs.state(destination);
    if (open === undefined) continue;
    const quiet = { log: silent, metrics: { add: () => undefined } };
    if (await closeStuckRun({ runs, clock, ...quiet, stuckAfterMs: 0 }, destination, open, openedAt ?? 0))
      await runs.free(destination, open);
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
