import fc from 'fast-check';
import { Invalid } from '../../../shared/values/converted.ts';
import { characters, checkedText } from '../../../shared/values/text.ts';

/** Texts of any UTF-16 units, lone surrogates among them. */
const units = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom('a', '\ud83d', '\ude00', '😀', 'é', '\uffff')).map((parts) => parts.join('')),
);

test('characters are code points, a lone surrogate being one', () => {
  fc.assert(
    fc.property(units, (text) => {
      expect(characters(text)).toBe([...text].length);
    }),
  );
});

test('a text is kept as it is, or refused for its length, a lone surrogate or a NUL', () => {
  fc.assert(
    fc.property(units, fc.integer({ min: 0, max: 12 }), (text, most) => {
      const isKept = [...text].length <= most && !/\p{Surrogate}/u.test(text) && !text.includes('\0');
      expect(checkedText(text, most)).toEqual(isKept ? text : expect.any(Invalid));
    }),
    { numRuns: 500 },
  );
});
