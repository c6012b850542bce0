/**
 * The whole system on one machine: the synthesized stack, its bundled functions, and emulators of the services around
 * them. Only the SDK's endpoints differ from an account: no handler knows where it runs.
 *
 * With a folder, tables, warehouse and Braze are kept from one start to the next. Queues are not: a run that was under
 * way when the cloud stopped is closed as failed by the next start, and found again by the next run, as anywhere.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Ledger } from '../shared/ledger/ledger.ts';
import type { BrazeApp, Parameters } from '../shared/parameters/schema.ts';
import { isOver, type Run } from '../shared/runs/model.ts';
import { closeStuckRun, type StartEvent } from '../shared/runs/start-run.ts';
import type { RunStore } from '../shared/runs/store.ts';
import { type Clock, systemClock } from '../shared/time.ts';
import { type BrazeEmulator, startBrazeEmulator } from './braze/emulator.ts';
import { type Deployment, deploy, type FunctionName } from './deployment.ts';
import { type LocalDynamo, startDynamo } from './dynamodb.ts';
import type { Poller } from './event-sources.ts';
import type { Crash, Outcome } from './lambda/functions.ts';
import { lockFolder } from './lock.ts';
import { type RedshiftDataApi, startRedshiftDataApi } from './redshift/index.ts';
import { type SecretsManager, startSecretsManager } from './secrets-manager/index.ts';
import { type LocalSqs, startSqs } from './sqs.ts';
import type { StackSpec } from './template.ts';

export type LocalCloudOptions = {
  readonly parameters: Parameters;
  /** Keeps the state from one start to the next; in memory when absent. */
  readonly dir?: string;
  /** Sends to this Braze in place of the emulators. */
  readonly brazeEndpoint?: string;
  /** Secret values by name or ARN; those that are not given are made up. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Takes each line that a function logs. */
  readonly onLog?: (functionName: string, line: string) => void;
  /** Takes how each invocation ended. */
  readonly onOutcome?: (functionName: string, outcome: Outcome, event: unknown) => void;
  /** Rows of a page of the Data API; 1000 unless given. */
  readonly pageRows?: number;
  /** Divides the delays of the queues: for tests of what happens after a wait. */
  readonly hurry?: number;
};

export type LocalCloud = {
  readonly warehouse: RedshiftDataApi;
  readonly secrets: SecretsManager;
  readonly sqs: LocalSqs;
  readonly dynamo: LocalDynamo;
  readonly clock: Clock;
  /** The emulated workspace of a Braze app, the first one unless named. @throws Error when another Braze is used. */
  readonly braze: (app?: string) => BrazeEmulator;
  readonly runs: () => RunStore;
  readonly ledger: () => Ledger;
  readonly stack: () => StackSpec;
  /** The parameters as the functions have them, with local endpoints. */
  readonly parameters: () => Parameters;
  /** Deploys other parameters, as `cdk deploy` would; the state stays. */
  readonly deploy: (parameters: Parameters) => Promise<void>;
  /** Starts a run as its schedule does. Returns its id. @throws Error when it was not started. */
  readonly start: (event: StartEvent) => Promise<string>;
  /** Discards held effects, as a person does. Returns what start-run says to it. */
  readonly discard: (event: StartEvent) => Promise<string>;
  /** Closes runs whose messages are lost, as the sweeper's schedule does. */
  readonly sweep: () => Promise<void>;
  /** Waits for a run's end. */
  readonly ended: (destination: string, run: string) => Promise<Run>;
  /** Starts a run and waits for its end. */
  readonly run: (event: StartEvent) => Promise<Run>;
  /** Lets an invocation of a function die; without a crash, none dies. */
  readonly crashNext: (name: FunctionName, crash: Crash | undefined) => void;
  /** Lets the clocks of functions and emulators run ahead. */
  readonly advance: (ms: number) => void;
  readonly close: () => Promise<void>;
};

type Closer = () => Promise<void> | void;

