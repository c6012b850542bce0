/**
 * DynamoDB's expressions, as far as they are used here: anything else throws, so that new code is noticed and not
 * waved through. Source: Amazon DynamoDB Developer Guide, 'Condition expressions' and 'Update expressions'.
 */

export type Item = Readonly<Record<string, unknown>>;
export type Names = Readonly<Record<string, string>> | undefined;
export type Values = Readonly<Record<string, unknown>> | undefined;

type Operand =
  | { readonly kind: 'path'; readonly name: string }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Operand[] };
type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'compare'; readonly op: string; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'in'; readonly left: Operand; readonly list: readonly Operand[] }
  | { readonly kind: 'between'; readonly left: Operand; readonly from: Operand; readonly to: Operand }
  | { readonly kind: 'function'; readonly name: string; readonly args: readonly Operand[] };
type SetAction = { readonly path: string; readonly first: Operand; readonly op?: '+' | '-'; readonly second?: Operand };
type Update = {
  readonly set: readonly SetAction[];
  readonly remove: readonly string[];
  readonly add: readonly { readonly path: string; readonly value: string }[];
  readonly delete: readonly { readonly path: string; readonly value: string }[];
};

const TOKEN = /\s*(?:([#:]?[A-Za-z_][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+)|(<>|<=|>=|[=<>(),+-]))/y;
const FUNCTIONS = new Set(['attribute_exists', 'attribute_not_exists', 'begins_with', 'contains']);
const OPERAND_FUNCTIONS = new Set(['if_not_exists', 'size']);

export class UnknownExpression extends Error {}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      if (text.slice(at).trim() === '') break;
      throw new UnknownExpression(`'${text.slice(at)}' in '${text}'`);
    }
    tokens.push(match[1] ?? match[2] ?? '');
  }
  return tokens;
}

