/**
 * An execution environment: one thread that loads a function's bundle and handles one event after the other, as Lambda's
 * own runtime does. Plain JavaScript, as a thread starts without a loader for TypeScript.
 *
 * Two things are this cloud's own: the clock runs ahead by an offset that the cloud sets (a crash is followed by the wait
 * that a visibility timeout would be, without waiting), and the thread can be told to die at its n-th effect (a request that changes something). A call
 * to AWS that the function's role does not allow is cut off, as an account would refuse it.
 */
import { subscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ module: string, handler: string, clock: SharedArrayBuffer, name: string, memoryMb: number, allowedActions: string[] }} */
const { module, handler, clock, name, memoryMb, allowedActions } = workerData;
const offsetMs = new Float64Array(clock);

const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + offsetMs[0]);
    else super(...parts);
  }

  static now() {
    return RealDate.now() + offsetMs[0];
  }
};

/** @type {{ at: number, when: 'before' | 'after' } | undefined} */
let crash;
let effects = 0;
/** Requests that change nothing: dying before one of them is dying after the effect before it. */
const isRead = (target) => /\.(Get|BatchGet|Query|Describe)/.test(target);
const onEffect = () => {
  effects++;
  if (crash?.when === 'before' && effects === crash.at) process.exit(1);
};
const onAnswer = () => {
  if (crash?.when === 'after' && effects === crash.at) process.exit(1);
};

/** How the services name themselves in a request, and in a policy. */
const SERVICES = {
  DynamoDB_20120810: 'dynamodb',
  AmazonSQS: 'sqs',
  RedshiftData: 'redshift-data',
  secretsmanager: 'secretsmanager',
};
/** SQS's calls for several messages are allowed by the action for one. */
const actionOf = (target) => {
  const [service, operation] = target.split('.');
  return `${SERVICES[service] ?? service}:${service === 'AmazonSQS' ? operation.replace(/Batch$/, '') : operation}`;
};
const targetOf = ({ headers = {} }) => headers['x-amz-target'] ?? headers['X-Amz-Target'];

// The SDK's requests are met before there is anything to send: `http.client.request.start` is told of a request that may
// have left already, over a connection that was kept.
const realRequest = http.request;
http.request = (options, ...others) => {
  const target = targetOf(options);
  if (typeof target !== 'string' || !isRead(target)) onEffect();
  const request = realRequest(options, ...others);
  if (typeof target === 'string' && !allowedActions.includes(actionOf(target))) {
    const found = `the role of ${name} does not allow ${actionOf(target)}`;
    request.destroy(Object.assign(new Error(found), { name: 'AccessDeniedException' }));
  }
  return request;
};
syncBuiltinESMExports();
subscribe('undici:request:create', onEffect);
subscribe('http.client.response.finish', onAnswer);
subscribe('undici:request:trailers', onAnswer);

const loaded = import(module);

parentPort.on('message', async ({ id, event, timeoutMs, crashAt }) => {
  crash = crashAt;
  effects = 0;
  const deadline = RealDate.now() + timeoutMs;
  const context = {
    functionName: name,
    functionVersion: '$LATEST',
    memoryLimitInMB: String(memoryMb),
    awsRequestId: id,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadline - RealDate.now()),
  };
  try {
    const result = await (await loaded)[handler](event, context);
    parentPort.postMessage({ id, result, effects });
  } catch (error) {
    parentPort.postMessage({
      id,
      error: { name: error?.name ?? 'Error', message: error?.message ?? String(error) },
      effects,
    });
  }
});
