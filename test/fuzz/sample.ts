import type { Choices } from './choices.ts';

/** As much of a JSON Schema as a valid value is made from. */
export interface Schema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  minItems?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
}

const words = [
  ...[
    'main',
    'shop',
    'a',
    'ab',
    'A',
    'TOKEN',
    'value',
    'true',
    '1',
    'refs/heads/main',
    '**',
    'v*',
    'https://ci.example.com',
  ],
  ...[
    'eve@example.com',
    'a'.repeat(40),
    'A'.repeat(43),
    'conn_',
    'urn:ebb',
    'sha256:',
    '2030-01-01T00:00:00Z',
    'debian',
    'x y',
  ],
];

/** A value that the schema takes, as far as it tells; optional members are there by chance. `ids` are values that things have. */
export function sample(schema: Schema, choices: Choices, ids: readonly string[]): unknown {
  const { oneOf, below, chance } = choices;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return oneOf(schema.enum);
  const any = schema.anyOf ?? schema.allOf;
  if (any) return sample(oneOf(any), choices, ids);
  switch ([schema.type].flat()[0]) {
    case 'object':
      return sampleObject(schema, choices, ids);
    case 'array': {
      const length = (schema.minItems ?? 0) + below(3);
      return Array.from({ length }, () => sample(schema.items ?? {}, choices, ids));
    }
    case 'integer':
    case 'number': {
      const least = schema.minimum ?? 0;
      return least + below(Math.min((schema.maximum ?? 10) - least, 100) + 1);
    }
    case 'boolean':
      return chance(0.5);
    case 'null':
      return null;
    default:
      return sampleText(schema, choices, ids);
  }
}

function sampleObject(schema: Schema, choices: Choices, ids: readonly string[]): object {
  const { properties = {}, required = [], patternProperties = {} } = schema;
  const members = Object.entries(properties)
    .filter(([name]) => required.includes(name) || choices.chance(0.4))
    .map(([name, member]) => [name, sample(member, choices, ids)]);
  const rest = Object.values(patternProperties)[0] ?? schema.additionalProperties;
  if (typeof rest === 'object' && choices.chance(0.7))
    members.push([choices.oneOf(['A', 'TOKEN', 'sub', 'name']), sample(rest, choices, ids)]);
  return Object.fromEntries(members);
}

function sampleText(schema: Schema, { oneOf }: Choices, ids: readonly string[]): string {
  const { pattern, format, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (format === 'date-time') return new Date(Date.now() + 3_600_000).toISOString();
  const fits = (text: string) =>
    text.length >= minLength && text.length <= maxLength && (!pattern || new RegExp(pattern, 'u').test(text));
  const known = [...words, ...ids].filter(fits);
  return known.length > 0 ? oneOf(known) : 'x'.repeat(Math.max(1, minLength));
}
