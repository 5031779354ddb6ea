import fc from 'fast-check';
import type { Attribute, Attributes, Nesting } from './schema.ts';
import { isNested } from './schema.ts';
import { unknown, type Value, type ValueMap } from './value.ts';

const deepest = 2;
const names = ['id', 'name', 'size', 'note', 'constructor', 'items'];
const keys = ['a', 'b', '__proto__', 'constructor'];
const text = fc.constantFrom('main', 'next', '');

/** Who decides an attribute: the user, the provider, or one where the other does not. */
const deciders: fc.Arbitrary<Partial<Attribute>> = fc.constantFrom<Partial<Attribute>>(
  { required: true },
  { optional: true },
  { optional: true, computed: true },
  { optional: true, computed: true, default: 'main' },
  { computed: true },
  { optional: true, writeOnly: true },
);

/** Attributes of a schema, with nested ones to a depth of three. */
export function anyAttributes(depth = 0): fc.Arbitrary<Attributes> {
  const type: fc.Arbitrary<Attribute['type']> =
    depth >= deepest
      ? fc.constant('string')
      : fc.oneof(
          { weight: 3, arbitrary: fc.constant('string' as const) },
          {
            weight: 2,
            arbitrary: fc.record({
              nesting: fc.constantFrom<Nesting>('single', 'list', 'set', 'map'),
              attributes: fc.constant(null).chain(() => anyAttributes(depth + 1)),
            }),
          },
        );
  const attribute = fc
    .tuple(type, deciders, fc.boolean(), fc.subarray(names, { maxLength: 2 }))
    .map(([of, decider, requiresReplace, by]): Attribute => {
      const common = { description: '', requiresReplace };
      if (isNested(of))
        return { ...common, type: of, ...(decider.required ? { required: true } : { optional: true }) };
      const isRenewed = depth === 0 && decider.computed && decider.default === undefined;
      return { ...common, type: of, ...decider, ...(isRenewed && { renewedBy: by }) };
    });
  return fc
    .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: names.length })
    .chain((some) => fc.tuple(...some.map((name) => fc.tuple(fc.constant(name), attribute))))
    .map((entries) => Object.fromEntries(entries));
}

/** A configuration: nothing for what only the provider decides; write-only values hold the word "secret". */
export function anyConfig(attributes: Attributes, { known }: { known: boolean }): fc.Arbitrary<ValueMap> {
  return object(attributes, (attribute, below) => {
    if (attribute.computed && !attribute.optional) return fc.constant(null);
    const given = attribute.writeOnly ? fc.constant('secret') : (below ?? text);
    const absent = attribute.required ? [] : [fc.constant(null)];
    return fc.oneof(given, ...absent, ...(known ? [] : [fc.constant(unknown)]));
  });
}

/** A state: wholly known, without write-only values. */
export function anyState(attributes: Attributes): fc.Arbitrary<ValueMap> {
  return object(attributes, (attribute, below) =>
    attribute.writeOnly ? fc.constant(null) : fc.oneof(below ?? text, fc.constant(null)),
  );
}

type AnyOf = (attribute: Attribute, below: fc.Arbitrary<Value> | undefined) => fc.Arbitrary<Value>;

function object(attributes: Attributes, anyOf: AnyOf): fc.Arbitrary<ValueMap> {
  const entries = Object.entries(attributes).map(([name, attribute]) =>
    fc.tuple(fc.constant(name), anyOf(attribute, nested(attribute.type, anyOf))),
  );
  return fc.tuple(...entries).map((given) => Object.fromEntries(given));
}

function nested(type: Attribute['type'], anyOf: AnyOf): fc.Arbitrary<Value> | undefined {
  if (!isNested(type)) return undefined;
  const element = object(type.attributes, anyOf);
  if (type.nesting === 'single') return element;
  if (type.nesting === 'map') return fc.dictionary(fc.constantFrom(...keys), element, { maxKeys: 3 });
  return fc.array(element, { maxLength: 3 });
}
