/**
 * The Redshift Data API without SQL: what a statement yields is decided by the rows at the time when it was submitted, by
 * the columns that it names and by its range of record hashes. What the statement has to look like for that is checked.
 * Source: Amazon Redshift Data API Reference, 'ExecuteStatement', 'DescribeStatement', 'GetStatementResult'.
 */
import { createHash } from 'node:crypto';
import type { FaultKind } from './faults.ts';
import { awsError, type ExecutionEnvironment, type Lambda } from './lambda.ts';
import { randomOf } from './random.ts';
import { type KeyColumn, keyedBy } from './specs.ts';
import { WAREHOUSE } from './streams.ts';
import type { Timeline } from './timeline.ts';

export type Cell = string | boolean | null;
/** A row: its key (null for a row without one), its columns, and the predicates that hold for it. */
export type WarehouseRow = {
  readonly key: string | null;
  readonly cells: Readonly<Record<string, Cell>>;
  readonly holds: ReadonlySet<string>;
};

/** What a model is when a statement is submitted. */
export type ModelState = {
  readonly columns: readonly { readonly name: string; readonly typeName: string }[];
  readonly rows: readonly WarehouseRow[];
};

type Field = { readonly stringValue: string } | { readonly booleanValue: boolean } | { readonly isNull: true };

type Statement = {
  readonly id: string;
  readonly submittedAt: number;
  readonly endsAt: number;
  readonly end: 'FINISHED' | 'FAILED' | 'ABORTED';
  readonly columns: readonly { readonly name: string; readonly typeName: string }[];
  readonly records: readonly (readonly Field[])[];
  /** How often it was told that it will yield nothing. */
  vain: number;
};

/** More often than by all tries of a message and of its copies, nobody asks about a statement that has failed. */
const MAX_VAIN = 40;

/** Told of each statement that was submitted: its name, and the rows that it yields. */
export type Submitted = (
  name: string,
  model: ModelState,
  rows: readonly WarehouseRow[],
  audience: string | undefined,
) => void;

export type Redshift = {
  readonly send: (environment: ExecutionEnvironment, command: string, input: unknown) => Promise<unknown>;
};

export type RedshiftOptions = {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly lambda: Lambda;
  /** The model of a destination, now. */
  readonly modelOf: (destination: string) => ModelState;
  readonly submitted: Submitted;
  readonly violation: (invariant: string, text: string) => void;
  readonly pageRows: number;
};

const hashes = new Map<string, string>();

/** Returns the md5 of a key, as the warehouse computes it. */
export function md5(key: string): string {
  let hash = hashes.get(key);
  if (hash === undefined) {
    hash = createHash('md5').update(key).digest('hex');
    hashes.set(key, hash);
  }
  return hash;
}

/** Results are kept for 24 hours, tokens for 8. Source: Amazon Redshift Management Guide, 'Using the Amazon Redshift Data API'. */
const RESULT_MS = 24 * 3_600_000;

/** Returns the service. */
export function redshift({
  seed,
  timeline,
  lambda,
  modelOf,
  submitted,
  violation,
  pageRows,
}: RedshiftOptions): Redshift {
  const random = randomOf(seed, WAREHOUSE);
  const byToken = new Map<string, Statement>();
  const byId = new Map<string, Statement>();

  const submit = (input: Readonly<Record<string, unknown>>, fault: FaultKind | undefined): unknown => {
    if (fault === 'redshift throttles') throw awsError('ActiveStatementsExceededException', 400);
    if (fault === 'redshift answers 500') throw awsError('InternalServerException', 500);
    const [sql, token, name] = [String(input.Sql), String(input.ClientToken), String(input.StatementName)];
    if (token.length > 64) throw awsError('ValidationException', 400);
    let statement = byToken.get(token);
    if (!statement) {
      statement = execute(sql, name, fault);
      byToken.set(token, statement);
      byId.set(statement.id, statement);
    }
    if (fault === 'redshift loses an answer') throw awsError('TimeoutError', 500);
    return { Id: statement.id };
  };

  const execute = (sql: string, name: string, fault: FaultKind | undefined): Statement => {
    const destination = /^w2b (\S+) \S+ /.exec(name)?.[1];
    if (destination === undefined) throw new Error(`Redshift: the statement name '${name}' is not understood`);
    const model = modelOf(destination);
    const submittedAt = timeline.now();
    const takesMs =
      fault === 'statement takes long'
        ? random.int(60_000, 4 * 3_600_000)
        : random.int(0, random.chance(0.2) ? 4_000 : 60);
    const base = {
      id: `s${byId.size + 1}`,
      submittedAt,
      vain: 0,
      endsAt: submittedAt + takesMs,
      end:
        fault === 'statement fails'
          ? ('FAILED' as const)
          : fault === 'statement is cancelled'
            ? ('ABORTED' as const)
            : ('FINISHED' as const),
    };
    if (/LIMIT 0\s*$/.test(sql)) {
      submitted(name, model, [], undefined);
      return { ...base, columns: model.columns, records: [] };
    }
    const query = queryOf(sql);
    const rows = rowsOf(query, model);
    submitted(name, model, rows, query.audience);
    return {
      ...base,
      columns: [{ name: 'w2b_record_hash', typeName: 'varchar' }],
      records: rows.map((row) => recordOf(row, query)),
    };
  };

  const statementOf = (id: unknown): Statement => {
    const statement = byId.get(String(id));
    if (!statement || timeline.now() - statement.submittedAt > RESULT_MS)
      throw awsError('ResourceNotFoundException', 400);
    return statement;
  };

  const describe = (input: Readonly<Record<string, unknown>>, fault: FaultKind | undefined): unknown => {
    if (fault === 'redshift throttles') throw awsError('ThrottlingException', 400);
    if (fault === 'redshift answers 500') throw awsError('InternalServerException', 500);
    const statement = statementOf(input.Id);
    const { id, endsAt, end, records, submittedAt } = statement;
    if (timeline.now() < endsAt)
      return { Id: id, Status: timeline.now() - submittedAt < 100 ? 'SUBMITTED' : 'STARTED' };
    if (end !== 'FINISHED' && ++statement.vain === MAX_VAIN)
      violation('no statement is waited for in vain', `${id} is ${end}, and asked about ${MAX_VAIN} times`);
    return {
      Id: id,
      Status: end,
      ResultRows: records.length,
      ...(end === 'FAILED' ? { Error: 'ERROR: out of memory' } : {}),
    };
  };

  const result = (input: Readonly<Record<string, unknown>>, fault: FaultKind | undefined): unknown => {
    if (fault === 'redshift throttles') throw awsError('ThrottlingException', 400);
    if (fault === 'redshift answers 500') throw awsError('InternalServerException', 500);
    if (fault === 'result has expired') throw awsError('ResourceNotFoundException', 400);
    const statement = statementOf(input.Id);
    if (timeline.now() < statement.endsAt || statement.end !== 'FINISHED')
      throw awsError('ResourceNotFoundException', 400);
    const from = input.NextToken === undefined ? 0 : Number(String(input.NextToken).split('@')[1]);
    if (input.NextToken !== undefined && !String(input.NextToken).startsWith(`${statement.id}@`))
      throw awsError('ValidationException', 400);
    const to = from + pageRows;
    return {
      ColumnMetadata: statement.columns,
      Records: statement.records.slice(from, to),
      TotalNumRows: statement.records.length,
      ...(to < statement.records.length ? { NextToken: `${statement.id}@${to}` } : {}),
    };
  };

  return {
    send: (environment, command, input) => {
      const given = input as Readonly<Record<string, unknown>>;
      if (command === 'ExecuteStatementCommand')
        return lambda.call(
          environment,
          'submit',
          () => `submits ${given.StatementName}`,
          (fault) => submit(given, fault),
        );
      if (command === 'DescribeStatementCommand')
        return lambda.call(
          environment,
          'ask',
          () => `asks about ${given.Id}`,
          (fault) => describe(given, fault),
        );
      if (command === 'GetStatementResultCommand')
        return lambda.call(
          environment,
          'result',
          () => `reads ${given.Id} ${given.NextToken ?? ''}`,
          (fault) => result(given, fault),
        );
      throw new Error(`Redshift: ${command} is not imitated`);
    },
  };
}

