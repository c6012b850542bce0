/**
 * Faults of the emulator on request: each is for the next request or statement of its kind, in the order they were asked
 * for, and used up by it. Without a request nothing ever fails by itself.
 */
import { AwsError } from '../aws-json.ts';

export const OPERATIONS = ['ExecuteStatement', 'DescribeStatement', 'GetStatementResult', 'CancelStatement'] as const;
export type OperationName = (typeof OPERATIONS)[number];

/** The exceptions that may be asked for, with their HTTP status. Source: Redshift Data API, 'ExecuteStatement' (Errors). */
const EXCEPTIONS = {
  ActiveSessionsExceededException: [400, 'Active sessions exceed the allowed quota.'],
  ActiveStatementsExceededException: [400, 'Active statements exceeded the allowed quota (200).'],
  ExecuteStatementException: [500, 'The statement could not be run.'],
  InternalServerException: [500, 'Internal server error.'],
  ResourceNotFoundException: [400, 'Query does not exist.'],
  ThrottlingException: [400, 'Rate exceeded'],
  ValidationException: [400, 'The request is not valid.'],
} as const satisfies Record<string, readonly [number, string]>;
export type ExceptionName = keyof typeof EXCEPTIONS;

/** Returns the exception as the service would answer it. */
export function exceptionOf(
  name: ExceptionName,
  message?: string,
  members?: Readonly<Record<string, string>>,
): AwsError {
  const [status, usual] = EXCEPTIONS[name];
  return new AwsError(name, message ?? usual, status, members);
}

/** What the next statement is to do: fail with an error, or answer STARTED for a number of polls. */
export type StatementFault = { readonly error?: string; readonly startedPolls?: number };

export type Faults = {
  /** The next `times` requests (1 unless given) of an operation fail with the exception. */
  failNext(operation: OperationName, exception: ExceptionName, times?: number): void;
  /** The next statement is accepted and then FAILED with this text, such as `ERROR: permission denied for schema x`. */
  failStatement(error: string): void;
  /** The next statement answers STARTED to its first `polls` DescribeStatement requests; Infinity never ends. */
  keepStarted(polls: number): void;
  /** The next `times` GetStatementResult requests are throttled. */
  throttleResults(times: number): void;
  /** Results of every statement so far are gone, as after 24 hours. */
  expireResults(): void;
  /** Forgets every fault that is not used up. */
  clear(): void;
};

export type FaultPlan = Faults & {
  /** @throws AwsError the fault that was asked for, if there is one. */
  check(operation: OperationName): void;
  nextStatement(): StatementFault;
};

/** Returns an empty plan; `expireResults` is the emulator's own. */
export function faultPlan(expireResults: () => void): FaultPlan {
  const exceptions = new Map<OperationName, ExceptionName[]>();
  let statements: StatementFault[] = [];
  const failNext: Faults['failNext'] = (operation, exception, times = 1) => {
    const planned = exceptions.get(operation) ?? [];
    exceptions.set(operation, [...planned, ...Array.from({ length: times }, () => exception)]);
  };
  return {
    failNext,
    failStatement: (error) => statements.push({ error }),
    keepStarted: (startedPolls) => statements.push({ startedPolls }),
    throttleResults: (times) => failNext('GetStatementResult', 'ThrottlingException', times),
    expireResults,
    clear() {
      exceptions.clear();
      statements = [];
    },
    check(operation) {
      const exception = exceptions.get(operation)?.shift();
      if (exception !== undefined) throw exceptionOf(exception);
    },
    nextStatement: () => statements.shift() ?? {},
  };
}
