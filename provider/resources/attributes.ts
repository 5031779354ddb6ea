import type { TProperties, TSchema } from 'typebox';
import { isOptional } from '../../contract/is-optional.ts';
import type { Resource } from '../../contract/resource.ts';
import type { CtyType } from '../plugin/cty-type.ts';
import type { Attribute, Attributes } from '../plugin/schema.ts';
import type { Value } from '../plugin/value.ts';
import { type JsonSchema, jsonSchema, recordOf } from './json-schema.ts';
import { timeoutsAttribute } from './timeouts.ts';

/** Terraform's attributes of a resource of the contract. */
export function resourceAttributes(resource: Resource): Attributes {
  return {
    ...computedAttributes(resource),
    ...each(resource.fixed, (schema) => ({ ...declared(schema), requiresReplace: true })),
    ...each(resource.changeable, declared),
    ...writeOnlyAttributes(resource.writeOnly),
    timeouts: timeoutsAttribute,
  };
}

/** Terraform's attributes of the data source for a resource: all that can be read, found by id or natural id. */
export function dataSourceAttributes(resource: Resource): Attributes {
  const { computed, fixed, changeable, naturalId } = resource;
  const example = ['team', ...naturalId].join('/');
  return {
    ...readAttributes({ ...computed, ...fixed, ...changeable }),
    id: {
      type: 'string',
      optional: true,
      computed: true,
      description: `${describe(jsonSchema(computed.id ?? {}))} Give either this or \`natural_id\`.`,
    },
    natural_id: {
      type: 'string',
      optional: true,
      description: `Names that find it, \`${example}\`. Give either this or \`id\`.`,
    },
  };
}

/** Attributes of what is read and cannot be declared. */
export function readAttributes(properties: TProperties): Attributes {
  return asComputed(each(properties, typed));
}

/** Attributes of what is asked for, whatever becomes of it. */
export function inputAttributes(properties: TProperties): Attributes {
  return each(properties, declared);
}

function asComputed(attributes: {
  readonly [name: string]: Pick<Attribute, 'type' | 'description'>;
}): Attributes {
  const pairs = Object.entries(attributes).map(([name, { type, description }]): [string, Attribute] => [
    name,
    {
      ...{ description, computed: true },
      type: isPlain(type) ? type : { nesting: type.nesting, attributes: asComputed(type.attributes) },
    },
  ]);
  return Object.fromEntries(pairs);
}

function computedAttributes({ computed, writeOnly, renewedBy = {} }: Resource): Attributes {
  const renewers = Object.entries(renewedBy).map(
    ([name, renewed]) => [name in writeOnly ? versionName(name) : name, renewed] as const,
  );
  const pairs = Object.entries(computed).map(([name, schema]): [string, Attribute] => {
    const by = renewers.filter(([, renewed]) => renewed?.includes(name)).map(([renewer]) => renewer);
    return [name, { ...typed(schema), computed: true, ...(by.length > 0 ? { renewedBy: by } : {}) }];
  });
  return Object.fromEntries(pairs);
}

/** What a field of the contract is called in Terraform. */
export function attributeName({ writeOnly }: Pick<Resource, 'writeOnly'>, field: string): string {
  return field in writeOnly ? writeOnlyName(field) : field;
}

/** Name of a write-only field in Terraform, and of the number that says that it changed. */
export const writeOnlyName = (field: string) => `${field}_wo`;
export const versionName = (field: string) => `${field}_wo_version`;

function writeOnlyAttributes(properties: TProperties): Attributes {
  const pairs = Object.entries(properties).flatMap(([field, schema]): [string, Attribute][] => {
    const presence = { optional: true, ...(!isOptional(schema) && { requiredAtCreation: true }) };
    const value = {
      ...typed(schema),
      ...presence,
      sensitive: true,
      writeOnly: true,
      description: `${describe(jsonSchema(schema))} Write-only: it is in no plan and no state. Raise \`${versionName(field)}\` to send it again.`,
    };
    const version: Attribute = {
      type: 'number',
      ...presence,
      description: `Any number; another one than before sends \`${writeOnlyName(field)}\` again.`,
    };
    return [
      [writeOnlyName(field), value],
      [versionName(field), version],
    ];
  });
  return Object.fromEntries(pairs);
}

function declared(schema: TSchema): Attribute {
  if (!isOptional(schema)) return { ...typed(schema), required: true };
  const { default: fallback } = jsonSchema(schema);
  if (fallback === undefined) return { ...typed(schema), optional: true };
  return { ...typed(schema), optional: true, computed: true, default: fallback as Value };
}

function typed(schema: TSchema): Pick<Attribute, 'type' | 'description'> {
  const json = jsonSchema(schema);
  return { type: terraformType(json), description: describe(json) };
}

function terraformType(json: JsonSchema): Attribute['type'] {
  if (json.properties) return { nesting: 'single', attributes: nestedAttributes(json) };
  const record = recordOf(json);
  const element = json.items ?? record?.values;
  if (!element) return scalarType(json);
  const nesting = record ? 'map' : json.uniqueItems ? 'set' : 'list';
  const inner = terraformType(jsonSchema(element));
  return isPlain(inner) ? [nesting, inner] : { nesting, attributes: nestedAttributes(jsonSchema(element)) };
}

function nestedAttributes(json: JsonSchema): Attributes {
  const entries = Object.entries(json.properties ?? {}).map(([name, property]): [string, Attribute] => {
    const presence = json.required?.includes(name) ? { required: true } : { optional: true };
    const inner = jsonSchema(property);
    const fallback = inner.default === undefined ? {} : { computed: true, default: inner.default as Value };
    return [name, { type: terraformType(inner), description: describe(inner), ...presence, ...fallback }];
  });
  return Object.fromEntries(entries);
}

function scalarType(json: JsonSchema): CtyType {
  if (json.type === 'string' || json.enum) return 'string';
  if (json.type === 'boolean') return 'bool';
  if (json.type === 'integer' || json.type === 'number') return 'number';
  throw new TypeError(`The contract has a type that Terraform does not: ${JSON.stringify(json)}`);
}

function isPlain(type: Attribute['type']): type is CtyType {
  return typeof type === 'string' || Array.isArray(type);
}

/** The description with what a reader must know of allowed values and the default. */
export function describe(json: JsonSchema): string {
  const values = json.enum && `One of ${json.enum.map((value) => `\`${value}\``).join(', ')}.`;
  const range = rangeInWords(json);
  const fallback = json.default !== undefined && `Default: \`${JSON.stringify(json.default)}\`.`;
  return [json.description, values, range, fallback].filter(Boolean).join(' ');
}

function rangeInWords({ minimum, maximum }: JsonSchema): string | undefined {
  if (minimum !== undefined && maximum !== undefined) return `From ${minimum} to ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maximum === undefined ? undefined : `At most ${maximum}.`;
}

function each(properties: TProperties, change: (schema: TSchema) => Attribute): Attributes {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, change(schema)]));
}
