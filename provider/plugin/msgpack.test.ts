import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import type { CtyType } from './cty-type.ts';
import { decodeValue } from './decode-value.ts';
import { encodeValue } from './encode-value.ts';
import { Dynamic, isUnknown, Unknown, unknown, type Value } from './value.ts';

const roundTrip = (value: Value, type: CtyType) => decodeValue(encodeValue(value, type), type);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('values of every type come back as they were', () => {
  const samples: [Value, CtyType][] = [
    [null, 'string'],
    ['ä€😀', 'string'],
    [true, 'bool'],
    [-1, 'number'],
    [0.5, 'number'],
    [
      ['a', 'b'],
      ['list', 'string'],
    ],
    [{ a: 1, b: null }, ['map', 'number']],
    [
      ['x', 1],
      ['tuple', ['string', 'number']],
    ],
    [{ name: 'x', tags: [] }, ['object', { name: 'string', tags: ['list', 'string'] }]],
  ];
  for (const [value, type] of samples) assert.deepEqual(roundTrip(value, type), value);
});

test('an integer beyond the safe range is not rounded', () => {
  assert.equal(roundTrip(9007199254740993n, 'number'), 9007199254740993n);
  assert.equal(roundTrip(-9223372036854775808n, 'number'), -9223372036854775808n);
  assert.equal(roundTrip(2n ** 80n, 'number'), 2n ** 80n);
});

test('a fraction that a double cannot hold stays a decimal string', () => {
  assert.equal(roundTrip('0.1', 'number'), '0.1');
});

test('unknown is extension 0 with one zero byte', () => {
  assert.equal(hex(encodeValue(unknown, 'string')), 'd40000');
  assert.ok(isUnknown(decodeValue(Buffer.from('d40000', 'hex'), ['list', 'string'])));
});

test('a refined unknown keeps what Terraform knows of it', () => {
  const refinement = Buffer.from('8101c2', 'hex');
  const bytes = Buffer.concat([Buffer.from('c7030c', 'hex'), refinement]);
  const value = decodeValue(bytes, 'string');
  assert.ok(value instanceof Unknown);
  assert.equal(hex(value.refinement ?? Buffer.alloc(0)), hex(refinement));
  assert.equal(hex(encodeValue(value, 'string')), hex(bytes));
});

test('a set is written sorted and without repetition', () => {
  assert.deepEqual(roundTrip(['b', 'a', 'b'], ['set', 'string']), ['a', 'b']);
});

test('a dynamic value carries its type', () => {
  const value = new Dynamic(['list', 'number'], [1, 9007199254740993n]);
  assert.deepEqual(roundTrip(value, 'dynamic'), value);
});

test('attributes that an object does not have are null', () => {
  const type: CtyType = ['object', { a: 'string', b: 'string' }];
  assert.deepEqual(decodeValue(encode({ a: 'x' }), type), { a: 'x', b: null });
});

test('what does not fit the type is refused', () => {
  assert.throws(() => encodeValue(1, 'string'), /type string was expected, found a number/);
  assert.throws(() => encodeValue({ c: 1 }, ['object', { a: 'string' }]), /no attribute "c"/);
  assert.throws(() => decodeValue(encode('x'), ['list', 'string']), /type list was expected/);
});
