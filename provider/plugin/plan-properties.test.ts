import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeValue } from './encode-value.ts';
import { planChange } from './plan-change.ts';
import { type Attribute, type Attributes, isNested, objectType } from './schema.ts';
import { anyAttributes, anyConfig, anyState } from './schema-arbitrary-for-tests.ts';
import { equalValues, isUnknown, isValueMap, isWhollyKnown, type Value, type ValueMap } from './value.ts';
import { withoutWriteOnly } from './write-only.ts';

const numRuns = 600;

/** A schema, a configuration of it and, half the time, a prior state. */
const anyChange = (options: { known: boolean }) =>
  anyAttributes().chain((attributes) =>
    fc.record({
      attributes: fc.constant(attributes),
      config: anyConfig(attributes, options),
      prior: fc.option(anyState(attributes)),
    }),
  );
const hex = (value: Value, attributes: Attributes) =>
  Buffer.from(encodeValue(value, objectType(attributes))).toString('hex');

/** What applying a plan leaves: every unknown value is decided. */
function decided(planned: Value, type: Attribute['type']): Value {
  if (isUnknown(planned)) return type === 'string' ? 'decided' : null;
  if (!isNested(type)) return planned;
  const { attributes } = type;
  const object = (item: Value): Value =>
    isValueMap(item)
      ? Object.fromEntries(
          Object.entries(item).map(([name, inner]) => [
            name,
            decided(inner, attributes[name]?.type ?? 'string'),
          ]),
        )
      : item;
  if (Array.isArray(planned)) return planned.map(object);
  if (type.nesting === 'single' || !isValueMap(planned)) return object(planned);
  return Object.fromEntries(Object.entries(planned).map(([key, item]) => [key, object(item)]));
}

/** Calls with each attribute that is configured, and what is planned for it, at every depth but within sets. */
function eachAttribute(
  config: ValueMap,
  planned: Value,
  attributes: Attributes,
  check: (config: Value, planned: Value, attribute: Attribute) => void,
): void {
  assert.ok(isValueMap(planned));
  for (const [name, attribute] of Object.entries(attributes)) {
    const [inConfig, inPlan] = [config[name] ?? null, planned[name] ?? null];
    check(inConfig, inPlan, attribute);
    if (!isNested(attribute.type) || isUnknown(inConfig) || inConfig === null) continue;
    const { nesting, attributes: below } = attribute.type;
    const pairs: [Value, Value][] =
      nesting === 'single'
        ? [[inConfig, inPlan]]
        : nesting === 'set'
          ? []
          : Object.entries(inConfig).map(([key, item]) => [item, (inPlan as ValueMap)[key] ?? null]);
    for (const [item, plannedItem] of pairs)
      if (isValueMap(item)) eachAttribute(item, plannedItem, below, check);
  }
}

test('what was applied is planned as it is, for the same configuration', () => {
  fc.assert(
    fc.property(anyChange({ known: true }), ({ attributes, config, prior }) => {
      const { planned } = planChange(prior, config, attributes);
      const applied = decided(planned, { nesting: 'single', attributes });
      const again = planChange(applied, config, attributes);
      assert.equal(hex(again.planned, attributes), hex(applied, attributes));
      assert.deepEqual(again.requiresReplace, []);
    }),
    { numRuns },
  );
});

test('what is configured is planned as it is configured, and what is unknown in it is not decided', () => {
  fc.assert(
    fc.property(anyChange({ known: false }), ({ attributes, config, prior }) => {
      eachAttribute(
        config,
        planChange(prior, config, attributes).planned,
        attributes,
        (given, planned, attribute) => {
          if (given === null || attribute.writeOnly) return;
          if (isUnknown(given)) assert.ok(isUnknown(planned));
          else if (!isNested(attribute.type)) assert.ok(equalValues(planned, given));
          else if (!isWhollyKnown(withoutWriteOnly({ given }, { given: attribute })))
            assert.ok(!isWhollyKnown(planned));
        },
      );
    }),
    { numRuns },
  );
});

test('a write-only value is in no plan, at no depth', () => {
  fc.assert(
    fc.property(anyChange({ known: false }), ({ attributes, config, prior }) => {
      const { planned } = planChange(prior, config, attributes);
      assert.equal(hex(withoutWriteOnly(planned, attributes), attributes), hex(planned, attributes));
      assert.doesNotMatch(JSON.stringify(planned), /secret/);
    }),
    { numRuns },
  );
});

test('what a new resource decides itself is unknown', () => {
  fc.assert(
    fc.property(anyChange({ known: false }), ({ attributes, config }) => {
      eachAttribute(
        config,
        planChange(null, config, attributes).planned,
        attributes,
        (given, planned, attribute) => {
          if (given === null && attribute.computed && attribute.default === undefined)
            assert.ok(isUnknown(planned));
        },
      );
    }),
    { numRuns },
  );
});

test('the order in which a schema has its attributes changes no plan', () => {
  fc.assert(
    fc.property(anyChange({ known: false }), ({ attributes, config, prior }) => {
      const reversed = Object.fromEntries(Object.entries(attributes).reverse());
      const [one, other] = [attributes, reversed].map((order) => planChange(prior, config, order));
      assert.equal(hex(one?.planned ?? null, attributes), hex(other?.planned ?? null, attributes));
      assert.deepEqual(new Set(one?.requiresReplace.flat()), new Set(other?.requiresReplace.flat()));
    }),
    { numRuns },
  );
});
