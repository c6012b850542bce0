/** A small share of `npm run fuzz` in the suite, and proof that its own means see what they are to see. */
import { random } from '../../fuzz/random.ts';
import { isPolluted, parts, runTarget, TARGETS } from '../../fuzz/run.ts';
import { joined, lexemes } from '../../fuzz/sql-lexer.ts';
import { hold, outcomeOf, type Target, Violation } from '../../fuzz/target.ts';

const options = { runs: 25_000, seed: 424_242, now: () => performance.now() };

test.each(parts(TARGETS, options.runs).map(([target, inputs]) => [target.name, inputs, target] as const))(
  '%s: %i hostile inputs end in a result or a documented error',
  async (_, inputs, target) => {
    const { defect, outcomes } = await runTarget(target, inputs, options);
    expect(defect).toBeUndefined();
    expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(inputs);
  },
);

describe('a defect', () => {
  const target = (attempt: Target['attempt']): Target => ({ name: 't', share: 1, withinMs: 50, attempt });

  test.each<[string, Target['attempt'], RegExp]>([
    ['an error that nobody documented', () => outcomeOf([RangeError], () => hold(false, 'broken') ?? ''), /broken/],
    [
      'an input that takes too long',
      () => {
        const until = performance.now() + 60;
        while (performance.now() < until);
        return '';
      },
      /took \d+ ms/,
    ],
    [
      'a prototype that has changed',
      () => {
        Object.defineProperty(Object.prototype, 'polluted', { value: 1, configurable: true });
        return '';
      },
      /prototype has changed/,
    ],
  ])('is %s', async (_, attempt, words) => {
    try {
      const { defect } = await runTarget(target(attempt), 1, options);
      expect(String(defect?.error)).toMatch(words);
      expect(defect?.seed).toBe(options.seed);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted');
    }
    expect(isPolluted()).toBe(false);
  });

  test('is not a documented error', () => {
    const work = () => {
      throw new RangeError('x');
    };
    expect(outcomeOf([RangeError], work)).toBe('RangeError');
    expect(() => outcomeOf([TypeError], work)).toThrow('x');
    expect(() => outcomeOf([Error], () => hold(false, 'x') ?? '')).toThrow(Violation);
  });
});

test('the same seed makes the same inputs', () => {
  const numbers = (seed: number) => random(seed).times(5, () => random(seed).int(1000));
  expect(numbers(7)).toEqual(numbers(7));
  expect(new Set([1, 2, 3, 4].map((seed) => random(seed).int(1_000_000))).size).toBe(4);
});

describe('the lexer', () => {
  test.each([
    ["'a''b'", 'a'.concat("'b")],
    ["('a' || CHR(92) || 'b' || CHR(92) || '')", 'a\\b\\'],
  ])('reads %s as one string', (sql, value) => {
    expect(joined(lexemes(sql, 'redshift'))).toEqual([{ kind: 'string', value }]);
    expect(joined(lexemes(sql, 'postgres'))).toEqual([{ kind: 'string', value }]);
  });

  test('sees where a backslash ends a string in one database and not in the other', () => {
    const sql = "'a\\' OR 1=1";
    expect(lexemes(sql, 'postgres').length).toBeGreaterThan(1);
    expect(() => lexemes(sql, 'redshift')).toThrow('left open');
  });

  test.each(["'a' -- b", "'a' /* b */", '$$a$$', "'a", '"a'])('refuses %s', (sql) => {
    expect(() => lexemes(sql, 'redshift')).toThrow();
  });
});
