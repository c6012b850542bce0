import { describeError, messageOf } from '../../shared/errors.ts';

const thrownBy = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

test('what a parser says of a text that it cannot read is not told: it quotes the text', () => {
  const error = thrownBy(() => JSON.parse('{"email": MARKED}'));
  expect(String(error)).toContain('MARKED');
  expect(messageOf(error)).toBe('a text that cannot be read');
  expect(describeError(error)).toBe('SyntaxError: a text that cannot be read');
});

test('any other error is told by its name and message', () => {
  expect(describeError(new TypeError('no such thing'))).toBe('TypeError: no such thing');
  expect(messageOf('thrown')).toBe('thrown');
});
