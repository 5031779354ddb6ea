import type { CtyType } from './cty-type.ts';
import { Head } from './msgpack-reader.ts';
import { ownMember } from './value.ts';

/** Errors of values that are not of their type. They tell nothing of the value itself, which may be a secret. */
export function mismatch(type: CtyType, value: unknown): TypeError {
  const isList = Array.isArray(value) || (value instanceof Head && value.kind === 'array');
  const found = isList ? 'a list' : `a ${typeof value}`;
  const wanted = typeof type === 'string' ? type : type[0];
  return new TypeError(`A value of type ${wanted} was expected, found ${found}.`);
}

export function wrongLength(wanted: number, found: number): TypeError {
  return new TypeError(`${wanted} items were expected, found ${found}.`);
}

/** The type of an object's attribute. Throws `TypeError` where the object has none of that name. */
export function typeOfAttribute(attributes: { readonly [name: string]: CtyType }, name: string): CtyType {
  const type = ownMember(attributes, name);
  if (type === undefined) throw new TypeError(`The object has no attribute "${name}".`);
  return type;
}
