/** The stack of one environment. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Parameters } from '../shared/parameters/schema.ts';
import { Monitoring } from './monitoring.ts';
import { Pipeline } from './pipeline.ts';
import { Schedules } from './schedules.ts';
import { stackKey } from './stack-key.ts';
import { State } from './state.ts';

export type WarehouseToBrazeStackProps = StackProps & { readonly parameters: Parameters };

export class WarehouseToBrazeStack extends Stack {
  readonly pipeline: Pipeline;
  readonly schedules: Schedules;
  readonly state: State;
  readonly monitoring: Monitoring;

  constructor(scope: Construct, id: string, { parameters, ...props }: WarehouseToBrazeStackProps) {
    super(scope, id, { description: `warehouse-to-braze, environment ${parameters.environment}`, ...props });
    const key = stackKey(this, 'KmsKey', parameters.kmsKey);
    this.state = new State(this, 'State', { key });
    this.pipeline = new Pipeline(this, 'Pipeline', { parameters, state: this.state, key });
    this.schedules = new Schedules(this, 'Schedules', {
      destinations: parameters.destinations,
      startRun: this.pipeline.startRun,
      key,
    });
    this.monitoring = new Monitoring(this, 'Monitoring', {
      parameters,
      pipeline: this.pipeline,
      schedules: this.schedules,
      key,
    });
    new CfnOutput(this, 'StartRunFunction', {
      value: this.pipeline.startRun.functionName,
      description: 'Invoke it with {"destination": "…"} to start a run',
    });
    new CfnOutput(this, 'RunsTable', { value: this.state.runs.tableName });
    new CfnOutput(this, 'LedgerTable', { value: this.state.ledger.tableName });
    new CfnOutput(this, 'Dashboard', { value: this.monitoring.dashboard.dashboardName });
    new CfnOutput(this, 'AlarmTopic', {
      value: this.monitoring.alarms.topic.topicArn,
      description: 'Subscribe to it to be told of alarms',
    });
  }
}

/** Returns the stack's name for an environment. */
export const stackName = (environment: string): string => `w2b-${environment}`;
