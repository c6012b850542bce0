/**
 * Functions, their execution environments and invocations, in virtual time.
 *
 * An environment works on one invocation at a time. An invocation that is killed never gets another answer: what it had
 * asked for may still take effect. Source: AWS Lambda Developer Guide, 'Understanding the Lambda execution environment lifecycle'.
 */
import type { Clock } from '../shared/time.ts';
import type { FaultKind, Faults, Site } from './faults.ts';
import { type Random, randomOf } from './random.ts';
import { CLOCK, LATENCY, POOL } from './streams.ts';
import type { Timeline } from './timeline.ts';

export type Outcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'killed'; readonly because: string };

export type Invocation = {
  readonly id: number;
  readonly name: string;
  /** The message's text, for functions that are fed by a queue. */
  readonly body: string | undefined;
  readonly startedAt: number;
  readonly deadline: number;
  readonly environment: ExecutionEnvironment;
  alive: boolean;
  /** It could not put a message on a queue. */
  hit: boolean;
  /** It has given its batch back, or settled it: it sends nothing more. */
  released: boolean;
  end: (outcome: Outcome) => void;
};

export type ExecutionEnvironment = {
  readonly id: number;
  readonly clock: Clock;
  /** What was deployed when the environment was made. */
  readonly deployment: number;
  current: Invocation | undefined;
  handler: (event: unknown, context: unknown) => Promise<unknown>;
};

/** Makes the handler of an environment, wired to clients that belong to it. */
export type MakeHandler = (environment: ExecutionEnvironment) => ExecutionEnvironment['handler'];

export type Watcher = {
  readonly trace: (text: () => string) => void;
  readonly ended: (invocation: Invocation, outcome: Outcome) => void;
};

export type Lambda = {
  readonly invoke: (name: string, event: unknown, done: (outcome: Outcome) => void, body?: string) => Invocation;
  /** Replaces the code: environments at work end their invocation with the old one. */
  readonly deploy: () => void;
  readonly deployment: () => number;
  /**
   * A call of a client. The effect takes place a little later and its result arrives then, if the invocation lives.
   * `instant`: no time passes, for calls that are many and yield nothing.
   */
  readonly call: <T>(
    environment: ExecutionEnvironment,
    site: Site,
    what: () => string,
    effect: (fault: FaultKind | undefined) => T,
    instant?: boolean,
  ) => Promise<T>;
  readonly kill: (invocation: Invocation, because: string) => void;
  readonly invocations: () => number;
  /** Those at work. */
  readonly alive: () => ReadonlySet<Invocation>;
};

export type LambdaOptions = {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly timeoutMs: Readonly<Record<string, number>>;
  readonly make: Readonly<Record<string, MakeHandler>>;
  readonly maxSkewMs: number;
  readonly watcher: Watcher;
};

/** Never resolves: nobody hears the answer. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** A call that takes this long is slow. */
const SLOW_MS: readonly [number, number] = [3_000, 100_000];

