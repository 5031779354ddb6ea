import { asCtyType, type CtyType, maximumDepth } from './cty-type.ts';
import { canonicalNumber } from './exact-number.ts';
import { Extension, Head, MsgpackReader, type Token } from './msgpack-reader.ts';
import { mismatch, typeOfAttribute, wrongLength } from './type-error.ts';
import { Dynamic, Unknown, unknown, type Value } from './value.ts';
import { refinedUnknownExtension, unknownExtension } from './wire-unknown.ts';

/**
 * Decodes a value of a type from the encoding of `encodeValue`. Throws `TypeError` when the bytes hold something else.
 *
 * The reader is our own, as it is led by the type: a general one believes the lengths that are declared, knows
 * extensions that are not Terraform's, and refuses some names of keys.
 */
export function decodeValue(bytes: Uint8Array, type: CtyType): Value {
  const reader = new MsgpackReader(bytes);
  const value = fromWire(reader, type, 0);
  reader.end();
  return value;
}

function fromWire(reader: MsgpackReader, type: CtyType, depth: number): Value {
  if (depth > maximumDepth) throw new TypeError('The value is nested too deeply.');
  const token = reader.token();
  if (token === null) return null;
  if (token instanceof Extension) return unknownFromWire(token);
  if (type === 'dynamic') {
    if (lengthOf(token, 'array', type) !== 2) throw wrongLength(2, lengthOf(token, 'array', type));
    const inner = dynamicType(reader.token());
    return new Dynamic(inner, fromWire(reader, inner, depth + 1));
  }
  if (typeof type === 'string') return primitiveFromWire(token, type);
  switch (type[0]) {
    case 'list':
    case 'set': {
      const items: Value[] = [];
      for (let left = lengthOf(token, 'array', type); left > 0; left -= 1)
        items.push(fromWire(reader, type[1], depth + 1));
      return items;
    }
    case 'tuple': {
      const length = lengthOf(token, 'array', type);
      if (length !== type[1].length) throw wrongLength(type[1].length, length);
      return type[1].map((itemType) => fromWire(reader, itemType, depth + 1));
    }
    case 'map':
      return Object.fromEntries(members(reader, lengthOf(token, 'map', type), () => type[1], depth));
    case 'object': {
      const given = members(
        reader,
        lengthOf(token, 'map', type),
        (name) => typeOfAttribute(type[1], name),
        depth,
      );
      const absent = Object.keys(type[1]).map((name): [string, Value] => [name, null]);
      return Object.fromEntries([...absent, ...given]);
    }
  }
}

function members(
  reader: MsgpackReader,
  length: number,
  typeOf: (name: string) => CtyType,
  depth: number,
): [string, Value][] {
  const entries: [string, Value][] = [];
  for (let left = length; left > 0; left -= 1) {
    const name = reader.token();
    if (typeof name !== 'string') throw mismatch('string', name);
    entries.push([name, fromWire(reader, typeOf(name), depth + 1)]);
  }
  return entries;
}

function unknownFromWire({ type, data }: Extension): Unknown {
  if (type === unknownExtension) return unknown;
  if (type === refinedUnknownExtension) return new Unknown(data);
  throw new TypeError(`Extension ${type} is not one of Terraform's.`);
}

function dynamicType(json: Token): CtyType {
  if (!(json instanceof Uint8Array)) throw mismatch('dynamic', json);
  let type: unknown;
  try {
    type = JSON.parse(Buffer.from(json).toString('utf8'));
  } catch {
    throw new TypeError('The type of a dynamic value is not JSON.');
  }
  return asCtyType(type);
}

function primitiveFromWire(token: Token, type: 'string' | 'number' | 'bool'): Value {
  if (type === 'string' && typeof token === 'string') return token;
  if (type === 'bool' && typeof token === 'boolean') return token;
  if (
    type === 'number' &&
    (typeof token === 'number' || typeof token === 'bigint' || typeof token === 'string')
  ) {
    return canonicalNumber(token);
  }
  throw mismatch(type, token);
}

function lengthOf(token: Token, kind: Head['kind'], type: CtyType): number {
  if (token instanceof Head && token.kind === kind) return token.length;
  throw mismatch(type, token);
}
