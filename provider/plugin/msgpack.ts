import { Decoder, Encoder, ExtData, ExtensionCodec } from '@msgpack/msgpack';
import type { CtyType } from './cty-type.ts';
import { Dynamic, isValueMap, Unknown, unknown, type Value } from './value.ts';

/**
 * Terraform's msgpack encoding of values: unknown is extension 0, a refined unknown extension 12, a dynamic value the
 * pair of its type's JSON and itself; integers up to 64 bits are exact, other numbers travel as decimal strings.
 *
 * @see https://github.com/zclconf/go-cty/blob/main/docs/msgpack.md (as read in cty/msgpack)
 */

const unknownExtension = 0;
const refinedUnknownExtension = 12;
const maximumDepth = 500;

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: unknownExtension,
  encode: (object) => (object instanceof Unknown && !object.refinement ? new Uint8Array(1) : null),
  decode: () => unknown,
});
extensionCodec.register({
  type: refinedUnknownExtension,
  encode: (object) => (object instanceof Unknown && object.refinement ? object.refinement : null),
  decode: (data) => new Unknown(data.slice()),
});

const encoder = new Encoder({ extensionCodec, useBigInt64: true, maxDepth: maximumDepth });
const decoder = new Decoder({ extensionCodec, useBigInt64: true });

/** Encodes a value of a type. Throws `TypeError` when the value is not of the type. */
export function encodeValue(value: Value, type: CtyType): Uint8Array<ArrayBuffer> {
  return encoder.encode(toWire(value, type));
}

/** Decodes a value of a type. Throws `TypeError` when the bytes hold something else. */
export function decodeValue(bytes: Uint8Array, type: CtyType): Value {
  return fromWire(decoder.decode(bytes), type);
}

function toWire(value: Value, type: CtyType): unknown {
  if (value === null || value instanceof Unknown) return value;
  if (type === 'dynamic') {
    if (!(value instanceof Dynamic)) throw mismatch(type, value);
    const json = new TextEncoder().encode(JSON.stringify(value.type));
    return [json, toWire(value.value, value.type as CtyType)];
  }
  if (typeof type === 'string') return primitiveToWire(value, type);
  switch (type[0]) {
    case 'list':
      return asArray(value, type).map((item) => toWire(item, type[1]));
    case 'set':
      return sortedUnique(asArray(value, type).map((item) => toWire(item, type[1])));
    case 'tuple':
      return type[1].map((itemType, index) => toWire(asArray(value, type)[index] ?? null, itemType));
    case 'map':
      return mapEntries(asMap(value, type), (_, item) => toWire(item, type[1]));
    case 'object': {
      const object = asMap(value, type);
      for (const name of Object.keys(object)) {
        if (!Object.hasOwn(type[1], name)) throw new TypeError(`The object has no attribute "${name}".`);
      }
      return mapEntries(type[1], (name, attribute) => toWire(object[name] ?? null, attribute));
    }
  }
}

function primitiveToWire(value: Value, type: 'string' | 'number' | 'bool'): unknown {
  if (type === 'string' && typeof value === 'string') return value;
  if (type === 'bool' && typeof value === 'boolean') return value;
  if (type === 'number') {
    if (typeof value === 'number' || typeof value === 'string') return value;
    if (typeof value === 'bigint') {
      const fits = value < 0n ? value === BigInt.asIntN(64, value) : value === BigInt.asUintN(64, value);
      return fits ? value : value.toString();
    }
  }
  throw mismatch(type, value);
}

function fromWire(wire: unknown, type: CtyType): Value {
  if (wire === null || wire === undefined) return null;
  if (wire instanceof Unknown) return wire;
  if (wire instanceof ExtData) throw new TypeError(`Extension ${wire.type} is not one of Terraform's.`);
  if (type === 'dynamic') {
    if (!Array.isArray(wire) || !(wire[0] instanceof Uint8Array)) throw mismatch(type, wire);
    const inner = JSON.parse(Buffer.from(wire[0]).toString('utf8')) as CtyType;
    return new Dynamic(inner, fromWire(wire[1], inner));
  }
  if (typeof type === 'string') return primitiveFromWire(wire, type);
  switch (type[0]) {
    case 'list':
    case 'set':
      return asArray(wire, type).map((item) => fromWire(item, type[1]));
    case 'tuple':
      return type[1].map((itemType, index) => fromWire(asArray(wire, type)[index], itemType));
    case 'map':
      return mapEntries(asMap(wire, type), (_, item) => fromWire(item, type[1]));
    case 'object': {
      const object = asMap(wire, type);
      return mapEntries(type[1], (name, attribute) => fromWire(object[name], attribute));
    }
  }
}

function primitiveFromWire(wire: unknown, type: 'string' | 'number' | 'bool'): Value {
  if (type === 'string' && typeof wire === 'string') return wire;
  if (type === 'bool' && typeof wire === 'boolean') return wire;
  if (type === 'number') {
    if (typeof wire === 'number') return wire;
    if (typeof wire === 'bigint') return Number.isSafeInteger(Number(wire)) ? Number(wire) : wire;
    if (typeof wire === 'string') return /^-?\d+$/.test(wire) ? BigInt(wire) : wire;
  }
  throw mismatch(type, wire);
}

function asArray<T>(value: T, type: CtyType): T[] {
  if (!Array.isArray(value)) throw mismatch(type, value);
  return value as T[];
}

function asMap<T>(value: T, type: CtyType): Record<string, T> {
  if (!isValueMap(value as Value)) throw mismatch(type, value);
  return value as Record<string, T>;
}

function mapEntries<T, R>(object: { readonly [name: string]: T }, change: (name: string, value: T) => R) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(name, value)]));
}

function sortedUnique(items: unknown[]): unknown[] {
  const byEncoding = new Map(
    items.map((item) => [Buffer.from(encoder.encode(item)).toString('latin1'), item]),
  );
  return [...byEncoding].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

function mismatch(type: CtyType, value: unknown): TypeError {
  const found = Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  const wanted = typeof type === 'string' ? type : type[0];
  return new TypeError(`A value of type ${wanted} was expected, found ${found}.`);
}
