/** Exceptions from the AwsSolutions rules: each on the smallest construct, each with the reason that a reviewer checks. */
import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Acknowledges one finding (`Rule` or `Rule[Finding]`) for a construct and what is below it. */
export const acknowledge = (construct: IConstruct, finding: string, reason: string): void =>
  Validations.of(construct).acknowledge({ id: `AwsSolutions::${finding}`, reason });
