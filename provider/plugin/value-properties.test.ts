import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExtData, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { anyName, anyNumber, anyText, anyType, anyTyped } from './cty-arbitrary-for-tests.ts';
import type { CtyType } from './cty-type.ts';
import { decodeValue } from './decode-value.ts';
import { encodeValue } from './encode-value.ts';
import { sameValue } from './same-value-for-tests.ts';
import { Dynamic, equalValues, isValueMap, Unknown, type Value } from './value.ts';

const numRuns = 500;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** What msgpack has for a value, as whoever knows the format would write it by hand. */
function byHand(value: Value, type: CtyType): unknown {
  if (value === null) return null;
  if (value instanceof Unknown) {
    return value.refinement ? new ExtData(12, value.refinement) : new ExtData(0, new Uint8Array(1));
  }
  if (value instanceof Dynamic) {
    return [Buffer.from(JSON.stringify(value.type)), byHand(value.value, value.type as CtyType)];
  }
  if (typeof value === 'bigint') {
    return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value ? value : String(value);
  }
  const below = (index: number | string) =>
    (type[0] === 'tuple' || type[0] === 'object' ? (type[1] as never)[index] : type[1]) as CtyType;
  if (Array.isArray(value)) return value.map((item, index) => byHand(item, below(index)));
  if (!isValueMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, byHand(item, below(name))]));
}

test('every value comes back as it was, whatever its type, and whatever is unknown in it', () => {
  fc.assert(
    fc.property(anyTyped(), ([type, value]) => {
      assert.ok(sameValue(decodeValue(encodeValue(value, type), type), value, type));
    }),
    { numRuns },
  );
});

test('what was decoded is encoded in the same bytes again', () => {
  fc.assert(
    fc.property(anyTyped(), ([type, value]) => {
      const bytes = encodeValue(value, type);
      assert.equal(hex(encodeValue(decodeValue(bytes, type), type)), hex(bytes));
    }),
    { numRuns },
  );
});

test('what another encoder wrote of the same structure is the same value', () => {
  fc.assert(
    fc.property(anyTyped(), ([type, value]) => {
      const theirs = encode(byHand(value, type), { useBigInt64: true });
      assert.ok(sameValue(decodeValue(theirs, type), value, type));
    }),
    { numRuns },
  );
});

test('a number has one form, in which equal ones are equal and none is rounded', () => {
  fc.assert(
    fc.property(anyNumber, anyNumber, (a, b) => {
      const [one, other] = [a, b].map((value) => decodeValue(encodeValue(value, 'number'), 'number'));
      assert.ok(sameValue(one ?? null, a, 'number'));
      assert.equal(equalValues(one ?? null, other ?? null), sameValue(a, b, 'number'));
    }),
    {
      numRuns: 2 * numRuns,
      examples: [
        ['0.50', 0.5],
        ['1e3', 1000],
        [2 ** 70, 2n ** 70n],
        [-0, 0],
        [5n, 5],
      ],
    },
  );
});

test('half a surrogate pair becomes the replacement character, in values and in keys', () => {
  const units = fc.array(fc.constantFrom(0x61, 0xd83d, 0xde00, 0xffff), { maxLength: 300 });
  fc.assert(
    fc.property(units, (codes) => {
      const text = String.fromCharCode(...codes);
      const whole = text.toWellFormed();
      assert.equal(decodeValue(encodeValue(text, 'string'), 'string'), whole);
      const type: CtyType = ['map', 'string'];
      assert.deepEqual(decodeValue(encodeValue({ [text]: text }, type), type), { [whole]: whole });
      const object = decodeValue(
        encodeValue(new Dynamic(['object', { [text]: 'bool' }], {}), 'dynamic'),
        'dynamic',
      );
      assert.deepEqual(object, new Dynamic(['object', { [whole]: 'bool' }], { [whole]: null }));
    }),
    { numRuns },
  );
});