/** Returns the service with no environment yet. */
export function lambda({ seed, timeline, faults, timeoutMs, make, maxSkewMs, watcher }: LambdaOptions): Lambda {
  const idle = new Map<string, ExecutionEnvironment[]>();
  const alive = new Set<Invocation>();
  const latency = randomOf(seed, LATENCY);
  const clocks = randomOf(seed, CLOCK);
  const pool = randomOf(seed, POOL);
  let deployment = 0;
  let environments = 0;
  let invocations = 0;

  const newEnvironment = (name: string): ExecutionEnvironment => {
    const skewMs = clocks.int(-maxSkewMs, maxSkewMs);
    const environment: ExecutionEnvironment = {
      id: ++environments,
      deployment,
      current: undefined,
      clock: clockOf(skewMs),
      handler: () => Promise.reject(new Error('the environment has not started')),
    };
    function clockOf(skew: number): Clock {
      return {
        now: () => timeline.now() + skew,
        random: clocks.next,
        sleep: (ms) => {
          const invocation = environment.current;
          if (!invocation?.alive) return never();
          return new Promise((resolve) => {
            timeline.after(ms, () => {
              if (invocation.alive) resolve();
            });
          });
        },
      };
    }
    const maker = make[name];
    if (!maker) throw new Error(`there is no function '${name}'`);
    environment.handler = maker(environment);
    return environment;
  };

  const take = (name: string): ExecutionEnvironment => {
    const free = idle.get(name) ?? [];
    // Environments come and go as Lambda likes.
    if (free.length > 0 && pool.chance(0.05)) free.splice(pool.int(0, free.length - 1), 1);
    const environment = free.length > 0 ? free.splice(pool.int(0, free.length - 1), 1)[0] : undefined;
    return environment ?? newEnvironment(name);
  };

  const finish = (invocation: Invocation, outcome: Outcome): void => {
    if (!invocation.alive) return;
    invocation.alive = false;
    alive.delete(invocation);
    const { environment, name } = invocation;
    environment.current = undefined;
    watcher.trace(() => `${label(invocation)} ${described(outcome)}`);
    if (outcome.kind !== 'killed' && environment.deployment === deployment) {
      const free = idle.get(name);
      if (free) free.push(environment);
      else idle.set(name, [environment]);
    }
    watcher.ended(invocation, outcome);
    invocation.end(outcome);
  };

  const kill = (invocation: Invocation, because: string): void => finish(invocation, { kind: 'killed', because });

  return {
    kill,
    alive: () => alive,
    invocations: () => invocations,
    deployment: () => deployment,
    deploy: () => {
      deployment++;
      idle.clear();
    },
    invoke: (name, event, done, body) => {
      const environment = take(name);
      const startedAt = timeline.now();
      const deadline = startedAt + (timeoutMs[name] ?? 0);
      const invocation: Invocation = {
        id: ++invocations,
        name,
        body,
        startedAt,
        deadline,
        environment,
        alive: true,
        hit: false,
        released: false,
        end: done,
      };
      environment.current = invocation;
      alive.add(invocation);
      watcher.trace(() => `${label(invocation)} starts (environment ${environment.id}) ${JSON.stringify(event)}`);
      const endTimeout = timeline.after(deadline - startedAt, () => kill(invocation, 'timeout'));
      const context = { getRemainingTimeInMillis: () => Math.max(0, deadline - timeline.now()) };
      const settle = (outcome: Outcome): void => {
        endTimeout();
        finish(invocation, outcome);
      };
      environment.handler(event, context).then(
        (value) => settle({ kind: 'returned', value }),
        (error: unknown) => settle({ kind: 'threw', error }),
      );
      return invocation;
    },
    call: (environment, site, what, effect, instant = false) => {
      const invocation = environment.current;
      if (!invocation?.alive) return never();
      const fault = faults.draw(site);
      const say = (text: string): void => watcher.trace(() => `  ${label(invocation)} ${what()} ${text}`);
      if (fault) say(`!! ${fault}`);
      if (fault && site === 'send') invocation.hit = true;
      if (fault === 'invocation dies before a call') {
        kill(invocation, fault);
        return never();
      }
      if (instant && fault === undefined) {
        try {
          return Promise.resolve(effect(undefined));
        } catch (error) {
          return Promise.reject(error);
        }
      }
      const ms = fault === 'a call is slow' ? latency.int(...SLOW_MS) : latency.int(1, 20);
      return new Promise((resolve, reject) => {
        timeline.after(ms, () => {
          let result: { readonly value: ReturnType<typeof effect> } | { readonly error: unknown };
          try {
            result = { value: effect(fault) };
          } catch (error) {
            result = { error };
          }
          if (!invocation.alive) return;
          if (fault === 'invocation dies after a call') return kill(invocation, fault);
          if ('error' in result) {
            const { error } = result;
            say(`= ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`);
            reject(error);
          } else {
            say('');
            resolve(result.value);
          }
        });
      });
    },
  };
}

export const label = ({ name, id }: Invocation): string => `${name}#${id}`;

const described = (outcome: Outcome): string =>
  outcome.kind === 'killed'
    ? `is killed (${outcome.because})`
    : outcome.kind === 'threw'
      ? `throws ${String(outcome.error)}`
      : `returns ${JSON.stringify(outcome.value)}`;

/** Returns an error as an AWS client throws it. */
export const awsError = (name: string, status: number): Error =>
  Object.assign(new Error(`${name} (injected)`), { name, $metadata: { httpStatusCode: status } });

export type { Random };
