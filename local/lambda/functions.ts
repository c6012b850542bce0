/**
 * Invokes the bundled functions, each in a thread of its own: with the environment variables, memory and timeout of the
 * template. A thread is kept for the next event, as Lambda keeps its environments.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as z from 'zod';
import type { FunctionSpec } from '../template.ts';
import { REGION } from '../template.ts';

/** The thread dies before an invocation's n-th effect, or after it: an effect is a request that changes something. */
export type Crash = {
  readonly at: number;
  readonly when: 'before' | 'after';
  /** Only invocations whose event has this text; all of them unless given. */
  readonly event?: string;
};

export type Outcome =
  | { readonly kind: 'returned'; readonly result: unknown; readonly effects: number }
  | { readonly kind: 'threw'; readonly error: string; readonly effects: number }
  | { readonly kind: 'died'; readonly because: string };

export type Functions = {
  /** Runs a function to its end. Never throws: how it ended is the outcome. */
  readonly invoke: (id: string, event: unknown) => Promise<Outcome>;
  /** Arms a crash of a function: it stays until an invocation gets that far. Without one, disarms it. */
  readonly crashNext: (id: string, crash: Crash | undefined) => void;
  /** Lets the clocks of all functions run ahead. */
  readonly advance: (ms: number) => void;
  readonly close: () => Promise<void>;
};

export type FunctionsOptions = {
  readonly functions: readonly FunctionSpec[];
  /** Endpoints of the AWS services, as the SDK's environment variables. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** By how far the clocks run ahead, in ms: one number, shared with the threads. */
  readonly clockOffset: SharedArrayBuffer;
  /** Takes each line that a function logs. */
  readonly onLog: (functionId: string, line: string) => void;
};

const Answer = z.object({
  id: z.string(),
  result: z.unknown().optional(),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
  effects: z.number(),
});

/** Returns the functions of a stack, none of them started yet. */
export function startFunctions({ functions, endpoints, clockOffset, onLog }: FunctionsOptions): Functions {
  const specById = new Map(functions.map((spec) => [spec.id, spec]));
  const idle = new Map<string, Worker[]>();
  const all = new Set<Worker>();
  const crashes = new Map<string, Crash>();
  const offsetMs = new Float64Array(clockOffset);

  const start = (spec: FunctionSpec): Worker => {
    const [file = '', handler = ''] = spec.handler.split('.');
    const worker = new Worker(new URL('./environment.mjs', import.meta.url), {
      env: { ...environment(spec), ...endpoints },
      execArgv: ['--enable-source-maps', '--no-warnings'],
      workerData: {
        module: pathToFileURL(join(spec.code, `${file}.mjs`)).href,
        handler,
        clock: clockOffset,
        name: spec.id,
        memoryMb: spec.memoryMb,
        allowedActions: spec.allowedActions,
      },
      resourceLimits: { maxOldGenerationSizeMb: spec.memoryMb },
      stdout: true,
      stderr: true,
    });
    worker.unref();
    for (const stream of [worker.stdout, worker.stderr]) lines(stream, (line) => onLog(spec.id, line));
    all.add(worker);
    worker.once('exit', () => all.delete(worker));
    return worker;
  };

  return {
    invoke: async (id, event) => {
      const spec = specById.get(id);
      if (!spec) throw new Error(`the stack has no function '${id}'`);
      const pool = idle.get(id) ?? [];
      idle.set(id, pool);
      const worker = pool.pop() ?? start(spec);
      const crashAt = armed(crashes.get(id), event);
      const outcome = await handle(worker, event, spec.timeoutSeconds * 1000, crashAt);
      if (outcome.kind === 'died') {
        if (crashAt) crashes.delete(id);
        await worker.terminate();
      } else pool.push(worker);
      return outcome;
    },
    crashNext: (id, crash) => {
      if (crash) crashes.set(id, crash);
      else crashes.delete(id);
    },
    advance: (ms) => {
      offsetMs[0] = (offsetMs[0] ?? 0) + ms;
    },
    close: async () => {
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

const armed = (crash: Crash | undefined, event: unknown): Crash | undefined =>
  crash && JSON.stringify(event).includes(crash.event ?? '') ? crash : undefined;

/** What Lambda sets besides the function's own variables. Source: AWS Lambda Developer Guide, 'Defined runtime environment variables'. */
const environment = (spec: FunctionSpec): Record<string, string> => ({
  ...spec.environment,
  AWS_REGION: REGION,
  AWS_DEFAULT_REGION: REGION,
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  AWS_LAMBDA_FUNCTION_NAME: spec.id,
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
  LAMBDA_TASK_ROOT: spec.code,
  TZ: ':UTC',
});

function handle(worker: Worker, event: unknown, timeoutMs: number, crashAt: Crash | undefined): Promise<Outcome> {
  const id = randomUUID();
  return new Promise((resolve) => {
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
      resolve(outcome);
    };
    const onMessage = (message: unknown): void => {
      const { result, error, effects } = Answer.parse(message);
      finish(
        error
          ? { kind: 'threw', error: `${error.name}: ${error.message}`, effects }
          : { kind: 'returned', result, effects },
      );
    };
    const onError = (error: Error): void => finish({ kind: 'died', because: error.message });
    const onExit = (): void => finish({ kind: 'died', because: 'the process ended' });
    const timer = setTimeout(() => finish({ kind: 'died', because: `timed out after ${timeoutMs} ms` }), timeoutMs);
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
    worker.postMessage({ id, event, timeoutMs, crashAt });
  });
}

function lines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) take(line);
  });
}
