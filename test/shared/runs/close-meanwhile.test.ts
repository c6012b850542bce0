/** A run that fails while somebody else is about to close it ends with the reason of its failure. */
import { type LocalDynamo, startDynamo } from '../../../local/dynamodb.ts';
import { close } from '../../../shared/runs/close.ts';
import { Run, ShardCounts } from '../../../shared/runs/model.ts';
import { dynamoRuns } from '../../../shared/runs/store.ts';
import { fakeClock, START_MS } from '../fake-clock.ts';
import { settlementOf, shardOf } from './runs.ts';

const TABLE = 'runs';
let dynamo: LocalDynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
  const keys = [
    { name: 'pk', type: 'HASH' },
    { name: 'sk', type: 'RANGE' },
  ] as const;
  const attributes = [
    { name: 'pk', type: 'S' },
    { name: 'sk', type: 'S' },
  ] as const;
  await dynamo.create([{ name: TABLE, keys: [...keys], attributes: [...attributes] }]);
});
afterAll(() => dynamo.close());

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

test.each(['once', 'twice'])('and is closed %s', async (times) => {
  const clock = fakeClock();
  const runs = dynamoRuns(dynamo.client, TABLE, clock);
  const key = { run: `r-${times}`, destination: `d-${times}` };
  const reported: string[] = [];
  const metrics = { add: (destination: string) => void reported.push(destination) };
  const running = Run.parse({
    ...key,
    status: 'running',
    phase: 'draining',
    syncMode: 'sync',
    startedAt: START_MS,
    parametersHash: 'p',
    ledger: key.destination,
  });
  await runs.open(key.destination, key.run, 'by schedule');
  await runs.create(running);
  const error = { found: 'Braze answered 401', next: 'Check the key.' };
  await runs.change(running, { status: 'failing', error }, { status: ['running'] });

  // What the one who closes has read before the run failed.
  const shards = [shardOf({ done: true, batches: 1, counts: ShardCounts.parse({ sent: 1 }) })];
  const settlements = [settlementOf({ settled: new Set([0]), undelivered: 1 })];
  const closing = times === 'once' ? [running] : [running, running];
  const closed = await Promise.all(
    closing.map((run) => close({ runs, clock, log, metrics }, run, shards, settlements)),
  );

  expect(closed.filter((run) => run !== undefined)).toHaveLength(1);
  expect(reported).toEqual([key.destination]);
  expect(await runs.get(key.destination, key.run)).toMatchObject({ status: 'failed', phase: 'closed', error });
  expect((await runs.state(key.destination)).open).toBeUndefined();
});
