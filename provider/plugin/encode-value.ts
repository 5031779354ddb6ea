import { Encoder, ExtensionCodec } from '@msgpack/msgpack';
import { asCtyType, type CtyType, maximumDepth } from './cty-type.ts';
import { canonicalNumber } from './exact-number.ts';
import { mismatch, typeOfAttribute, wrongLength } from './type-error.ts';
import { Dynamic, isValueMap, isWhollyKnown, ownMember, Unknown, unknown, type Value } from './value.ts';
import { refinedUnknownExtension, unknownExtension } from './wire-unknown.ts';

/**
 * Terraform's msgpack encoding of values: unknown is extension 0, a refined unknown extension 12, a dynamic value the
 * pair of its type's JSON and itself; integers up to 64 bits are exact, other numbers travel as decimal strings.
 *
 * @see https://github.com/zclconf/go-cty/blob/main/docs/msgpack.md (as read in cty/msgpack)
 */

const largestUint32 = 0xffff_ffff;

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: unknownExtension,
  encode: (object) => (object instanceof Unknown && !object.refinement ? new Uint8Array(1) : null),
  decode: () => unknown,
});
extensionCodec.register({
  type: refinedUnknownExtension,
  encode: (object) => (object instanceof Unknown && object.refinement ? object.refinement : null),
  decode: (data) => new Unknown(data),
});

const encoder = new Encoder({
  extensionCodec,
  useBigInt64: true,
  maxDepth: 2 * maximumDepth,
  sortKeys: true,
});

/**
 * Encodes a value of a type; equal values have the same bytes. What is no Unicode in a string (half of a surrogate pair)
 * becomes U+FFFD. Throws `TypeError` when the value is not of the type.
 */
export function encodeValue(value: Value, type: CtyType): Uint8Array<ArrayBuffer> {
  return encoder.encode(toWire(value, type));
}

function toWire(value: Value, type: CtyType): unknown {
  if (value === null || value instanceof Unknown) return value;
  if (type === 'dynamic') {
    if (!(value instanceof Dynamic)) throw mismatch(type, value);
    const inner = asCtyType(value.type);
    return [new TextEncoder().encode(JSON.stringify(inner)), toWire(value.value, inner)];
  }
  if (typeof type === 'string') return primitiveToWire(value, type);
  switch (type[0]) {
    case 'list':
      return asArray(value, type).map((item) => toWire(item, type[1]));
    case 'set':
      return sortedUnique(asArray(value, type), type[1]);
    case 'tuple': {
      const items = asArray(value, type);
      if (items.length > type[1].length) throw wrongLength(type[1].length, items.length);
      return type[1].map((itemType, index) => toWire(items[index] ?? null, itemType));
    }
    case 'map': {
      const items = Object.entries(asMap(value, type));
      return Object.fromEntries(items.map(([name, item]) => [name.toWellFormed(), toWire(item, type[1])]));
    }
    case 'object': {
      const object = asMap(value, type);
      for (const name of Object.keys(object)) typeOfAttribute(type[1], name);
      const attributes = Object.entries(type[1]);
      return Object.fromEntries(
        attributes.map(([name, attribute]) => [name, toWire(ownMember(object, name) ?? null, attribute)]),
      );
    }
  }
}

function primitiveToWire(value: Value, type: 'string' | 'number' | 'bool'): unknown {
  if (type === 'string' && typeof value === 'string') return value.toWellFormed();
  if (type === 'bool' && typeof value === 'boolean') return value;
  if (
    type === 'number' &&
    (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint')
  ) {
    return numberToWire(canonicalNumber(value));
  }
  throw mismatch(type, value);
}

function numberToWire(value: number | bigint | string): unknown {
  if (typeof value === 'string') return value;
  // The encoder writes a number of more than 32 bits as a float, a bigint as the integer that Terraform has there.
  if (typeof value === 'number') {
    return Number.isInteger(value) && Math.abs(value) > largestUint32 ? BigInt(value) : value;
  }
  const fits = value < 0n ? value === BigInt.asIntN(64, value) : value === BigInt.asUintN(64, value);
  return fits ? value : value.toString();
}

/** Elements that are not wholly known may turn out to differ: each of them is kept. */
function sortedUnique(items: Value[], type: CtyType): unknown[] {
  const seen = new Set<string>();
  const kept: { bytes: string; wire: unknown }[] = [];
  for (const item of items) {
    const wire = toWire(item, type);
    const bytes = Buffer.from(encoder.encode(wire)).toString('latin1');
    if (isWhollyKnown(item) && seen.has(bytes)) continue;
    seen.add(bytes);
    kept.push({ bytes, wire });
  }
  return kept.sort((a, b) => (a.bytes < b.bytes ? -1 : Number(a.bytes > b.bytes))).map(({ wire }) => wire);
}

function asArray(value: Value, type: CtyType): Value[] {
  if (!Array.isArray(value)) throw mismatch(type, value);
  return value;
}

function asMap(value: Value, type: CtyType): { [name: string]: Value } {
  if (!isValueMap(value)) throw mismatch(type, value);
  return value;
}
