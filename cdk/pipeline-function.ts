/** A function of the pipeline, with the defaults that all of them share. Only `timeout` has none. */
import type { Duration } from 'aws-cdk-lib';
import { RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { functionCode } from './bundle.ts';
import type { StackKey } from './stack-key.ts';

export type PipelineFunctionProps<Environment extends Record<string, string>> = {
  /** Folder of the handler below `lambdas/`. */
  readonly handler: string;
  readonly description: string;
  /** The handler's own environment type: a variable that is missing here does not compile. */
  readonly environment: Environment;
  readonly timeout: Duration;
  /** MiB; 512 unless given. */
  readonly memorySize?: number;
  /** Checked parameters, as JSON. */
  readonly parametersJson: string;
  /** Where an asynchronous invocation goes that failed for good. */
  readonly deadLetterQueue: IQueue;
  /** How long logs are kept; a month unless given. */
  readonly logRetention?: RetentionDays;
  /** The key of the parameter file, if it has one. */
  readonly key: StackKey | undefined;
};

export class PipelineFunction<Environment extends Record<string, string>> extends LambdaFunction {
  constructor(scope: Construct, id: string, props: PipelineFunctionProps<Environment>) {
    // The dot keeps these names apart from those of other functions, which may end in the names of apps.
    const logGroup = new LogGroup(scope, `${id}.Logs`, {
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(props.key ? { encryptionKey: props.key.key } : {}),
    });
    const role = new Role(scope, `${id}.Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    super(scope, id, {
      description: props.description,
      code: functionCode(`lambdas/${props.handler}/handler.ts`, props.parametersJson),
      handler: 'index.handler',
      // Node 24 is supported until April 2028. Source: AWS Lambda Developer Guide, 'Lambda runtimes'.
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memorySize ?? 512,
      timeout: props.timeout,
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      deadLetterQueue: props.deadLetterQueue,
      // A step puts itself back on its own queue while a statement runs or a rate limit lasts. Lambda would take that for
      // a loop and stop it after about 16 turns. Source: AWS Lambda Developer Guide, 'Use Lambda recursive loop detection'.
      recursiveLoop: RecursiveLoop.ALLOW,
      environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    acknowledge(
      role,
      'AwsSolutions-IAM5[Resource::*]',
      'X-Ray takes no resource: xray:PutTraceSegments and xray:PutTelemetryRecords can only be granted on *.',
    );
  }
}
