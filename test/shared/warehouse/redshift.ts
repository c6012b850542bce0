/** The local Redshift behind the warehouse that is under test: statements run to their end, and rows as they come. */
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import {
  type RedshiftDataApi,
  type RedshiftDataApiOptions,
  startRedshiftDataApi,
} from '../../../local/redshift/index.ts';
import { columnFinder } from '../../../shared/runs/context.ts';
import type { RawValue } from '../../../shared/values/converted.ts';
import type { Column } from '../../../shared/warehouse/columns.ts';
import { dataApi, type Warehouse } from '../../../shared/warehouse/data-api.ts';
import { describeSql } from '../../../shared/warehouse/model-sql.ts';

export type LocalRedshift = {
  readonly api: RedshiftDataApi;
  readonly warehouse: Warehouse;
  /** Runs a statement of the Data API and returns all of its rows. @throws Error when the statement fails. */
  readonly rows: (sql: string) => Promise<readonly (readonly RawValue[])[]>;
  /** Returns how the columns of a model are found, as a run does it. */
  readonly columnsOf: (model: Parameters<typeof describeSql>[0]) => Promise<(property: string) => Column>;
  readonly close: () => Promise<void>;
};

/** A client without repetitions of its own. */
export const clientFor = (url: string): RedshiftDataClient =>
  new RedshiftDataClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });

export async function startRedshift(options: RedshiftDataApiOptions = {}): Promise<LocalRedshift> {
  const api = await startRedshiftDataApi(options);
  const client = clientFor(api.url);
  const warehouse = dataApi(client, { type: 'redshift', workgroup: 'analytics', database: 'dev' });
  let submitted = 0;
  const finished = async (sql: string): Promise<string> => {
    const id = await warehouse.submit(sql, `token-${++submitted}`, 'test');
    for (;;) {
      const status = await warehouse.status(id);
      if (status.kind === 'failed') throw new Error(`${status.message}\nin: ${sql}`);
      if (status.kind === 'finished') return id;
    }
  };
  return {
    api,
    warehouse,
    rows: async (sql) => {
      const rows: (readonly RawValue[])[] = [];
      for await (const page of warehouse.pages(await finished(sql))) rows.push(...page.rows);
      return rows;
    },
    columnsOf: async (model) => {
      for await (const page of warehouse.pages(await finished(describeSql(model)))) {
        return columnFinder(page.columns.map(({ name, typeName }) => [name, typeName]));
      }
      throw new Error('the description has no page');
    },
    close: async () => {
      client.destroy();
      await api.close();
    },
  };
}
