import type { CtyType } from './cty-type.ts';
import { decodeValue } from './decode-value.ts';
import { encodeValue } from './encode-value.ts';
import { parseJson, valueFromJson } from './json-value.ts';
import { type Attributes, objectType } from './schema.ts';
import { isValueMap, type Value, type ValueMap } from './value.ts';

/** A value as the protocol carries it; one of the two is filled. */
export interface DynamicValue {
  msgpack: Uint8Array;
  json: Uint8Array;
}

export function typedToWire(value: Value, type: CtyType): { msgpack: Uint8Array } {
  return { msgpack: encodeValue(value, type) };
}

/** Null where there is no value. Throws `TypeError` on bytes that are no value of the type. */
export function typedFromWire(wire: DynamicValue | null, type: CtyType): Value {
  if (!wire) return null;
  if (wire.msgpack.length > 0) return decodeValue(wire.msgpack, type);
  if (wire.json.length === 0) return null;
  return valueFromJson(parseJson(Buffer.from(wire.json).toString('utf8')), type);
}

export function valueToWire(value: Value, attributes: Attributes): { msgpack: Uint8Array } {
  return typedToWire(value, objectType(attributes));
}

/** The object, or null where there is none. Throws `TypeError` on bytes that do not fit the schema. */
export function objectFromWire(wire: DynamicValue | null, attributes: Attributes): ValueMap | null {
  const value = typedFromWire(wire, objectType(attributes));
  return isValueMap(value) ? value : null;
}

/** The object; throws where there is none, as that breaks the protocol. */
export function presentObject(wire: DynamicValue | null, attributes: Attributes): ValueMap {
  const object = objectFromWire(wire, attributes);
  if (!object) throw new TypeError('Terraform sent null where the protocol has an object.');
  return object;
}
