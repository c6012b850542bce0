/** Asks Braze which users it has. Source: Braze, 'POST: Export user profile by identifier'. */
import * as z from 'zod';
import { type HttpAnswer, type NoAnswer, type Verdict, verdictOf } from './answers.ts';
import { type DeliverDeps, request, type Tally } from './deliver.ts';
import { lookupBody } from './requests.ts';

const ExportAnswer = z.object({ users: z.array(z.object({ external_id: z.string().optional() })) });

type Found = { readonly kind: 'found'; readonly primaryKeys: ReadonlySet<string> };

/**
 * Returns those of the users (50 at most) that Braze has.
 * @throws NotDelivered, FatalError as deliver does.
 */
export async function lookUp(
  deps: DeliverDeps,
  primaryKeys: readonly string[],
  tally: Tally,
): Promise<ReadonlySet<string>> {
  const read = (answer: HttpAnswer | NoAnswer) => foundIn(answer, primaryKeys.length, deps.clock.now());
  const found = await request(deps, '/users/export/ids', lookupBody(primaryKeys), tally, read);
  return found.primaryKeys;
}

/** A lookup changes nothing: whatever is not understood is asked again. */
function foundIn(
  answer: HttpAnswer | NoAnswer,
  users: number,
  nowMs: number,
): Found | Extract<Verdict, { kind: 'retryable' | 'fatal' }> {
  if ('status' in answer && answer.status >= 200 && answer.status < 300) {
    const body = parse(answer.body);
    if (body) {
      const ids = body.users.flatMap(({ external_id }) => (external_id === undefined ? [] : [external_id]));
      return { kind: 'found', primaryKeys: new Set(ids) };
    }
    return { kind: 'retryable', because: 'the answer to the lookup has no list of users', applied: 'no' };
  }
  const verdict = verdictOf(answer, users, 'external_ids', nowMs);
  if (verdict.kind === 'retryable') return { ...verdict, applied: 'no' };
  if (verdict.kind === 'fatal') return verdict;
  const found = `Braze refused to look users up (status ${'status' in answer ? answer.status : 'unknown'})`;
  return {
    kind: 'fatal',
    status: 400,
    found,
    next: 'Look the message up in Braze, POST: Export user profile by identifier.',
  };
}

function parse(text: string): z.infer<typeof ExportAnswer> | undefined {
  try {
    return ExportAnswer.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
