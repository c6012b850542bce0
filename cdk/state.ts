/** What must survive everything: the ledger of what Braze has, and the runs. */
import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  CfnGlobalTable,
  TableEncryptionV2,
  type TablePropsV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { StackKey } from './stack-key.ts';

const TABLE = {
  partitionKey: { name: 'pk', type: AttributeType.STRING },
  sortKey: { name: 'sk', type: AttributeType.STRING },
  billing: Billing.onDemand(),
  encryption: TableEncryptionV2.dynamoOwnedKey(),
  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
  deletionProtection: true,
  // Without the ledger every user would be sent again; without the runs, unanswered requests would be forgotten.
  removalPolicy: RemovalPolicy.RETAIN,
} as const satisfies TablePropsV2;

export class State extends Construct {
  readonly ledger: TableV2;
  readonly runs: TableV2;

  constructor(scope: Construct, id: string, { key }: { readonly key: StackKey | undefined }) {
    super(scope, id);
    this.ledger = new TableV2(this, 'Ledger', TABLE);
    this.runs = new TableV2(this, 'Runs', { ...TABLE, timeToLiveAttribute: 'expiresAt' });
    for (const table of [this.ledger, this.runs]) if (key) encryptWith(key, table);
  }
}

/** Not by the table's own property, which asks for a stack that is bound to a region. */
function encryptWith({ key }: StackKey, table: TableV2): void {
  const resource = table.node.defaultChild;
  if (!(resource instanceof CfnGlobalTable)) return;
  resource.addPropertyOverride('SSESpecification', { SSEEnabled: true, SSEType: 'KMS' });
  resource.addPropertyOverride('Replicas.0.SSESpecification', { KMSMasterKeyId: key.keyArn });
}
