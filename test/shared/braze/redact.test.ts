import fc from 'fast-check';
import { textsIn, textsSent, withoutTexts } from '../../../shared/braze/redact.ts';
import type { JsonValue } from '../../../shared/values/json.ts';

describe('a sentence of Braze', () => {
  test.each<[string, string[], string]>([
    ['user Ann Smith is unknown', ['Ann Smith'], 'user … is unknown'],
    ['user ANN SMITH is unknown', ['Ann Smith'], 'user … is unknown'],
    ['bad email ann@example.com', ['Ann@Example.com'], 'bad email …'],
    ['value "a\\"b\\\\c" is bad', ['a"b\\c'], 'value "…" is bad'],
    ['value a.c is bad, abc is not', ['a.c'], 'value … is bad, abc is not'],
    ['value Straße-1 is bad', ['straße-1'], 'value … is bad'],
    ['it ends with ann.smi…', ['Ann.Smith@example.com'], 'it ends with …'],
    ['gender is not one of M, F', ['M', 'is'], 'gender is not one of M, F'],
    ['$& and $1 stay', ['$& and'], '… $1 stay'],
    ['lone \ud83d\ude00 \ud83d', ['\ud83d\ude00 \ud83d'], 'lone …'],
    ['', ['abc'], ''],
  ])('%s comes without %j', (sentence, texts, told) => {
    expect(withoutTexts(sentence, texts)).toBe(told);
  });

  test('comes without any text that was sent, whatever signs it is made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 3, maxLength: 50 }), (text) => {
        fc.pre(!'Braze says … of it'.includes(text));
        expect(withoutTexts(`Braze says ${text} of it`, [text])).not.toContain(text);
      }),
    );
  });

  test('takes no time over values of a megabyte', () => {
    const started = performance.now();
    withoutTexts('x'.repeat(200), [`${'('.repeat(1_000_000)}`, 'y'.repeat(1_000_000)]);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

test('the texts of a value are those at any depth, keys too', () => {
  const value: JsonValue = { name: ['one', { two: 3, ok: true }], none: null };
  expect(textsIn(value).sort()).toEqual(['3', 'name', 'none', 'ok', 'one', 'two']);
});

test('the texts of a request are those of its users, without the names of attributes', () => {
  const body = JSON.stringify({ attributes: [{ external_id: 'ann', email: 'a@b.c', nested: { city: 'Rome' } }] });
  expect(textsSent(body)).toEqual(['ann', 'a@b.c', 'city', 'Rome']);
  expect(textsSent(JSON.stringify({ external_ids: ['ann', 'bob'] }))).toEqual(['ann', 'bob']);
});
