/** Runs and their parts as tests need them. */
import { Run, Settlement, Shard } from '../../../shared/runs/model.ts';
import { START_MS } from '../fake-clock.ts';

/** Returns a run that is under way, with changes. */
export const runOf = (more: Partial<Run> = {}): Run =>
  Run.parse({
    run: 'r1',
    destination: 'd1',
    status: 'running',
    phase: 'extracting',
    syncMode: 'sync',
    startedAt: START_MS,
    parametersHash: 'p',
    ledger: 'd1',
    ...more,
  });

export const shardOf = (more: Partial<Shard> = {}): Shard =>
  Shard.parse({ shard: 0, from: 0, to: 256, statementId: 's', ...more });

export const settlementOf = (more: Partial<Settlement> = {}): Settlement => Settlement.parse(more);
