/**
 * DynamoDB in memory: the operations of the document client that the code uses, with DynamoDB's conditions, pages and
 * limits. What is not understood throws. Faults and latencies are the caller's (see chaos/services.ts).
 */
import { checkUsed, conditionHolds, type Item, type Names, updated, type Values, validation } from './expressions.ts';
import { bytesOf, copied, copiedItem, MAX_ITEM_BYTES } from './values.ts';

type Partition = { readonly keys: string[]; readonly items: Map<string, Item> };
type Table = Map<string, Partition>;

export type Input = Readonly<Record<string, unknown>>;
export type Output = Record<string, unknown>;

/** Told of every write; `after` is undefined for a deletion. */
export type Watch = (table: string, before: Item | undefined, after: Item | undefined) => void;

export type Tables = {
  /** Does what a command of this name and input does. `partial`: how many entries of a batch are left unprocessed. */
  readonly run: (command: string, input: Input, partial?: number) => Output;
  /** All items of a partition in the order of their sort keys, uncopied. */
  readonly partition: (table: string, pk: string) => readonly Item[];
  readonly partitions: (table: string) => readonly string[];
  readonly isEmpty: (table: string, pk: string) => boolean;
};

const text = (value: unknown, what: string): string => {
  if (typeof value !== 'string' || value === '') throw validation(`${what} has to be a text that is not empty`);
  return value;
};
const record = (value: unknown, what: string): Item => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw validation(`${what} is no object`);
  return value as Item;
};
const listed = (value: unknown, what: string): readonly Item[] => {
  if (!Array.isArray(value)) throw validation(`${what} is no list`);
  return value.map((element) => record(element, what));
};
const optionalText = (value: unknown): string | undefined => (value === undefined ? undefined : text(value, 'a text'));
const namesOf = (input: Input): Names => input.ExpressionAttributeNames as Names;
const valuesOf = (input: Input): Values => input.ExpressionAttributeValues as Values;

/** @throws for a member of a command that is not imitated. */
function onlyKnows(input: Input, members: readonly string[]): void {
  for (const name of Object.keys(input)) {
    if (input[name] !== undefined && !members.includes(name)) throw new Error(`DynamoDB: ${name} is not imitated`);
  }
}

const conditionFailed = (): Error =>
  Object.assign(new Error('The conditional request failed'), {
    name: 'ConditionalCheckFailedException',
    $metadata: { httpStatusCode: 400 },
  });

