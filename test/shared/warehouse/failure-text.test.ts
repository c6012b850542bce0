import fc from 'fast-check';
import { withoutData, wordsOf } from '../../../shared/warehouse/failure-text.ts';

const OWN = wordsOf('SELECT customer_id, sum(total) AS ltv FROM public.customer', '{"value":"gold"}');
const MARK = 'Zaphod';

const BLOCK = `ERROR:
  -----------------------------------------------
  error:  Invalid digit, Value 'Z', Pos 0, Type: Integer
  code:      1207
  context:   ${MARK} 42424242
  query:     1234567
  location:  xen_execute.cpp:123
  process:   query0_118 [pid=1234]
  -----------------------------------------------`;

describe('the message of a failed statement', () => {
  test.each([
    ['ERROR: out of disk'],
    ['ERROR: column "ltv" does not exist in customer'],
    ['ERROR: relation "public.customer" does not exist Position: 45'],
    ['ERROR: value too long for type character varying(20)'],
    ['ERROR: Numeric data overflow (result precision)'],
    ['ERROR: cannot cast type gold to integer'],
    ['the statement was cancelled'],
  ])('%s stays as it is', (message) => {
    expect(withoutData(message, OWN)).toBe(message);
  });

  test.each([
    [`ERROR: invalid input syntax for integer: "${MARK}"`, 'ERROR: invalid input syntax for integer: "…"'],
    [`ERROR: invalid value '${MARK} B.', or not`, "ERROR: invalid value '… …', or not"],
    [`DETAIL: Key (customer_id)=(${MARK}) already exists.`, 'DETAIL: Key (…) already exists.'],
    [`ERROR: could not convert string to float: ${MARK}`, 'ERROR: could not convert string to float: …'],
    [`ERROR: invalid json object {"name":"${MARK}"}`, 'ERROR: invalid json object …'],
    [`ERROR: value ${MARK}@example.com is invalid`, 'ERROR: value … is invalid'],
    ['ERROR: value 42424242 is out of range', 'ERROR: value … is out of range'],
    ['ERROR: date/time field value out of range: "2031-13-45"', 'ERROR: date/time field value out of range: "…"'],
    [`ERROR: the value is unterminated: "${MARK} and`, 'ERROR: the value is unterminated: "… and'],
    [
      BLOCK,
      "ERROR: error: Invalid digit, Value '…', Pos 0, Type: Integer code: 1207 context: … query: … location: … process: …",
    ],
  ])('%s loses what it says of a row', (message, told) => {
    expect(withoutData(message, OWN)).toBe(told);
  });

  test('says no word that is not its own or known, whatever a value looks like', () => {
    const value = fc.oneof(fc.stringMatching(/^[A-Za-z0-9 @.,'"(){}:=-]{1,40}$/), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(value, fc.constantFrom(' ', '"', "'", '(', ':'), (text, before) => {
        const told = withoutData(`ERROR: invalid input ${before}${MARK}${text}${MARK}`, OWN);
        expect(told).not.toContain(MARK);
        expect(told.startsWith('ERROR: invalid input')).toBe(true);
        for (const word of told.match(/[\p{L}\p{N}_$]{4,}/gu) ?? []) {
          expect(withoutData(word, OWN)).toBe(word);
        }
      }),
    );
  });

  test('is cut, however long it is', () => {
    expect(withoutData('value '.repeat(100_000), OWN)).toMatch(/^(value ){80}…$/);
    expect(withoutData(`ERROR: ${'x'.repeat(1_000_000)}`, OWN)).toBe('ERROR: …');
  });
});
