import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CtyType } from './cty-type.ts';
import { parseJson, valueFromJson, valueToJson } from './json-value.ts';
import { Dynamic, unknown } from './value.ts';

const read = (text: string, type: CtyType) => valueFromJson(parseJson(text), type);

test('no number of a JSON text is rounded', () => {
  assert.equal(read('9007199254740993', 'number'), 9007199254740993n);
  assert.equal(read('0.1', 'number'), '0.1');
  assert.equal(read('60', 'number'), 60);
});

test('no number is rounded when it is written', () => {
  assert.equal(JSON.stringify(valueToJson({ n: 9007199254740993n, m: 1 })), '{"n":9007199254740993,"m":1}');
});

test('members that the type does not know are left out and missing ones are null', () => {
  assert.deepEqual(read('{"a":"x","new":1}', ['object', { a: 'string', b: 'bool' }]), { a: 'x', b: null });
});

test('a dynamic value is read with the type beside it', () => {
  const value = read('{"type":["list","number"],"value":[1]}', 'dynamic');
  assert.deepEqual(value, new Dynamic(['list', 'number'], [1]));
});

test('a member of another type is refused', () => {
  assert.throws(
    () => read('{"a":1}', ['object', { a: 'string' }]),
    /type string was expected, found a number/,
  );
});

test('an unknown value has no JSON', () => {
  assert.throws(() => valueToJson([unknown]), /unknown/);
});
