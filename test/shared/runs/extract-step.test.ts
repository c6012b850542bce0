/** What becomes of a step of the extract queue that fails at its last try. */
import type { LocalDynamo } from '../../../local/dynamodb.ts';
import { GivenUp, RetryLater } from '../../../shared/errors.ts';
import type { ExtractDeps } from '../../../shared/runs/extract-deps.ts';
import { extractStep } from '../../../shared/runs/extract-step.ts';
import type { ExtractMessage } from '../../../shared/runs/messages.ts';
import type { Run } from '../../../shared/runs/model.ts';
import type { RunStore } from '../../../shared/runs/store.ts';
import { depsOn, parametersWith, startTables } from './deps.ts';
import { runOf, shardOf } from './runs.ts';

let dynamo: LocalDynamo;
beforeAll(async () => {
  dynamo = await startTables();
});
afterAll(() => dynamo.close());

let names = 0;
const throttled = (): never => {
  throw new Error('the table does not answer');
};

/** An open run without a warehouse; `more` replaces what the store does. */
async function opened(more: Partial<RunStore>, run: Partial<Run> = {}) {
  const key = { run: `r${++names}`, destination: `d${names}` };
  const deps = depsOn(dynamo, { ...more });
  const plain = depsOn(dynamo).runs;
  await plain.open(key.destination, key.run, 'x');
  await plain.create(runOf({ ...key, ledger: key.destination, ...run }));
  const wired: ExtractDeps = {
    ...deps,
    parameters: parametersWith({ [key.destination]: {} }),
    warehouse: throttled,
    batchQueue: throttled,
    remainingMs: () => 100_000,
    newEpoch: () => 'e1',
  };
  return { key, deps, plain, wired };
}

/** A shard's message at its last try, whose reading fails; `more` replaces what the store does. */
async function lastTry(more: Partial<RunStore>, again?: number) {
  const { key, deps, plain, wired } = await opened(more);
  const message: ExtractMessage = {
    ...{ kind: 'shard', ...key, shard: 0, polls: 0 },
    ...(again === undefined ? {} : { again }),
  };
  const tries = { receiveCount: 5, maxReceiveCount: 5 };
  const { runs, sent } = deps;
  return {
    runs,
    sent,
    message,
    status: async () => (await plain.get(key.destination, key.run))?.status,
    step: () => extractStep(wired, message, tries),
  };
}

test('its run fails', async () => {
  let looks = 0;
  const shard = async () => (++looks === 1 ? throttled() : undefined);
  const { sent, status, step } = await lastTry({ shard });
  await expect(step()).rejects.toBeInstanceOf(GivenUp);
  expect(await status()).toBe('failed');
  expect(sent).toEqual([]);
});

test('it is put back where not even its run can be failed', async () => {
  const { sent, message, status, step } = await lastTry({ shard: throttled, change: throttled });
  await step();
  expect(await status()).toBe('running');
  expect(sent).toEqual([{ ...message, again: 1 }]);
});

test('it is put back a few times only', async () => {
  const { sent, step } = await lastTry({ shard: throttled, change: throttled }, 5);
  await expect(step()).rejects.toThrow('the table does not answer');
  expect(sent).toEqual([]);
});

test('what only waits is put back, also where the sign of life is lost', async () => {
  const wait = (): never => {
    throw new RetryLater('another reading of the shard got ahead', 5000);
  };
  const { sent, message, step } = await lastTry({ shard: wait, change: throttled });
  await expect(step()).rejects.toThrow();
  expect(sent).toEqual([message]);
});

test.each(['preparing', 'counting', 'extracting'] as const)(
  'the first step of a run that has failed while it was %s ends the shards that nobody reads',
  async (phase) => {
    const error = { found: 'the table does not answer', next: 'wait' };
    const { key, plain, wired } = await opened({}, { status: 'failing', phase, error });
    await plain.createShard(key.run, shardOf());
    await extractStep(wired, { kind: 'prepare', ...key, polls: 0 }, { receiveCount: 1, maxReceiveCount: 5 });
    expect(await plain.get(key.destination, key.run)).toMatchObject({ status: 'failed', error });
    expect((await plain.state(key.destination)).open).toBeUndefined();
  },
);
