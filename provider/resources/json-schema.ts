import type { TSchema } from 'typebox';

/** The keywords of JSON Schema that the contract uses and the provider understands. */
export interface JsonSchema {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null';
  enum?: readonly string[];
  anyOf?: readonly JsonSchema[];
  description?: string;
  default?: unknown;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  properties?: { readonly [name: string]: JsonSchema };
  required?: readonly string[];
  patternProperties?: { readonly [pattern: string]: JsonSchema };
  additionalProperties?: JsonSchema | boolean;
}

/** A TypeBox schema is JSON Schema; `T | null` counts as `T`, because every Terraform attribute may be null. */
export function jsonSchema(schema: TSchema | JsonSchema): JsonSchema {
  const json = schema as JsonSchema;
  const alternatives = json.anyOf?.filter(({ type }) => type !== 'null');
  const [only] = alternatives ?? [];
  if (!only || alternatives?.length !== 1) return json;
  return { ...only, ...(json.description && { description: json.description }) };
}

/** A map from free keys to one kind of value: the pattern of its keys and the schema of its values. */
export function recordOf(json: JsonSchema): { keys: string | undefined; values: JsonSchema } | undefined {
  const [entry] = Object.entries(json.patternProperties ?? {});
  if (entry) return { keys: entry[0], values: entry[1] };
  const { additionalProperties: values } = json;
  return json.properties === undefined && typeof values === 'object'
    ? { keys: undefined, values }
    : undefined;
}
