import { type Attributes, isNested } from './schema.ts';
import { isValueMap, type Value } from './value.ts';

/** The value with every write-only attribute set to null, as plans and states must have it. */
export function withoutWriteOnly(value: Value, attributes: Attributes): Value {
  if (!isValueMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const attribute = attributes[name];
      if (attribute?.writeOnly) return [name, null];
      if (!attribute || !isNested(attribute.type)) return [name, inner];
      const { nesting, attributes: below } = attribute.type;
      if (nesting === 'single') return [name, withoutWriteOnly(inner, below)];
      return [name, eachElement(inner, (element) => withoutWriteOnly(element, below))];
    }),
  );
}

/** Names of the write-only attributes that have a value, top level only. */
export function writeOnlyInUse(value: Value, attributes: Attributes): string[] {
  if (!isValueMap(value)) return [];
  return Object.keys(attributes).filter((name) => attributes[name]?.writeOnly && value[name] !== null);
}

function eachElement(value: Value, change: (element: Value) => Value): Value {
  if (Array.isArray(value)) return value.map(change);
  if (!isValueMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, change(element)]));
}