type Query = {
  readonly key: KeyColumn;
  readonly columns: readonly string[];
  readonly groups: readonly string[];
  readonly from: string;
  readonly to: string | undefined;
  readonly audience: string | undefined;
};

/** Reads from a shard's statement what it asks for. */
function queryOf(sql: string): Query {
  const [select = '', rest = ''] = sql.split('\nFROM (SELECT ');
  const where = rest.split('AS w2b_rows')[1];
  if (!select.startsWith('SELECT w2b_record_hash,') || !select.includes('w2b_key') || where === undefined)
    throw new Error(`Redshift: the statement is not understood: ${sql}`);
  if (!/ORDER BY w2b_record_hash\s*$/.test(where)) throw new Error(`Redshift: the statement has no order: ${sql}`);
  const columns = [...select.matchAll(/"(\w+)"[^"\n]* AS w2b_p(\d+)/g)].map(([, name = '', index = ''], position) => {
    if (Number(index) !== position) throw new Error(`Redshift: the columns are out of order: ${sql}`);
    return name;
  });
  const groups = [...select.matchAll(/CASE WHEN [\s\S]*?holds_(\w+)[\s\S]*? END AS w2b_g(\d+)/g)].map(
    ([, name = '', index = ''], position) => {
      if (Number(index) !== position) throw new Error(`Redshift: the groups are out of order: ${sql}`);
      return name;
    },
  );
  const key = /CAST\("(id2?)" AS VARCHAR\(65535\)\) AS w2b_key/.exec(rest)?.[1];
  if (key !== 'id' && key !== 'id2') throw new Error(`Redshift: the key is not understood: ${sql}`);
  return {
    key,
    columns,
    groups,
    from: /w2b_record_hash >= '([0-9a-f]{2})'/.exec(where)?.[1] ?? '',
    to: /w2b_record_hash < '([0-9a-f]{2})'/.exec(where)?.[1],
    audience: /holds_(\w+)/.exec(where)?.[1],
  };
}

function rowsOf({ key, from, to, audience }: Query, model: ModelState): WarehouseRow[] {
  const hashed = keyedBy(key, model.rows).map((row) => ({ row, hash: row.key === null ? '' : md5(row.key) }));
  return hashed
    .filter(
      ({ hash, row }) =>
        hash >= from && (to === undefined || hash < to) && (audience === undefined || row.holds.has(audience)),
    )
    .sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0))
    .map(({ row }) => row);
}

function recordOf(row: WarehouseRow, { columns, groups }: Query): Field[] {
  return [
    { stringValue: row.key === null ? '' : md5(row.key) },
    field(row.key),
    ...columns.map((name) => field(row.cells[name] ?? null)),
    ...groups.map((name): Field => ({ booleanValue: row.holds.has(name) })),
  ];
}

const field = (cell: Cell): Field =>
  cell === null ? { isNull: true } : typeof cell === 'boolean' ? { booleanValue: cell } : { stringValue: cell };