/** Starts the local cloud. @throws Error when the folder is in use or the stack does not synthesize. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const closers: Closer[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await start(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(options: LocalCloudOptions, closers: Closer[], close: () => Promise<void>): Promise<LocalCloud> {
  const { dir, pageRows } = options;
  const kept = (name: string): string | undefined => (dir === undefined ? undefined : join(dir, name));
  if (dir !== undefined) closers.push(lockFolder(dir).release);
  const clockOffset = new SharedArrayBuffer(8);
  const offsetMs = new Float64Array(clockOffset);
  const clock: Clock = { ...systemClock, now: () => Date.now() + (offsetMs[0] ?? 0) };

  const warehouse = await startRedshiftDataApi({ now: clock.now, ...given({ dataDir: kept('warehouse'), pageRows }) });
  closers.push(warehouse.close);
  const secrets = await startSecretsManager({
    secrets: secretsOf(options.parameters, options.secrets),
    now: clock.now,
  });
  closers.push(secrets.close);
  const sqs = await startSqs(options.hurry);
  closers.push(sqs.close);
  const dynamo = await startDynamo(kept('dynamodb'));
  closers.push(dynamo.close);

  const emulators = new Map<string, BrazeEmulator>();
  closers.push(async () => {
    await Promise.all([...emulators.values()].map((emulator) => emulator.close()));
  });
  /** Each Braze app has a workspace of its own, from the first deployment that names it on. */
  const withEndpoints = async (parameters: Parameters): Promise<Parameters> => {
    const secretValues = secretsOf(parameters, options.secrets);
    const apps = { ...parameters.apps };
    for (const [name, app] of brazeApps(parameters)) {
      if (options.brazeEndpoint === undefined && !emulators.has(name)) {
        emulators.set(name, await startEmulator(app, secretValues, clock, kept(`braze-${name}.json`)));
      }
      // A ledger belongs to the workspace that the file names, wherever its stand-in listens.
      const workspace = app.workspace ?? app.endpoint;
      apps[name] = { ...app, workspace, endpoint: options.brazeEndpoint ?? emulators.get(name)?.url ?? app.endpoint };
    }
    for (const [id, value] of Object.entries(secretValues)) secrets.set(id, value);
    return { ...parameters, apps };
  };

  const pollers = new Map<string, Poller>();
  const deps = {
    sqs,
    dynamo,
    clock,
    clockOffset,
    endpoints: {
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.url,
      AWS_ENDPOINT_URL_SQS: sqs.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      AWS_ENDPOINT_URL_REDSHIFT_DATA: warehouse.url,
    },
    onLog: options.onLog ?? (() => undefined),
    onOutcome: options.onOutcome ?? (() => undefined),
    pollers,
  };
  let stopDeployment: Closer = () => undefined;
  closers.push(async () => {
    await Promise.all([...pollers.values()].map((poller) => poller.stop()));
    await stopDeployment();
  });
  let deployment: Deployment = await deploy(deps, await withEndpoints(options.parameters));
  stopDeployment = () => deployment.stop();
  await closeInterrupted(deployment, clock);

  const ended = async (destination: string, run: string): Promise<Run> => {
    for (;;) {
      const current = await deployment.runs.get(destination, run);
      if (current && isOver(current)) return current;
      await sleep(20);
    }
  };
  return {
    warehouse,
    secrets,
    sqs,
    dynamo,
    clock,
    braze: (app) => {
      const emulator = app === undefined ? [...emulators.values()][0] : emulators.get(app);
      if (!emulator) throw new Error(`there is no emulated Braze app '${app ?? ''}'`);
      return emulator;
    },
    runs: () => deployment.runs,
    ledger: () => deployment.ledger,
    stack: () => deployment.stack,
    parameters: () => deployment.parameters,
    deploy: async (parameters) => {
      const next = await withEndpoints(parameters);
      const former = deployment;
      deployment = await deploy(deps, next);
      await former.stop();
    },
    start: (event) => deployment.start(event),
    discard: (event) => deployment.discard(event),
    sweep: () => deployment.sweep(),
    ended,
    run: async (event) => ended(event.destination, await deployment.start(event)),
    crashNext: (name, crash) => deployment.crashNext(name, crash),
    advance: (ms) => {
      offsetMs[0] = (offsetMs[0] ?? 0) + ms;
    },
    close,
  };
}

/** The members that have a value: an option that is not given must be absent. */
const given = <T extends Record<string, unknown>>(members: T) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

const brazeApps = (parameters: Parameters): [string, BrazeApp][] =>
  Object.entries(parameters.apps).flatMap(([name, app]): [string, BrazeApp][] =>
    app.type === 'braze' ? [[name, app]] : [],
  );

/** Secrets that nobody gave a value for get one: locally, any key will do. */
function secretsOf(parameters: Parameters, values: Readonly<Record<string, string>> = {}): Record<string, string> {
  const made: Record<string, string> = {};
  for (const app of Object.values(parameters.apps)) {
    const id = app.type === 'braze' ? app.apiKeySecret : app.secret;
    if (id !== undefined) made[id] = app.type === 'braze' ? 'local-api-key' : '{"username":"local","password":"local"}';
  }
  return { ...made, ...values };
}

const startEmulator = (
  app: BrazeApp,
  secrets: Readonly<Record<string, string>>,
  clock: Clock,
  statePath: string | undefined,
): Promise<BrazeEmulator> =>
  startBrazeEmulator({
    keys: [{ key: apiKeyText(secrets[app.apiKeySecret] ?? '') }],
    now: clock.now,
    ...given({ statePath }),
  });

const apiKeyText = (secret: string): string =>
  secret.trim().startsWith('{') ? z.object({ apiKey: z.string() }).parse(JSON.parse(secret)).apiKey : secret.trim();

/** No function is alive and no message is left when the cloud starts: an open run has ended with the last one. */
async function closeInterrupted({ parameters, runs }: Deployment, clock: Clock): Promise<void> {
  const deps = { runs, clock, log: SILENT, metrics: { add: () => undefined }, stuckAfterMs: 0 };
  for (const destination of Object.keys(parameters.destinations)) {
    const { open, openedAt = 0 } = await runs.state(destination);
    if (open === undefined) continue;
    if ((await closeStuckRun(deps, destination, open, openedAt)) !== undefined) await runs.free(destination, open);
  }
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
