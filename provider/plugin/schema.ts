import type { CtyType } from './cty-type.ts';
import type { Value } from './value.ts';

/** Attributes of a provider, resource type or data source. */
export interface Schema {
  /** Raised when state of an older version cannot be read any more. Counts from 0. */
  version: number;
  /** Markdown. */
  description: string;
  /** Terraform warns whoever uses it. */
  deprecated?: boolean;
  attributes: Attributes;
}

export type Attributes = { readonly [name: string]: Attribute };

export type Nesting = 'single' | 'list' | 'set' | 'map';

export interface Attribute {
  /** A type, or attributes below this one. */
  type: CtyType | { nesting: Nesting; attributes: Attributes };
  /** Markdown. */
  description: string;
  required?: boolean;
  optional?: boolean;
  /** Optional, because what was imported may do without, but needed to make a new one. */
  requiredAtCreation?: boolean;
  computed?: boolean;
  sensitive?: boolean;
  /** Terraform warns whoever uses it. */
  deprecated?: boolean;
  /** Taken from the configuration, never in a plan or state. */
  writeOnly?: boolean;
  /** Another value cannot be reached by an update: the resource is destroyed and made anew. */
  requiresReplace?: boolean;
  /** Of a computed attribute: those whose change makes it new, so that it is unknown until it is applied. */
  renewedBy?: readonly string[];
  /** Planned when the configuration has no value; the attribute must be optional and computed. */
  default?: Value;
}

const objectTypes = new WeakMap<Attributes, CtyType>();

/** The type of an object with these attributes. */
export function objectType(attributes: Attributes): CtyType {
  const known = objectTypes.get(attributes);
  if (known) return known;
  const types = Object.entries(attributes).map(([name, attribute]) => [name, attributeType(attribute)]);
  const type: CtyType = ['object', Object.fromEntries(types)];
  // Each call of Terraform needs it several times.
  objectTypes.set(attributes, type);
  return type;
}

export function attributeType({ type }: Attribute): CtyType {
  if (!isNested(type)) return type;
  const object = objectType(type.attributes);
  return type.nesting === 'single' ? object : [type.nesting, object];
}

export function isNested(type: Attribute['type']): type is { nesting: Nesting; attributes: Attributes } {
  return typeof type === 'object' && !Array.isArray(type);
}

const nestingModes = { single: 1, list: 2, set: 3, map: 4 } as const;
/** How descriptions are to be shown. */
export const markdown = 1;

/** The schema as the protocol carries it. */
export function schemaToWire({ version, description, deprecated = false, attributes }: Schema) {
  return {
    version,
    block: {
      version,
      description,
      description_kind: markdown,
      deprecated,
      attributes: attributesToWire(attributes),
      block_types: [],
    },
  };
}

function attributesToWire(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([name, attribute]) => ({
    name,
    description: attribute.description,
    description_kind: markdown,
    required: attribute.required ?? false,
    optional: attribute.optional ?? false,
    computed: attribute.computed ?? false,
    sensitive: attribute.sensitive ?? false,
    write_only: attribute.writeOnly ?? false,
    deprecated: attribute.deprecated ?? false,
    ...typeToWire(attribute.type),
  }));
}

function typeToWire(type: Attribute['type']): object {
  if (!isNested(type)) return { type: Buffer.from(JSON.stringify(type)) };
  return {
    nested_type: { nesting: nestingModes[type.nesting], attributes: attributesToWire(type.attributes) },
  };
}