/** A parser over tokens. */
function reader(text: string) {
  const tokens = tokensOf(text);
  let at = 0;
  const peek = (): string => tokens[at] ?? '';
  const is = (word: string): boolean => peek().toUpperCase() === word;
  const take = (): string => tokens[at++] ?? '';
  const expect = (word: string): void => {
    if (take().toUpperCase() !== word) throw new UnknownExpression(`${word} is missing in '${text}'`);
  };
  const operand = (): Operand => {
    const token = take();
    if (token.startsWith(':')) return { kind: 'value', name: token };
    if (!/^#?[A-Za-z_]/.test(token) && !token.startsWith('#')) throw new UnknownExpression(`'${token}' in '${text}'`);
    if (peek() !== '(') return { kind: 'path', name: token };
    if (!OPERAND_FUNCTIONS.has(token)) throw new UnknownExpression(`function '${token}' in '${text}'`);
    return { kind: 'call', name: token, args: list() };
  };
  const list = (): Operand[] => {
    expect('(');
    const operands = [operand()];
    while (peek() === ',') {
      take();
      operands.push(operand());
    }
    expect(')');
    return operands;
  };
  const end = (): void => {
    if (at < tokens.length) throw new UnknownExpression(`'${tokens.slice(at).join(' ')}' in '${text}'`);
  };
  return { peek, is, take, expect, operand, list, end };
}

function parseCondition(text: string): Condition {
  const read = reader(text);
  const either = (): Condition => {
    let left = both();
    while (read.is('OR')) {
      read.take();
      left = { kind: 'or', left, right: both() };
    }
    return left;
  };
  const both = (): Condition => {
    let left = one();
    while (read.is('AND')) {
      read.take();
      left = { kind: 'and', left, right: one() };
    }
    return left;
  };
  const one = (): Condition => {
    if (read.is('NOT')) {
      read.take();
      return { kind: 'not', of: one() };
    }
    if (read.peek() === '(') {
      read.take();
      const inner = either();
      read.expect(')');
      return inner;
    }
    if (FUNCTIONS.has(read.peek())) return { kind: 'function', name: read.take(), args: read.list() };
    const left = read.operand();
    if (read.is('IN')) {
      read.take();
      return { kind: 'in', left, list: read.list() };
    }
    if (read.is('BETWEEN')) {
      read.take();
      const from = read.operand();
      read.expect('AND');
      return { kind: 'between', left, from, to: read.operand() };
    }
    const op = read.take();
    if (!['=', '<>', '<', '<=', '>', '>='].includes(op)) throw new UnknownExpression(`'${op}' in '${text}'`);
    return { kind: 'compare', op, left, right: read.operand() };
  };
  const condition = either();
  read.end();
  return condition;
}

function parseUpdate(text: string): Update {
  const read = reader(text);
  const update = {
    set: [] as SetAction[],
    remove: [] as string[],
    add: [] as { path: string; value: string }[],
    delete: [] as { path: string; value: string }[],
  };
  const pathName = (): string => {
    const operand = read.operand();
    if (operand.kind !== 'path') throw new UnknownExpression(`a path is missing in '${text}'`);
    return operand.name;
  };
  const each = (action: () => void): void => {
    action();
    while (read.peek() === ',') {
      read.take();
      action();
    }
  };
  while (read.peek() !== '') {
    const clause = read.take().toUpperCase();
    if (clause === 'SET') {
      each(() => {
        const path = pathName();
        read.expect('=');
        const first = read.operand();
        const op = read.peek();
        if (op !== '+' && op !== '-') return void update.set.push({ path, first });
        read.take();
        update.set.push({ path, first, op, second: read.operand() });
      });
    } else if (clause === 'REMOVE') each(() => update.remove.push(pathName()));
    else if (clause === 'ADD' || clause === 'DELETE') {
      each(() => {
        const path = pathName();
        const value = read.operand();
        if (value.kind !== 'value') throw new UnknownExpression(`a value is missing in '${text}'`);
        update[clause === 'ADD' ? 'add' : 'delete'].push({ path, value: value.name });
      });
    } else throw new UnknownExpression(`'${clause}' in '${text}'`);
  }
  return update;
}

const conditions = new Map<string, Condition>();
const updates = new Map<string, Update>();

function cached<T>(cache: Map<string, T>, text: string, parse: (text: string) => T): T {
  let parsed = cache.get(text);
  if (parsed === undefined) {
    parsed = parse(text);
    cache.set(text, parsed);
  }
  return parsed;
}

function resolver(names: Names, values: Values, text: string) {
  return {
    path: (name: string): string => {
      if (!name.startsWith('#')) return name;
      const found = names?.[name];
      if (found === undefined) throw validation(`the name ${name} is not given in '${text}'`);
      return found;
    },
    value: (name: string): unknown => {
      if (values === undefined || !Object.hasOwn(values, name) || values[name] === undefined)
        throw validation(`the value ${name} is not given in '${text}'`);
      return values[name];
    },
  };
}

export const validation = (message: string): Error =>
  Object.assign(new Error(message), { name: 'ValidationException', $metadata: { httpStatusCode: 400 } });

type Resolver = ReturnType<typeof resolver>;

function operandValue(operand: Operand, item: Item, resolve: Resolver): unknown {
  switch (operand.kind) {
    case 'path':
      return item[resolve.path(operand.name)];
    case 'value':
      return resolve.value(operand.name);
    case 'call': {
      const [first, second] = operand.args;
      if (!first) throw new UnknownExpression(operand.name);
      const value = operandValue(first, item, resolve);
      if (operand.name === 'if_not_exists' && second) return value ?? operandValue(second, item, resolve);
      if (operand.name === 'size') return sizeOf(value);
      throw new UnknownExpression(operand.name);
    }
  }
}

function sizeOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length;
  if (value instanceof Set) return value.size;
  throw new UnknownExpression('size() of a value of this type');
}

function compare(op: string, left: unknown, right: unknown): boolean {
  if (left === undefined || right === undefined) return false;
  if (op === '=') return left === right;
  if (op === '<>') return left !== right;
  const comparable =
    (typeof left === 'number' && typeof right === 'number') || (typeof left === 'string' && typeof right === 'string');
  // A condition between two types does not hold.
  if (!comparable) return false;
  if (op === '<') return left < right;
  if (op === '<=') return left <= right;
  if (op === '>') return left > right;
  return left >= right;
}