/** Where a key stands, or would stand, in a sorted list. */
function placeOf(keys: readonly string[], key: string): number {
  let [from, to] = [0, keys.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((keys[middle] ?? '') < key) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Returns empty tables. `pageItems` bounds a page of a query, as a megabyte does in DynamoDB. */
export function tables(pageItems: () => number, watch: Watch = () => undefined): Tables {
  const all = new Map<string, Table>();

  const tableOf = (name: string): Table => {
    let table = all.get(name);
    if (!table) {
      table = new Map();
      all.set(name, table);
    }
    return table;
  };
  const keyOf = (key: unknown): { pk: string; sk: string } => {
    const { pk, sk, ...rest } = record(key, 'a key');
    if (Object.keys(rest).length > 0) throw validation('a key has only pk and sk');
    return { pk: text(pk, 'pk'), sk: text(sk, 'sk') };
  };
  const read = (table: string, { pk, sk }: { pk: string; sk: string }): Item | undefined =>
    tableOf(table).get(pk)?.items.get(sk);
  const write = (table: string, { pk, sk }: { pk: string; sk: string }, item: Item | undefined): void => {
    const partitions = tableOf(table);
    let partition = partitions.get(pk);
    if (item === undefined) {
      if (!partition) return;
      const before = partition.items.get(sk);
      if (before === undefined) return;
      partition.items.delete(sk);
      partition.keys.splice(placeOf(partition.keys, sk), 1);
      watch(table, before, undefined);
      return;
    }
    if (bytesOf(item) > MAX_ITEM_BYTES) throw validation('Item size has exceeded the maximum allowed size');
    if (!partition) {
      partition = { keys: [], items: new Map() };
      partitions.set(pk, partition);
    }
    const before = partition.items.get(sk);
    if (before === undefined) partition.keys.splice(placeOf(partition.keys, sk), 0, sk);
    partition.items.set(sk, item);
    watch(table, before, item);
  };
  const check = (input: Input, before: Item | undefined): void => {
    const condition = optionalText(input.ConditionExpression);
    if (condition !== undefined && !conditionHolds(condition, before, namesOf(input), valuesOf(input)))
      throw conditionFailed();
  };
  const returned = (input: Input, before: Item | undefined, after: Item | undefined): Output => {
    const wanted = input.ReturnValues ?? 'NONE';
    if (wanted === 'NONE') return {};
    const item = wanted === 'ALL_OLD' ? before : wanted === 'ALL_NEW' ? after : undefined;
    if (wanted !== 'ALL_OLD' && wanted !== 'ALL_NEW') throw new Error(`DynamoDB: ReturnValues ${wanted}`);
    return item ? { Attributes: copiedItem(item) } : {};
  };

  const WRITE = [
    'TableName',
    'ConditionExpression',
    'ExpressionAttributeNames',
    'ExpressionAttributeValues',
    'ReturnValues',
  ];

  const operations: Readonly<Record<string, (input: Input, partial: number) => Output>> = {
    GetCommand: (input) => {
      onlyKnows(input, ['TableName', 'Key', 'ConsistentRead']);
      const item = read(text(input.TableName, 'TableName'), keyOf(input.Key));
      return item ? { Item: copiedItem(item) } : {};
    },
    PutCommand: (input) => {
      onlyKnows(input, [...WRITE, 'Item']);
      checkUsed([optionalText(input.ConditionExpression)], namesOf(input), valuesOf(input));
      const item = copiedItem(record(input.Item, 'Item'));
      const [table, key] = [text(input.TableName, 'TableName'), { pk: text(item.pk, 'pk'), sk: text(item.sk, 'sk') }];
      const before = read(table, key);
      check(input, before);
      write(table, key, item);
      return returned(input, before, undefined);
    },
    UpdateCommand: (input) => {
      onlyKnows(input, [...WRITE, 'Key', 'UpdateExpression']);
      const expression = text(input.UpdateExpression, 'UpdateExpression');
      checkUsed([optionalText(input.ConditionExpression), expression], namesOf(input), valuesOf(input));
      const [table, key] = [text(input.TableName, 'TableName'), keyOf(input.Key)];
      const before = read(table, key);
      check(input, before);
      const values = valuesOf(input);
      const after = updated(expression, before ?? key, namesOf(input), values && copiedItem(values));
      if (after.pk !== key.pk || after.sk !== key.sk) throw validation('a key cannot be updated');
      write(table, key, after);
      return returned(input, before, after);
    },
    DeleteCommand: (input) => {
      onlyKnows(input, [...WRITE, 'Key']);
      checkUsed([optionalText(input.ConditionExpression)], namesOf(input), valuesOf(input));
      const [table, key] = [text(input.TableName, 'TableName'), keyOf(input.Key)];
      const before = read(table, key);
      check(input, before);
      write(table, key, undefined);
      return returned(input, before, undefined);
    },
    QueryCommand: (input) => {
      onlyKnows(input, [
        'TableName',
        'KeyConditionExpression',
        'ExpressionAttributeNames',
        'ExpressionAttributeValues',
        'ConsistentRead',
        'ExclusiveStartKey',
        'ScanIndexForward',
        'Limit',
        'Select',
      ]);
      const condition = text(input.KeyConditionExpression, 'KeyConditionExpression');
      checkUsed([condition], namesOf(input), valuesOf(input));
      const wanted = /^pk = (:\w+)(?: AND (.+))?$/.exec(condition);
      if (!wanted) throw new Error(`DynamoDB: the key condition '${condition}' is not imitated`);
      const pk = text(valuesOf(input)?.[wanted[1] ?? ''], 'pk');
      const partition = tableOf(text(input.TableName, 'TableName')).get(pk);
      if (!partition) return { Items: [], Count: 0 };
      const range = wanted[2];
      const forward = input.ScanIndexForward !== false;
      const start = input.ExclusiveStartKey === undefined ? undefined : keyOf(input.ExclusiveStartKey);
      if (start && start.pk !== pk) throw validation('The provided starting key is outside query boundaries');
      const limit = Math.min(
        typeof input.Limit === 'number' ? input.Limit : Number.POSITIVE_INFINITY,
        Math.max(1, pageItems()),
      );
      const items: Item[] = [];
      const keys = forward ? partition.keys : [...partition.keys].reverse();
      let at = start && forward ? placeOf(keys, start.sk) : 0;
      for (; at < keys.length; at++) {
        const sk = keys[at] ?? '';
        if (start && (forward ? sk <= start.sk : sk >= start.sk)) continue;
        const item = partition.items.get(sk);
        if (!item || (range !== undefined && !conditionHolds(range, item, namesOf(input), valuesOf(input)))) continue;
        items.push(item);
        if (items.length >= limit) break;
      }
      const last = items.at(-1);
      // A page that is full may be the last one all the same: DynamoDB does not look ahead.
      const more = last !== undefined && items.length >= limit;
      const count = { Count: items.length, ScannedCount: items.length };
      return {
        ...(input.Select === 'COUNT' ? count : { Items: items.map(copiedItem), ...count }),
        ...(more ? { LastEvaluatedKey: { pk: last.pk, sk: last.sk } } : {}),
      };
    },
    BatchGetCommand: (input, partial) => {
      onlyKnows(input, ['RequestItems']);
      const responses: Record<string, Item[]> = {};
      const left: Record<string, unknown> = {};
      for (const [table, request] of Object.entries(record(input.RequestItems, 'RequestItems'))) {
        const { Keys, ...options } = record(request, 'a request');
        onlyKnows(options, ['ConsistentRead']);
        const keys = listed(Keys, 'Keys');
        if (keys.length === 0 || keys.length > 100) throw validation(`${keys.length} keys in one call`);
        refuseRepeated(keys.map((key) => keyOf(key)));
        const taken = keys.slice(0, keys.length - partial);
        responses[table] = taken.flatMap((key) => {
          const item = read(table, keyOf(key));
          return item ? [copiedItem(item)] : [];
        });
        if (taken.length < keys.length) left[table] = { ...options, Keys: keys.slice(taken.length).map(copiedItem) };
      }
      return { Responses: responses, ...(Object.keys(left).length > 0 ? { UnprocessedKeys: left } : {}) };
    },
    BatchWriteCommand: (input, partial) => {
      onlyKnows(input, ['RequestItems']);
      const left: Record<string, unknown> = {};
      for (const [table, request] of Object.entries(record(input.RequestItems, 'RequestItems'))) {
        const requests = listed(request, 'a request');
        if (requests.length === 0 || requests.length > 25) throw validation(`${requests.length} writes in one call`);
        const writes = requests.map(({ PutRequest, DeleteRequest }) => {
          if (PutRequest === undefined)
            return { key: keyOf(record(DeleteRequest, 'DeleteRequest').Key), item: undefined };
          const item = copiedItem(record(record(PutRequest, 'PutRequest').Item, 'Item'));
          return { key: { pk: text(item.pk, 'pk'), sk: text(item.sk, 'sk') }, item };
        });
        refuseRepeated(writes.map(({ key }) => key));
        const taken = writes.length - partial;
        for (const { key, item } of writes.slice(0, taken)) write(table, key, item);
        if (taken < writes.length) left[table] = requests.slice(taken).map((entry) => copied(entry));
      }
      return Object.keys(left).length > 0 ? { UnprocessedItems: left } : {};
    },
  };

  return {
    run: (command, input, partial = 0) => {
      const operation = operations[command];
      if (!operation) throw new Error(`DynamoDB: ${command} is not imitated`);
      return operation(input, partial);
    },
    partition: (table, pk) => [...(tableOf(table).get(pk)?.items.entries() ?? [])].sort(bySk).map(([, item]) => item),
    partitions: (table) => [...tableOf(table).keys()],
    isEmpty: (table, pk) => (tableOf(table).get(pk)?.keys.length ?? 0) === 0,
  };
}

const bySk = (a: readonly [string, Item], b: readonly [string, Item]): number => (a[0] < b[0] ? -1 : 1);

function refuseRepeated(keys: readonly { pk: string; sk: string }[]): void {
  const seen = new Set(keys.map(({ pk, sk }) => `${pk}\0${sk}`));
  if (seen.size < keys.length) throw validation('Provided list of item keys contains duplicates');
}
