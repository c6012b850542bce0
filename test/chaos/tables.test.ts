/** The tables in memory behave as DynamoDB does, as far as they go, and refuse what they do not know. */
import { type Input, tables } from '../../chaos/dynamo/tables.ts';

const KEY = { pk: 'p', sk: 's' };

/** Returns tables with some items, and what runs a command on the table `t`. */
function made(items: readonly Record<string, unknown>[] = [], pageItems = 1000) {
  const store = tables(() => pageItems);
  const run = (command: string, input: Input, partial?: number) =>
    store.run(command, { ...(command.startsWith('Batch') ? {} : { TableName: 't' }), ...input }, partial);
  for (const item of items) run('PutCommand', { Item: item });
  return { run, get: (key: Input = KEY) => run('GetCommand', { Key: key }).Item };
}

const failure = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
  return 'none';
};

describe('conditions', () => {
  test.each<[string, Record<string, unknown>, boolean]>([
    ['attribute_not_exists(pk)', {}, false],
    ['attribute_exists(pk)', {}, true],
    ['attribute_exists(missing)', {}, false],
    ['n = :v', { ':v': 5 }, true],
    ['n = :v', { ':v': '5' }, false],
    ['n <> :v', { ':v': 4 }, true],
    ['n < :v', { ':v': 6 }, true],
    ['n < :v', { ':v': 5 }, false],
    ['n <= :v', { ':v': 5 }, true],
    ['n > :v', { ':v': '4' }, false],
    ['missing < :v', { ':v': 5 }, false],
    ['missing <> :v', { ':v': 5 }, false],
    ['contains(numbers, :v)', { ':v': 2 }, true],
    ['NOT contains(numbers, :v)', { ':v': 2 }, false],
    ['NOT contains(missing, :v)', { ':v': 2 }, true],
    ['#n IN (:v, :w)', { ':v': 4, ':w': 5 }, true],
    ['#n IN (:v) AND attribute_exists(pk)', { ':v': 4 }, false],
    ['#n = :v OR attribute_exists(pk)', { ':v': 4 }, true],
    ['(#n = :v OR #n = :w) AND NOT #n = :v', { ':v': 4, ':w': 5 }, true],
    ['#n BETWEEN :v AND :w', { ':v': 4, ':w': 5 }, true],
    ['begins_with(word, :v)', { ':v': 'wo' }, true],
  ])('%s with %j is %s', (condition, values, holds) => {
    const { run } = made([{ ...KEY, n: 5, numbers: new Set([1, 2]), word: 'word' }]);
    const act = () =>
      run('PutCommand', {
        Item: KEY,
        ConditionExpression: condition,
        ...(condition.includes('#n') ? { ExpressionAttributeNames: { '#n': 'n' } } : {}),
        ...(Object.keys(values).length > 0 ? { ExpressionAttributeValues: values } : {}),
      });
    expect(failure(act)).toBe(holds ? 'none' : 'ConditionalCheckFailedException');
  });

  test('a write whose condition fails changes nothing', () => {
    const { run, get } = made([{ ...KEY, n: 1 }]);
    expect(failure(() => run('DeleteCommand', { Key: KEY, ConditionExpression: 'attribute_not_exists(pk)' }))).toBe(
      'ConditionalCheckFailedException',
    );
    expect(get()).toEqual({ ...KEY, n: 1 });
  });

  test.each(['n ~ :v', 'size_of(n) = :v', 'n = ', 'n = :v :v', 'attribute_type(n, :v)'])(
    '%s is refused, not guessed',
    (condition) => {
      const { run } = made([{ ...KEY, n: 1 }]);
      const input = { Item: KEY, ConditionExpression: condition, ExpressionAttributeValues: { ':v': 1 } };
      expect(failure(() => run('PutCommand', input))).not.toMatch(/^none$|ConditionalCheck/);
    },
  );
});

describe('updates', () => {
  const update = (expression: string, values: Record<string, unknown>, item: Record<string, unknown> = {}) => {
    const { run, get } = made([{ ...KEY, ...item }]);
    run('UpdateCommand', { Key: KEY, UpdateExpression: expression, ExpressionAttributeValues: values });
    return get();
  };

  test('SET, ADD and REMOVE go by the item as it was', () => {
    const after = update(
      'SET a = b, b = :v ADD n :v, numbers :set REMOVE gone',
      { ':v': 2, ':set': new Set([3]) },
      {
        b: 1,
        n: 40,
        numbers: new Set([1]),
        gone: true,
      },
    );
    expect(after).toEqual({ ...KEY, a: 1, b: 2, n: 42, numbers: new Set([1, 3]) });
  });

  test('ADD makes what is not there', () => {
    expect(update('ADD n :n, numbers :set', { ':n': 1, ':set': new Set([7]) })).toEqual({
      ...KEY,
      n: 1,
      numbers: new Set([7]),
    });
  });

  test('the last element that leaves a set takes the set with it', () => {
    expect(update('DELETE numbers :set', { ':set': new Set([1]) }, { numbers: new Set([1]) })).toEqual(KEY);
  });

  test.each<[string, Record<string, unknown>]>([
    ['SET a = missing', {}],
    ['SET pk = :v', { ':v': 'other' }],
    ['SET a = :v', { ':v': new Set() }],
    ['SET a = :v', { ':v': Number.NaN }],
    ['SET a = :v', { ':v': 1, ':unused': 2 }],
    ['SET a = :missing', { ':v': 1 }],
    ['ADD word :v', { ':v': 1 }],
    ['SET a = :v', { ':v': 'x'.repeat(410_000) }],
  ])('%s is refused as DynamoDB refuses it', (expression, values) => {
    expect(failure(() => update(expression, values, { word: 'text' }))).toBe('ValidationException');
  });

  test('an update makes an item that is not there', () => {
    const { run, get } = made();
    run('UpdateCommand', { Key: KEY, UpdateExpression: 'SET a = :v', ExpressionAttributeValues: { ':v': 1 } });
    expect(get()).toEqual({ ...KEY, a: 1 });
  });
});

