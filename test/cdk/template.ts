/** The synthesized stack of the test's parameters, read as CloudFormation will read it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { App, type AppProps } from 'aws-cdk-lib';
import * as z from 'zod';
import { WarehouseToBrazeStack } from '../../cdk/stack.ts';
import { parameters } from './parameters.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const CdkJson = z.object({ context: z.record(z.string(), z.unknown()) });

/** Returns an app with the context of cdk.json whose functions are not bundled: their code is no concern of most rules. */
export function testApp(outdir: string, props: AppProps = {}): App {
  const { context } = CdkJson.parse(JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')));
  const quick = { 'aws:cdk:bundling-stacks': [], 'aws:cdk:disable-stack-trace': true };
  return new App({ outdir, treeMetadata: false, ...props, context: { ...context, ...quick } });
}

/** Returns what `work` makes of a new directory that is gone afterwards. */
export function inTemporaryDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'w2b-test-'));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const Resource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DeletionPolicy: z.string().optional(),
  UpdateReplacePolicy: z.string().optional(),
});
export type Resource = z.infer<typeof Resource>;

export const Template = z.object({
  Resources: z.record(z.string(), Resource),
  Outputs: z.record(z.string(), z.unknown()),
});
export type Template = z.infer<typeof Template>;

const synthesized = inTemporaryDirectory((outdir) => {
  // Validation is a gate of its own (gates.test.ts); here it would only take time.
  const app = testApp(outdir, { builtinCloudFormationValidation: false });
  const stack = new WarehouseToBrazeStack(app, 'w2b-test', { parameters });
  app.synth();
  const template = Template.parse(JSON.parse(readFileSync(join(outdir, stack.templateFile), 'utf8')));
  return { stack, template };
});

export const template: Template = synthesized.template;

/**
 * Returns the resources of a type, with their properties parsed, for `test.each`.
 * @throws Error when there is none, as a rule over nothing proves nothing.
 */
export function resources<S extends z.ZodType>(type: string, schema: S): [id: string, properties: z.output<S>][] {
  const found = Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  if (found.length === 0) throw new Error(`the template has no ${type}`);
  return found.map(([id, { Properties }]) => [id, schema.parse(Properties)]);
}

const Intrinsic = z.union([
  z.strictObject({ Ref: z.string() }).transform(({ Ref }) => Ref),
  z.strictObject({ 'Fn::GetAtt': z.tuple([z.string(), z.string()]) }).transform((it) => it['Fn::GetAtt'].join('.')),
]);
const Join = z.strictObject({ 'Fn::Join': z.tuple([z.literal(''), z.array(z.unknown())]) });

/** Returns a value as text: `{Id}` for a reference, `{Id.Attribute}` for an attribute. @throws ZodError for any other function. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const joined = Join.safeParse(value);
  if (joined.success) return joined.data['Fn::Join'][1].map(textOf).join('');
  return `{${Intrinsic.parse(value)}}`;
}

/** Any value, as text. */
export const Text = z.unknown().transform(textOf);
/** One or several of something, as a list. */
export const OneOrMore = <S extends z.ZodType>(item: S) =>
  z.union([z.array(item), item.transform((one): z.output<S>[] => [one])]);

const Ref = z.object({ Ref: z.string() });
const idOf = (token: string): string => Ref.parse(synthesized.stack.resolve(token)).Ref;

const { pipeline, schedules, state } = synthesized.stack;

/** Logical ids of the functions, by name. */
export const functionIds: Readonly<Record<string, string>> = {
  'start-run': idOf(pipeline.startRun.functionName),
  'extract-shard': idOf(pipeline.extractShard.functionName),
  ...Object.fromEntries(pipeline.writers.map(({ app, worker }) => [`write-batch-${app}`, idOf(worker.functionName)])),
};

/** Logical ids of the queues that functions work on, by name. */
export const workQueueIds: Readonly<Record<string, string>> = {
  extract: idOf(pipeline.extract.queue.queueUrl),
  ...Object.fromEntries(pipeline.writers.map(({ app, work }) => [`batch-${app}`, idOf(work.queue.queueUrl)])),
};

/** Logical ids of the queues that take what failed for good, by name. */
export const deadLetterQueueIds: Readonly<Record<string, string>> = {
  'dead-letters-extract': idOf(pipeline.extract.deadLetters.queueUrl),
  ...Object.fromEntries(
    pipeline.writers.map(({ app, work }) => [`dead-letters-batch-${app}`, idOf(work.deadLetters.queueUrl)]),
  ),
  'failed-starts': idOf(pipeline.failedStarts.queueUrl),
  'undelivered-starts': idOf(schedules.undelivered.queueUrl),
};

/** Logical ids of the tables, by name. */
export const tableIds = { runs: idOf(state.runs.tableName), ledger: idOf(state.ledger.tableName) };
