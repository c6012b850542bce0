/** The stack of one environment. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Parameters } from '../shared/parameters/schema.ts';
import { Pipeline } from './pipeline.ts';
import { Schedules } from './schedules.ts';
import { State } from './state.ts';

export type WarehouseToBrazeStackProps = StackProps & { readonly parameters: Parameters };

export class WarehouseToBrazeStack extends Stack {
  readonly pipeline: Pipeline;
  readonly schedules: Schedules;
  readonly state: State;

  constructor(scope: Construct, id: string, { parameters, ...props }: WarehouseToBrazeStackProps) {
    super(scope, id, { description: `warehouse-to-braze, environment ${parameters.environment}`, ...props });
    this.state = new State(this, 'State');
    this.pipeline = new Pipeline(this, 'Pipeline', { parameters, state: this.state });
    this.schedules = new Schedules(this, 'Schedules', {
      destinations: parameters.destinations,
      startRun: this.pipeline.startRun,
    });
    new CfnOutput(this, 'StartRunFunction', {
      value: this.pipeline.startRun.functionName,
      description: 'Invoke it with {"destination": "…"} to start a run',
    });
    new CfnOutput(this, 'RunsTable', { value: this.state.runs.tableName });
    new CfnOutput(this, 'LedgerTable', { value: this.state.ledger.tableName });
  }
}

/** Returns the stack's name for an environment. */
export const stackName = (environment: string): string => `w2b-${environment}`;
