/** Puts the stack of one parameter file into an app: what `cdk synth` and `cdk deploy` see, and what the local cloud runs. */
import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Parameters } from '../shared/parameters/schema.ts';
import { stackName, WarehouseToBrazeStack } from './stack.ts';

/** Returns the stack, checked by the AwsSolutions rules: a finding fails the synthesis. */
export function addStack(app: App, parameters: Parameters): WarehouseToBrazeStack {
  const stack = new WarehouseToBrazeStack(app, stackName(parameters.environment), { parameters });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return stack;
}