describe('queries', () => {
  const ITEMS = ['a1', 'a2', 'a3', 'b1', 'b2'].map((sk) => ({ pk: 'p', sk }));
  const query = (
    pageItems: number,
    range: string,
    values: Record<string, unknown>,
    options: Input = {},
  ): string[][] => {
    const { run } = made([...ITEMS].reverse(), pageItems);
    const pages: string[][] = [];
    let start: unknown;
    do {
      const answer = run('QueryCommand', {
        KeyConditionExpression: `pk = :pk${range}`,
        ExpressionAttributeValues: { ':pk': 'p', ...values },
        ...options,
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      });
      pages.push(Array.isArray(answer.Items) ? answer.Items.map(({ sk }) => String(sk)) : []);
      start = answer.LastEvaluatedKey;
    } while (start !== undefined && options.Limit === undefined);
    return pages;
  };

  test.each<[number, string, Record<string, unknown>, string[][]]>([
    [1000, '', {}, [['a1', 'a2', 'a3', 'b1', 'b2']]],
    [2, '', {}, [['a1', 'a2'], ['a3', 'b1'], ['b2']]],
    [1000, ' AND begins_with(sk, :prefix)', { ':prefix': 'b' }, [['b1', 'b2']]],
    [1000, ' AND sk > :after', { ':after': 'a3' }, [['b1', 'b2']]],
    // A page that is full may have nothing behind it.
    [1, ' AND sk > :after', { ':after': 'b1' }, [['b2'], []]],
    [1000, ' AND begins_with(sk, :prefix)', { ':prefix': 'c' }, [[]]],
  ])('in pages of %i, with "%s" %j, items come in order: %j', (pageItems, range, values, pages) => {
    expect(query(pageItems, range, values)).toEqual(pages);
  });

  test('the newest come first when asked for', () => {
    expect(query(1000, '', {}, { ScanIndexForward: false, Limit: 2 })).toEqual([['b2', 'b1']]);
  });

  test('a page goes on after a key that is no longer there', () => {
    const { run } = made(ITEMS);
    const input = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': 'p' } };
    const answer = run('QueryCommand', { ...input, ExclusiveStartKey: { pk: 'p', sk: 'a4' } });
    expect(answer.Items).toEqual([
      { pk: 'p', sk: 'b1' },
      { pk: 'p', sk: 'b2' },
    ]);
  });
});

describe('batches', () => {
  const put = (sk: string) => ({ PutRequest: { Item: { pk: 'p', sk } } });

  test('a part that is not done is given back', () => {
    const { run } = made();
    const answer = run('BatchWriteCommand', { RequestItems: { t: [put('1'), put('2'), put('3')] } }, 1);
    expect(answer).toEqual({ UnprocessedItems: { t: [put('3')] } });
    const keys = ['1', '2', '3'].map((sk) => ({ pk: 'p', sk }));
    const read = run('BatchGetCommand', { RequestItems: { t: { Keys: keys, ConsistentRead: true } } }, 2);
    expect(read).toEqual({
      Responses: { t: [{ pk: 'p', sk: '1' }] },
      UnprocessedKeys: { t: { ConsistentRead: true, Keys: keys.slice(1) } },
    });
  });

  test.each([
    ['26 writes', Array.from({ length: 26 }, (_, index) => put(String(index)))],
    ['a key twice', [put('1'), put('1')]],
    ['nothing', []],
  ])('%s in one call are refused', (_, requests) => {
    expect(failure(() => made().run('BatchWriteCommand', { RequestItems: { t: requests } }))).toBe(
      'ValidationException',
    );
  });
});

test('what is read or written later does not change what is stored', () => {
  const numbers = [1];
  const bytes = new Uint8Array([1]);
  const { get } = made([{ ...KEY, numbers, bytes, left: undefined }]);
  numbers.push(2);
  bytes[0] = 9;
  const read = get() as { numbers: number[] };
  read.numbers.push(3);
  expect(get()).toEqual({ ...KEY, numbers: [1], bytes: new Uint8Array([1]) });
});

test.each([
  ['TransactWriteCommand', {}],
  ['ScanCommand', {}],
  [
    'QueryCommand',
    { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': 'p' }, FilterExpression: 'a = b' },
  ],
  ['PutCommand', { Item: KEY, ReturnConsumedCapacity: 'TOTAL' }],
])('%s with %j is not imitated, and says so', (command, input) => {
  expect(() => made([KEY]).run(command, input)).toThrow('not imitated');
});
