import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  decodeFingerprint,
  digestOf,
  encodeFingerprint,
  FINGERPRINT_VERSION,
  MAX_FIELD_ID,
  printOf,
  sameFingerprint,
  UNKNOWN_PRINT,
} from '../../../shared/ledger/fingerprint.ts';
import { recordHash } from '../../../shared/ledger/record-hash.ts';

const print = fc.stringMatching(/^[0-9a-f]{16}$/);
const fields = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: MAX_FIELD_ID }), print), { selector: ([id]) => id, maxLength: 40 })
  .map((fields) => fields.map(([id, print]) => ({ id, print })).sort((a, b) => a.id - b.id));

describe('a fingerprint', () => {
  test('gives back the fields that it was made of, in ten bytes each and one', () => {
    fc.assert(
      fc.property(fields, (fields) => {
        const bytes = encodeFingerprint(fields);
        expect(bytes).toHaveLength(1 + 10 * fields.length);
        expect(bytes[0]).toBe(FINGERPRINT_VERSION);
        expect(decodeFingerprint(bytes)).toEqual(fields);
        expect(sameFingerprint(bytes, new Uint8Array(bytes))).toBe(true);
      }),
    );
  });

  test('is read where it lies, also within a larger buffer', () => {
    const fields = [{ id: 7, print: '0123456789abcdef' }];
    const large = new Uint8Array(100);
    large.set(encodeFingerprint(fields), 13);
    expect(decodeFingerprint(large.subarray(13, 24))).toEqual(fields);
  });

  test('is equal to another, and has the digest of another, exactly when the fields are', () => {
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        const isEqual = JSON.stringify(a) === JSON.stringify(b);
        const [one, other] = [encodeFingerprint(a), encodeFingerprint(b)];
        expect(sameFingerprint(one, other)).toBe(isEqual);
        expect(digestOf(one) === digestOf(other)).toBe(isEqual);
        expect(digestOf(one)).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });

  test('of a length or version that is none is an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const isOne = bytes[0] === FINGERPRINT_VERSION && bytes.length % 10 === 1;
        fc.pre(!isOne);
        expect(() => decodeFingerprint(bytes)).toThrow('no fingerprint of version 1');
      }),
    );
    const whole = encodeFingerprint([{ id: 1, print: 'f'.repeat(16) }]);
    for (let length = 0; length < whole.length; length++) {
      if (length !== 1) expect(() => decodeFingerprint(whole.subarray(0, length))).toThrow('no fingerprint');
    }
  });

  test.each([
    ['descend', [2, 1]],
    ['repeat', [1, 1]],
    ['begin with 0', [0]],
    ['are negative', [-1]],
    ['go beyond 16 bits', [MAX_FIELD_ID + 1]],
  ])('is not made of ids that %s', (_, ids) => {
    expect(() => encodeFingerprint(ids.map((id) => ({ id, print: '1'.repeat(16) })))).toThrow('does not follow');
  });
});

describe('a print', () => {
  test('is the beginning of a SHA-256 over record, field and value, and never the unknown one', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (key, field, text) => {
        const hash = recordHash(key);
        const sha = createHash('sha256').update(`${hash}\0${field}=${text}`).digest('hex');
        expect(printOf(hash, field, text)).toBe(sha.slice(0, 16));
        expect(printOf(hash, field, text)).not.toBe(UNKNOWN_PRINT);
      }),
    );
  });

  test('differs for another value, another field and another record', () => {
    const [ann, bob] = [recordHash('ann'), recordHash('bob')];
    const prints = [
      printOf(ann, 'a', '"x"'),
      printOf(ann, 'a', '"y"'),
      printOf(ann, 'b', '"x"'),
      printOf(bob, 'a', '"x"'),
      printOf(ann, 'a', '1'),
      printOf(ann, 'a', '"1"'),
      printOf(ann, 'a', 'null'),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });
});

test.each([
  ['', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['abc', '900150983cd24fb0d6963f7d28e17f72'],
  ['déjà 😀', createHash('md5').update(Buffer.from('déjà 😀', 'utf8')).digest('hex')],
])('the record hash of %j is its md5', (key, hash) => {
  expect(recordHash(key)).toBe(hash);
});
