import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { explain } from '../../../shared/parameters/explain.ts';
import { isMap } from '../../../shared/parameters/problems.ts';
import { EXAMPLE as WIDE_EXAMPLE } from '../../../shared/parameters/reference.ts';
import { Parameters } from '../../../shared/parameters/schema.ts';
import { EXAMPLE, errorOf } from './example.ts';

type Path = readonly (string | number)[];
const Json = z.json();
type Json = z.infer<typeof Json>;

/** What is valid nowhere in a parameter file. */
const NONSENSE = [{ nonsense: true }];

/** Returns the paths of all parts of a value, the whole left out. */
const pathsOf = (value: unknown, path: Path = []): Path[] =>
  (Array.isArray(value) ? [...value.entries()] : isMap(value) ? Object.entries(value) : []).flatMap(([key, item]) => [
    [...path, key],
    ...pathsOf(item, [...path, key]),
  ]);

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (part, key) => (Array.isArray(part) ? part[Number(key)] : isMap(part) ? part[key] : undefined),
    value,
  );

/** Returns a copy of a value with one part replaced. */
function withPart(value: unknown, [key, ...rest]: Path, part: unknown): unknown {
  if (key === undefined) return part;
  if (Array.isArray(value)) return value.map((item, index) => (index === key ? withPart(item, rest, part) : item));
  return isMap(value) ? { ...value, [key]: withPart(value[key], rest, part) } : value;
}

const CONTENTS = [EXAMPLE, WIDE_EXAMPLE].map((text) => Json.parse(parse(text)));
const content = fc.constantFrom(...CONTENTS);
const pathIn = (value: Json, accepts: (part: unknown) => boolean = () => true) =>
  fc.constantFrom(...pathsOf(value).filter((path) => accepts(at(value, path))));

const isTold = (value: unknown): void => {
  const error = errorOf(stringify(value));
  expect(error?.problems.length).toBeGreaterThan(0);
  for (const { line, column, message } of error?.problems ?? []) {
    expect(line).toBeGreaterThan(0);
    expect(column).toBeGreaterThan(0);
    expect(message).toMatch(/^found .+, allowed: .+/);
  }
};

describe('a valid file with one part broken has a problem', () => {
  test('when the part is replaced by nonsense', () => {
    const broken = content.chain((value) => pathIn(value).map((path) => withPart(value, path, NONSENSE)));
    fc.assert(fc.property(broken, isTold), { numRuns: 200 });
  });

  test('when a key is added that is nonsense', () => {
    const broken = content.chain((value) =>
      pathIn(value, isMap).map((path) => withPart(value, [...path, 'nonsense'], NONSENSE)),
    );
    fc.assert(fc.property(broken, isTold), { numRuns: 100 });
  });

  test('when the name of an app or model is changed', () => {
    const broken = content.chain((value) =>
      fc.constantFrom('apps', 'models').chain((kind) =>
        fc.constantFrom(...Object.keys(z.record(z.string(), Json).parse(at(value, [kind])))).map((name) => {
          const { [name]: part, ...others } = z.record(z.string(), Json).parse(at(value, [kind]));
          return withPart(value, [kind], { ...others, [`${name}_renamed`]: part ?? null });
        }),
      ),
    );
    fc.assert(fc.property(broken, isTold), { numRuns: 20 });
  });
});

describe('what the schema refuses is always explained, and nothing else', () => {
  const replaced = content.chain((value) =>
    pathIn(value).chain((path) => fc.jsonValue().map((part) => withPart(value, path, part))),
  );
  const swapped = content.chain((value) =>
    fc.tuple(pathIn(value), pathIn(value)).map(([to, from]) => withPart(value, to, at(value, from))),
  );

  test.each([
    ['a part of any kind', replaced],
    ['a part of another place', swapped],
  ])('with %s', (_, broken) => {
    fc.assert(
      fc.property(broken, (value) => {
        expect(explain(value).length === 0).toBe(Parameters.safeParse(value).success);
      }),
      { numRuns: 300 },
    );
  });

  test('whatever the content is', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => expect(explain(value).length).toBeGreaterThan(0)));
  });
});

describe('any text becomes parameters or a ParametersError', () => {
  const unharmed = (text: string): void => {
    errorOf(text);
    expect(Object.keys(Object.prototype)).toEqual([]);
  };
  const signs = fc.string({ unit: fc.constantFrom(...'abc: \n\t-[]{}&*!|>\'"%@#?,<=.\\~0_'), maxLength: 60 });

  test('when it is anything', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), unharmed), { numRuns: 200 });
  });

  test('when it looks like YAML', () => {
    fc.assert(fc.property(signs, unharmed), { numRuns: 300 });
  });

  test('when it is a valid file with a piece cut out, put in or doubled', () => {
    const mutated = fc
      .tuple(fc.constantFrom(EXAMPLE, WIDE_EXAMPLE), fc.nat(), fc.nat({ max: 60 }), signs)
      .map(([text, start, length, piece]) => {
        const from = start % text.length;
        return `${text.slice(0, from)}${piece}${text.slice(from + length)}`;
      });
    const doubled = fc.tuple(fc.nat(), fc.nat({ max: 200 })).map(([start, length]) => {
      const from = start % EXAMPLE.length;
      return EXAMPLE.slice(0, from + length) + EXAMPLE.slice(from);
    });
    fc.assert(fc.property(fc.oneof(mutated, doubled), unharmed), { numRuns: 200 });
  });

  test('when its keys are those of every object', () => {
    const name = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf');
    const text = fc
      .array(name, { minLength: 1, maxLength: 4 })
      .map((names) => names.reduceRight((inside, key) => `{ ${key}: ${inside} }`, 'x'));
    const placed = fc
      .tuple(fc.constantFrom('apps', 'models', 'destinations', '"x"'), text)
      .map(([key, inside]) => `${key}: ${inside}`);
    fc.assert(fc.property(fc.oneof(text, placed), unharmed));
  });
});
