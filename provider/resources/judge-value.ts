import type { ValuePath } from '../plugin/diagnostic.ts';
import { equalValues, isUnknown, isValueMap, type Value } from '../plugin/value.ts';
import { type JsonSchema, jsonSchema, recordOf } from './json-schema.ts';

/** What is wrong with a value, and where. */
export interface Complaint {
  path: ValuePath;
  /** A sentence that follows the value's description. */
  problem: string;
  description: string | undefined;
}

/** Checks a value against its JSON Schema. What is null or unknown is not judged. */
export function judgeValue(value: Value, schema: JsonSchema, path: ValuePath): Complaint[] {
  if (value === null || isUnknown(value)) return [];
  const json = jsonSchema(schema);
  const complain = (problem: string | undefined, at: ValuePath = path): Complaint[] =>
    problem === undefined ? [] : [{ path: at, problem, description: json.description }];
  if (typeof value === 'string' && json.type !== 'integer') return complain(judgeString(value, json));
  if (json.type === 'integer' || json.type === 'number') return complain(judgeNumber(value, json));
  if (Array.isArray(value)) {
    const below = value.flatMap((item, index) => judgeValue(item, json.items ?? {}, [...path, index]));
    return [...complain(judgeArray(value, json)), ...nullElements(value, path, json), ...below];
  }
  if (!isValueMap(value)) return [];
  const record = recordOf(json);
  return Object.entries(value).flatMap(([name, item]) => {
    const at = [...path, name];
    if (!record) return judgeValue(item, json.properties?.[name] ?? {}, at);
    const key = record.keys === undefined || new RegExp(record.keys).test(name) ? undefined : record.keys;
    const problem = key && `The name "${name}" must match the pattern ${key}.`;
    const absent = item === null ? 'It must not be null. Leave the name out instead.' : undefined;
    return [...complain(problem ?? absent, at), ...judgeValue(item, record.values, at)];
  });
}

function judgeString(value: string, json: JsonSchema): string | undefined {
  // JSON Schema counts characters, not UTF-16 units.
  const length = [...value].length;
  if (json.enum && !json.enum.includes(value)) return `It must be one of: ${json.enum.join(', ')}.`;
  if (json.minLength !== undefined && length < json.minLength) {
    return length === 0 ? 'It must not be empty.' : `It must have at least ${json.minLength} characters.`;
  }
  if (json.maxLength !== undefined && length > json.maxLength) {
    return `It has ${length} characters; at most ${json.maxLength} are allowed.`;
  }
  if (json.pattern !== undefined && !new RegExp(json.pattern).test(value)) {
    return `It must match the pattern ${json.pattern}.`;
  }
  return undefined;
}

function judgeNumber(value: Value, json: JsonSchema): string | undefined {
  const number = Number(value);
  if (json.type === 'integer' && !Number.isInteger(number)) return 'It must be a whole number.';
  if (json.minimum !== undefined && number < json.minimum) return `It must be at least ${json.minimum}.`;
  if (json.maximum !== undefined && number > json.maximum) return `It must be at most ${json.maximum}.`;
  return undefined;
}

function judgeArray(value: Value[], json: JsonSchema): string | undefined {
  if (json.minItems !== undefined && value.length < json.minItems) {
    return `It must have at least ${counted(json.minItems)}.`;
  }
  if (json.maxItems !== undefined && value.length > json.maxItems) {
    return `It has ${counted(value.length)}; at most ${json.maxItems} are allowed.`;
  }
  const repeated = (item: Value, index: number) =>
    value.slice(0, index).some((other) => !isUnknown(other) && equalValues(other, item));
  return json.uniqueItems && value.some(repeated) ? 'It must not hold the same item twice.' : undefined;
}

function nullElements(value: Value[], path: ValuePath, json: JsonSchema): Complaint[] {
  return value.flatMap((item, index) =>
    item === null
      ? [{ path: [...path, index], problem: 'It must not be null.', description: json.description }]
      : [],
  );
}

function counted(items: number): string {
  return items === 1 ? '1 item' : `${items} items`;
}
