/**
 * The customer-managed key of the parameter file (`kmsKey`), for everything that the stack stores. It is somebody's own
 * key: the stack uses it, and changes neither the key nor its policy (docs/security.md says what the policy has to allow).
 *
 * Grants name the services through which the key is used: a role with such a grant can read what those services hand
 * out to it anyway, and nothing by itself.
 */
import { Stack } from 'aws-cdk-lib';
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias, type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

/** The services that use the key for a role of the stack. */
export type KeyService = 'dynamodb' | 'secretsmanager' | 'sqs';

export type StackKey = {
  readonly key: IKey;
  /** Lets a role read and write what is encrypted with the key, through these services. */
  readonly grantUse: (role: IRole, services: readonly KeyService[]) => void;
};

/** What queues and secrets ask of who uses them. Source: Amazon SQS, 'Key management' (producers and consumers). */
const MESSAGE_ACTIONS = ['Decrypt', 'GenerateDataKey'];
/** What tables ask for besides. Source: Amazon DynamoDB, 'Using customer managed keys for DynamoDB'. */
const TABLE_ACTIONS = ['DescribeKey', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'];

/** Returns the key that a parameter file names, by its ARN or its alias, or undefined. */
export function stackKey(scope: Construct, id: string, kmsKey: string | undefined): StackKey | undefined {
  if (kmsKey === undefined) return undefined;
  const isAlias = kmsKey.startsWith('alias/');
  const key = isAlias ? Alias.fromAliasName(scope, id, kmsKey) : Key.fromKeyArn(scope, id, kmsKey);
  const stack = Stack.of(scope);
  const anyKey = stack.formatArn({ service: 'kms', resource: 'key', resourceName: '*' });
  return {
    key,
    grantUse: (role, services) => {
      const actions = [...MESSAGE_ACTIONS, ...(services.includes('dynamodb') ? TABLE_ACTIONS : [])];
      role.addToPrincipalPolicy(
        new PolicyStatement({
          actions: actions.map((action) => `kms:${action}`),
          resources: [isAlias ? anyKey : key.keyArn],
          conditions: {
            StringEquals: { 'kms:ViaService': services.map((service) => `${service}.${stack.region}.amazonaws.com`) },
            // A policy names keys, not aliases: the condition leaves the one that has the alias.
            ...(isAlias ? { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': kmsKey } } : {}),
          },
        }),
      );
      if (!isAlias) return;
      acknowledge(
        role,
        'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*]',
        'A policy cannot name an alias: the condition kms:ResourceAliases leaves the one key that has it.',
      );
    },
  };
}
