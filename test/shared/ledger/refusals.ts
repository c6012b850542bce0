/** Refusals as tests need them. */
import type { Refusal } from '../../../shared/ledger/entry.ts';
import { START_MS } from '../fake-clock.ts';

/** Returns the first refusal of a record, with changes. */
export const refusalOf = (more: Partial<Refusal> = {}): Refusal => ({
  digest: '0123456789abcdef',
  reason: 'no such address',
  field: '',
  tries: 1,
  since: START_MS,
  ...more,
});