test('names that JavaScript gives a meaning are names like any other', () => {
  fc.assert(
    fc.property(anyName, anyText, (name, text) => {
      const object = Object.fromEntries([[name, text]]);
      const types: CtyType[] = [
        ['map', 'string'],
        ['object', Object.fromEntries([[name, 'string' as const]])],
      ];
      for (const type of types) {
        const back = decodeValue(encodeValue(object, type), type);
        assert.deepEqual(Object.entries(back as object), [[name, text]]);
      }
      const type: CtyType = ['object', Object.fromEntries([[name, 'string' as const]])];
      assert.deepEqual(Object.entries(decodeValue(encodeValue({}, type), type) as object), [[name, null]]);
      assert.ok(!equalValues({ other: null }, object));
    }),
    { numRuns },
  );
});

test('bytes that are changed or cut are refused as a TypeError, or are another value of the type', () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(4));
  fc.assert(
    fc.property(anyTyped(), fc.array(change, { minLength: 1, maxLength: 4 }), ([type, value], changes) => {
      let bytes = Buffer.from(encodeValue(value, type));
      for (const [at, byte, cut] of changes) {
        bytes[at % Math.max(bytes.length, 1)] = byte;
        if (cut === 0) bytes = bytes.subarray(0, at % (bytes.length + 1));
      }
      readsOrRefuses(bytes, type);
    }),
    { numRuns: 2 * numRuns },
  );
});

test('any bytes are refused as a TypeError, or are a value of the type', () => {
  fc.assert(
    fc.property(anyType(), fc.uint8Array({ maxLength: 64 }), (type, bytes) => readsOrRefuses(bytes, type)),
    { numRuns: 4 * numRuns },
  );
});

test('lengths that are declared take no memory, and deep nesting no stack', () => {
  const refused = (bytes: Buffer, type: CtyType) => assert.throws(() => decodeValue(bytes, type), TypeError);
  for (const head of ['dd01ffffff', 'ddffffffff', 'df01ffffff', 'c6ffffffff', 'dbffffffff', 'c9ffffffff00']) {
    const bytes = Buffer.from(head.repeat(100), 'hex');
    for (const type of ['string', 'dynamic', ['list', ['list', 'string']], ['map', 'string']] as CtyType[])
      refused(bytes, type);
  }
  const deepType = Buffer.from(`${'["list",'.repeat(10_000)}"string"${']'.repeat(10_000)}`);
  refused(
    Buffer.concat([Buffer.of(0x92), Buffer.from(encode(deepType)), Buffer.alloc(10_000, 0x91)]),
    'dynamic',
  );
  const dynamic = Buffer.concat([Buffer.of(0x92), Buffer.from(encode(Buffer.from('"dynamic"')))]);
  refused(Buffer.concat([...Array(10_000).fill(dynamic), Buffer.of(0xc0)]), 'dynamic');
});

test('what msgpack knows and Terraform does not is refused', () => {
  const map: CtyType = ['map', 'number'];
  const refused: [string, CtyType][] = [
    [hex(encode(new Date(0))), map],
    [hex(encode(Buffer.of(1, 2))), map],
    [hex(encode({ a: 1, b: 2 })), ['object', { a: 'number' }]],
    [hex(encode([1, 2])), ['tuple', ['number']]],
    [hex(encode('five')), 'number'],
    [hex(encode(Number.NaN)), 'number'],
    [hex(encode(`5e${'9'.repeat(40)}`)), 'number'],
    ['a1ff', 'string'],
    ['0101', 'number'],
    [hex(encode([Buffer.from('["strings"]'), 'x'])), 'dynamic'],
    [hex(encode([Buffer.from('{'), 'x'])), 'dynamic'],
  ];
  for (const [bytes, type] of refused)
    assert.throws(() => decodeValue(Buffer.from(bytes, 'hex'), type), TypeError, bytes);
});

test('elements of a set that are not known yet are each kept', () => {
  const type: CtyType = ['set', ['object', { name: 'string' }]];
  const set = [{ name: new Unknown() }, { name: new Unknown() }];
  assert.equal((decodeValue(encodeValue(set, type), type) as Value[]).length, 2);
});

function readsOrRefuses(bytes: Uint8Array, type: CtyType): void {
  let value: Value;
  try {
    value = decodeValue(bytes, type);
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    return;
  }
  assert.ok(sameValue(decodeValue(encodeValue(value, type), type), value, type));
}
