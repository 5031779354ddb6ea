import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyTyped } from './cty-arbitrary-for-tests.ts';
import type { CtyType } from './cty-type.ts';
import { parseJson, valueFromJson, valueToJson } from './json-value.ts';
import { digitsOf, sameValue } from './same-value-for-tests.ts';
import { Dynamic, isValueMap, type Value } from './value.ts';

const numRuns = 500;

/** The JSON that a state file has of a value, as whoever knows the format would write it by hand. */
function stateJson(value: Value, type: CtyType): string {
  if (value instanceof Dynamic) {
    return `{"type":${JSON.stringify(value.type)},"value":${stateJson(value.value, value.type as CtyType)}}`;
  }
  if (value === null) return 'null';
  if (type === 'number') return typeof value === 'string' ? value : digitsOf(value);
  if (typeof type === 'string') return JSON.stringify(value);
  const below = (index: number | string) =>
    (type[0] === 'tuple' || type[0] === 'object' ? (type[1] as never)[index] : type[1]) as CtyType;
  if (Array.isArray(value)) return `[${value.map((item, index) => stateJson(item, below(index)))}]`;
  assert.ok(isValueMap(value));
  const members = Object.entries(value).map(
    ([name, item]) => `${JSON.stringify(name)}:${stateJson(item, below(name))}`,
  );
  return `{${members}}`;
}

test('what a state file holds is read as the value it was, no number rounded', () => {
  fc.assert(
    fc.property(anyTyped({ known: true }), ([type, value]) => {
      assert.ok(sameValue(valueFromJson(parseJson(stateJson(value, type)), type), value, type));
    }),
    { numRuns },
  );
});

test('what is written as JSON is read as the value it was, as far as JSON tells numbers and types', () => {
  const isPlain = (value: Value): boolean => {
    if (value instanceof Dynamic) return false;
    if (Array.isArray(value)) return value.every(isPlain);
    if (isValueMap(value)) return Object.values(value).every(isPlain);
    return typeof value !== 'number' || Number.isInteger(value);
  };
  const hasDecimal = (type: CtyType): boolean => JSON.stringify(type).includes('"number"');
  const wholeNumbers: fc.Arbitrary<[CtyType, Value]> = fc
    .array(
      fc.oneof(
        fc.bigInt(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true }).map((n) => Math.trunc(n)),
      ),
    )
    .map((numbers) => [
      ['list', 'number'],
      numbers.filter((n) => typeof n === 'bigint' || Number.isFinite(n)),
    ]);
  const texts = anyTyped({ known: true }).filter(([type, value]) => isPlain(value) && !hasDecimal(type));
  fc.assert(
    fc.property(fc.oneof(texts, wholeNumbers), ([type, value]) => {
      const back = valueFromJson(parseJson(JSON.stringify(valueToJson(value))), type);
      assert.ok(sameValue(back, value, type));
    }),
    { numRuns },
  );
});

test('any JSON is refused as a TypeError, or is a value of the type', () => {
  fc.assert(
    fc.property(anyTyped(), fc.json({ maxDepth: 4 }), ([type], json) => {
      try {
        valueFromJson(parseJson(json), type);
      } catch (error) {
        assert.ok(error instanceof TypeError, String(error));
      }
    }),
    { numRuns: 2 * numRuns },
  );
  const types = ['5', 'null', '"strings"', '["lists","string"]', '["object"]', '["tuple",{}]', '["list"]'];
  for (const type of types)
    assert.throws(() => valueFromJson(parseJson(`{"type":${type},"value":[]}`), 'dynamic'), TypeError);
});

test('what is no JSON is refused without telling what it was', () => {
  for (const text of ['hunter2', '{"password":hunter2}', '{"password":"hunter2"', '["hunter2",]'])
    assert.throws(
      () => parseJson(text),
      (error: Error) => !error.stack?.includes('hunter2'),
    );
});