function holds(condition: Condition, item: Item, resolve: Resolver): boolean {
  switch (condition.kind) {
    // Both sides are looked at, so that what they name is checked.
    case 'and': {
      const [left, right] = [holds(condition.left, item, resolve), holds(condition.right, item, resolve)];
      return left && right;
    }
    case 'or': {
      const [left, right] = [holds(condition.left, item, resolve), holds(condition.right, item, resolve)];
      return left || right;
    }
    case 'not':
      return !holds(condition.of, item, resolve);
    case 'compare':
      return compare(
        condition.op,
        operandValue(condition.left, item, resolve),
        operandValue(condition.right, item, resolve),
      );
    case 'in': {
      const left = operandValue(condition.left, item, resolve);
      return condition.list.map((operand) => compare('=', left, operandValue(operand, item, resolve))).includes(true);
    }
    case 'between': {
      const left = operandValue(condition.left, item, resolve);
      const from = compare('>=', left, operandValue(condition.from, item, resolve));
      return compare('<=', left, operandValue(condition.to, item, resolve)) && from;
    }
    case 'function': {
      const [first, second] = condition.args;
      if (!first) throw new UnknownExpression(condition.name);
      const value = operandValue(first, item, resolve);
      if (condition.name === 'attribute_exists') return value !== undefined;
      if (condition.name === 'attribute_not_exists') return value === undefined;
      if (!second) throw new UnknownExpression(condition.name);
      const other = operandValue(second, item, resolve);
      if (condition.name === 'begins_with')
        return typeof value === 'string' && typeof other === 'string' && value.startsWith(other);
      if (typeof value === 'string') return typeof other === 'string' && value.includes(other);
      if (value instanceof Set) return value.has(other);
      return Array.isArray(value) && value.includes(other);
    }
  }
}

/** True when a condition holds for an item (an empty one where there is none). @throws for what is not understood. */
export function conditionHolds(text: string, item: Item | undefined, names: Names, values: Values): boolean {
  return holds(cached(conditions, text, parseCondition), item ?? {}, resolver(names, values, text));
}

/** Returns the item as an update makes it. @throws for what is not understood, or what DynamoDB refuses. */
export function updated(text: string, item: Item, names: Names, values: Values): Record<string, unknown> {
  const update = cached(updates, text, parseUpdate);
  const resolve = resolver(names, values, text);
  const after: Record<string, unknown> = { ...item };
  for (const { path, first, op, second } of update.set) {
    const value = operandValue(first, item, resolve);
    if (op === undefined || second === undefined) {
      if (value === undefined) throw validation(`'${text}' sets an attribute to one that is not there`);
      after[resolve.path(path)] = value;
      continue;
    }
    const other = operandValue(second, item, resolve);
    if (typeof value !== 'number' || typeof other !== 'number') throw validation(`'${text}' adds what is no number`);
    after[resolve.path(path)] = op === '+' ? value + other : value - other;
  }
  for (const path of update.remove) delete after[resolve.path(path)];
  for (const { path, value } of update.add) {
    const [name, added] = [resolve.path(path), resolve.value(value)];
    const before = item[name];
    if (typeof added === 'number' && (before === undefined || typeof before === 'number')) {
      after[name] = (before ?? 0) + added;
    } else if (added instanceof Set && (before === undefined || before instanceof Set)) {
      after[name] = new Set([...(before ?? []), ...added]);
    } else throw validation(`'${text}' adds to a value of another type`);
  }
  for (const { path, value } of update.delete) {
    const [name, gone] = [resolve.path(path), resolve.value(value)];
    const before = item[name];
    if (!(gone instanceof Set)) throw validation(`'${text}' deletes what is no set`);
    if (before === undefined) continue;
    if (!(before instanceof Set)) throw validation(`'${text}' deletes from what is no set`);
    const left = [...before].filter((element) => !gone.has(element));
    if (left.length > 0) after[name] = new Set(left);
    else delete after[name];
  }
  return after;
}

const used = new Map<string, ReadonlySet<string>>();

/** @throws when a name or value is given that no expression uses, as DynamoDB does. */
export function checkUsed(texts: readonly (string | undefined)[], names: Names, values: Values): void {
  if (names === undefined && values === undefined) return;
  const wanted = cached(used, texts.join(' , '), (text) => new Set(tokensOf(text)));
  for (const given of [names, values]) {
    for (const name in given) {
      if (!wanted.has(name)) throw validation(`${name} is given but not used in '${texts.join("', '")}'`);
    }
  }
}
