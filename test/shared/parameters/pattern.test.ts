import { patternProblem } from '../../../shared/parameters/pattern.ts';

describe('a regular expression that Redshift reads', () => {
  test.each([
    '',
    'abc',
    '^a.*b$',
    '(a|b)+c?',
    'a{2}b{2,}c{2,3}',
    'a+?b*?c??',
    '[a-z0-9_]+@[^@]+',
    '[[:alpha:]][[:digit:]_-]*',
    '[]a]',
    '[^]a]',
    '[a\\]b]',
    '\\d\\D\\w\\W\\s\\S\\b',
    '\\.\\*\\?\\(\\)\\[\\]\\{\\}\\\\\\-',
    '\\.(de|at|ch)$',
    '((a)(b(c)))*',
    'ä|\u{1f600}',
    '()',
  ])('%p passes', (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
  });
});

describe('a regular expression that Redshift does not read', () => {
  test.each([
    ['(?=a)', "'(?='"],
    ['a(?!b)', "'(?!'"],
    ['(?<=a)b', "'(?<'"],
    ['(?:a)', "'(?:'"],
    ['(?i)a', "'(?i'"],
    ['(a', 'a ( that is not closed'],
    ['a)', 'a ) too many'],
    [')a(', 'a ) too many'],
    ['[a', 'a [ that is not closed'],
    ['[]', 'a [ that is not closed'],
    ['[z-a]', "'z-a' goes downwards"],
    ['[[:letter:]]', "'[:letter:]' is no character class"],
    ['[\\d]', '[[:digit:]]'],
    ['*a', "'*' has nothing to repeat"],
    ['a|*b', 'has nothing to repeat'],
    ['(+a)', 'has nothing to repeat'],
    ['a**', 'has nothing to repeat'],
    ['a++', 'has nothing to repeat'],
    ['^*', 'has nothing to repeat'],
    ['a{3,2}', "'{3,2}' goes downwards"],
    ['a{256}', 'repeats too often'],
    ['a{b}', 'begins no repetition'],
    ['a{', 'begins no repetition'],
    ['(a)\\1', "'\\1' has no meaning"],
    ['\\p{L}', "'\\p' has no meaning"],
    ['\\Aa', "'\\A' has no meaning"],
    ['a\\', "'\\' has no meaning"],
  ])('%p is refused', (pattern, words) => {
    expect(patternProblem(pattern)).toContain(words);
  });
});
