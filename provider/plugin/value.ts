import { isDeepStrictEqual } from 'node:util';

/**
 * A Terraform value in JavaScript.
 *
 * Strings, booleans and null are themselves. A number is a `number` when that is exact, a `bigint` when it is an integer
 * beyond the safe range, and a decimal `string` when it is a fraction that a double cannot hold, or too long to write
 * out. Lists, sets and tuples are arrays; maps and objects are plain objects, where an object has every attribute of
 * its type.
 */
export type Value = null | boolean | string | number | bigint | Unknown | Dynamic | Value[] | ValueMap;
export type ValueMap = { [name: string]: Value };

/** A value that is decided at apply; `refinement` is what Terraform already knows of it, passed on unread. */
export class Unknown {
  readonly refinement: Uint8Array | undefined;

  constructor(refinement?: Uint8Array) {
    this.refinement = refinement;
  }
}

export const unknown = new Unknown();

/** A value whose type travels with it, of an attribute of type `dynamic`. `type` is the type's JSON. */
export class Dynamic {
  readonly type: unknown;
  readonly value: Value;

  constructor(type: unknown, value: Value) {
    this.type = type;
    this.value = value;
  }
}

/** A member by its name; nothing that JavaScript's own objects have, such as `constructor`, is one. */
export function ownMember<T>(object: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function isUnknown(value: Value | undefined): value is Unknown {
  return value instanceof Unknown;
}

/** Whether the value is a map or object (not null, array, unknown or dynamic). */
export function isValueMap(value: Value | undefined): value is ValueMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Unknown) &&
    !(value instanceof Dynamic)
  );
}

/** Whether nothing in the value is unknown. */
export function isWhollyKnown(value: Value): boolean {
  if (isUnknown(value)) return false;
  if (value instanceof Dynamic) return isWhollyKnown(value.value);
  if (Array.isArray(value)) return value.every(isWhollyKnown);
  return isValueMap(value) ? Object.values(value).every(isWhollyKnown) : true;
}

/** Whether two values are the same, where an unknown equals nothing but an unknown. */
export function equalValues(a: Value, b: Value): boolean {
  if (isUnknown(a) || isUnknown(b)) return isUnknown(a) && isUnknown(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equalValues(item, b[index] ?? null));
  }
  if (a instanceof Dynamic && b instanceof Dynamic) {
    return isDeepStrictEqual(a.type, b.type) && equalValues(a.value, b.value);
  }
  if (isValueMap(a) && isValueMap(b)) {
    const names = Object.keys(a);
    if (names.length !== Object.keys(b).length) return false;
    return names.every((name) => Object.hasOwn(b, name) && equalValues(a[name] ?? null, b[name] ?? null));
  }
  return a === b || (isInteger(a) && isInteger(b) && BigInt(a) === BigInt(b));
}

function isInteger(value: Value): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}
