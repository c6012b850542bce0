/** DynamoDB for the local cloud: dynalite, kept in a folder or in memory, with the tables of the stack. */
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DescribeTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import dynalite from 'dynalite';
import { REGION, type Table } from './template.ts';

export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

export type LocalDynamo = {
  readonly url: string;
  readonly client: DynamoDBDocumentClient;
  /** Creates the tables that are missing. */
  readonly create: (tables: readonly Table[]) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Starts DynamoDB. @throws Error when the folder is in use. */
export async function startDynamo(path?: string): Promise<LocalDynamo> {
  if (path !== undefined) mkdirSync(path, { recursive: true });
  const server = dynalite({ createTableMs: 0, ...(path === undefined ? {} : { path }) });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const raw = new DynamoDBClient({ endpoint: url, region: REGION, credentials: LOCAL_CREDENTIALS, maxAttempts: 3 });
  const client = DynamoDBDocumentClient.from(raw, { marshallOptions: { removeUndefinedValues: true } });
  return {
    url,
    client,
    create: (tables) => create(raw, tables),
    close: async () => {
      client.destroy();
      raw.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function create(client: DynamoDBClient, tables: readonly Table[]): Promise<void> {
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  for (const table of tables.filter(({ name }) => !TableNames.includes(name))) {
    await client.send(new CreateTableCommand(tableInput(table)));
    while ((await client.send(new DescribeTableCommand({ TableName: table.name }))).Table?.TableStatus !== 'ACTIVE') {
      await sleep(2);
    }
  }
}

const tableInput = (table: Table) => ({
  TableName: table.name,
  BillingMode: 'PAY_PER_REQUEST' as const,
  KeySchema: table.keys.map((key) => ({ AttributeName: key.name, KeyType: key.type })),
  AttributeDefinitions: table.attributes.map((attribute) => ({
    AttributeName: attribute.name,
    AttributeType: attribute.type,
  })),
});
