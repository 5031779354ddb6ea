import { asCtyType, type CtyType } from './cty-type.ts';
import { canonicalNumber, exactNumber } from './exact-number.ts';
import { Dynamic, isValueMap, ownMember, type Value } from './value.ts';

/** What `parseJson` gives: JSON with every number as its source text, so that none is rounded. */
export type ExactJson = null | boolean | string | JsonNumber | ExactJson[] | { [name: string]: ExactJson };

/** A number of a JSON text, as it was written. */
export class JsonNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

/** Parses JSON without rounding a number. Throws `SyntaxError`, which tells nothing of the text: there may be secrets in it. */
export function parseJson(text: string): ExactJson {
  const exact = (_: string, value: unknown, context: { source: string }) =>
    typeof value === 'number' ? new JsonNumber(context.source) : value;
  try {
    // lib.es2024 does not know the third argument of a reviver yet.
    return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  } catch (error) {
    if (error instanceof SyntaxError) throw new SyntaxError('The text is not JSON.');
    throw error;
  }
}

/**
 * Reads JSON as a value of a type: members the type does not know are left out, members that are missing are null.
 * Throws `TypeError` when a member is of another type.
 */
export function valueFromJson(json: ExactJson | undefined, type: CtyType): Value {
  if (json === null || json === undefined) return null;
  if (type === 'dynamic') return dynamicFromJson(json);
  if (typeof type === 'string') return primitiveFromJson(json, type);
  switch (type[0]) {
    case 'list':
    case 'set':
      return asArray(json, type).map((item) => valueFromJson(item, type[1]));
    case 'tuple':
      return type[1].map((itemType, index) => valueFromJson(asArray(json, type)[index], itemType));
    case 'map':
      return mapEntries(asObject(json, type), (_, item) => valueFromJson(item, type[1]));
    case 'object': {
      const object = asObject(json, type);
      return mapEntries(type[1], (name, attribute) => valueFromJson(ownMember(object, name), attribute));
    }
  }
}

/**
 * Turns a wholly known value into what `JSON.stringify` takes, numbers unrounded.
 * Throws `TypeError` on an unknown value.
 */
export function valueToJson(value: Value): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') {
    const number = canonicalNumber(value);
    // lib.es2024 does not know JSON.rawJSON yet.
    return typeof number === 'bigint' ? (JSON as unknown as RawJson).rawJSON(number.toString()) : number;
  }
  if (Array.isArray(value)) return value.map(valueToJson);
  if (value instanceof Dynamic) return valueToJson(value.value);
  if (isValueMap(value)) return mapEntries(value, (_, item) => valueToJson(item));
  throw new TypeError('An unknown value has no JSON.');
}

interface RawJson {
  rawJSON(text: string): unknown;
}

function primitiveFromJson(json: ExactJson, type: 'string' | 'number' | 'bool'): Value {
  if (type === 'string' && typeof json === 'string') return json;
  if (type === 'bool' && typeof json === 'boolean') return json;
  if (type === 'number' && json instanceof JsonNumber) return exactNumber(json.source);
  throw mismatch(json, type);
}

/** State files hold a dynamic value as `{"type": …, "value": …}`. */
function dynamicFromJson(json: ExactJson): Value {
  const object = asObject(json, 'dynamic');
  const type = asCtyType(ownMember(object, 'type'));
  return new Dynamic(type, valueFromJson(ownMember(object, 'value'), type));
}

function asArray(json: ExactJson, type: CtyType): ExactJson[] {
  if (!Array.isArray(json)) throw mismatch(json, type);
  return json;
}

function asObject(json: ExactJson, type: CtyType): { [name: string]: ExactJson } {
  if (typeof json !== 'object' || json === null || Array.isArray(json) || json instanceof JsonNumber) {
    throw mismatch(json, type);
  }
  return json;
}

function mapEntries<T, R>(object: { readonly [name: string]: T }, change: (name: string, value: T) => R) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(name, value)]));
}

function mismatch(json: ExactJson, type: CtyType): TypeError {
  const found = json instanceof JsonNumber ? 'number' : Array.isArray(json) ? 'list' : typeof json;
  return new TypeError(
    `JSON of type ${typeof type === 'string' ? type : type[0]} was expected, found a ${found}.`,
  );
}
