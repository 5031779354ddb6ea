import type { TProperties } from 'typebox';
import type { Resource } from '../../contract/resource.ts';
import type { Diagnostic } from '../plugin/diagnostic.ts';
import { isUnknown, type Value, type ValueMap } from '../plugin/value.ts';
import { attributeName, versionName, writeOnlyName } from './attributes.ts';
import { jsonSchema } from './json-schema.ts';
import { judgeValue } from './judge-value.ts';

/** Checks the configuration of a resource against the contract, so that mistakes show before anything is planned. */
export function validateResource(resource: Resource, config: ValueMap): Diagnostic[] {
  const open = validateProperties({ ...resource.fixed, ...resource.changeable }, config);
  const secret = Object.entries(resource.writeOnly).flatMap(([field, schema]) => {
    const name = writeOnlyName(field);
    const problems = judgeValue(config[name] ?? null, jsonSchema(schema), [name]).map(
      ({ path, problem, description }) => invalid(path, problem, description),
    );
    return [...problems, ...withoutVersion(field, config)];
  });
  return [...open, ...secret, ...conflicting(resource, config)];
}

/** Whether it surely has a value: what is unknown may turn out to be null. */
function isGiven(config: ValueMap, name: string): boolean {
  return (config[name] ?? null) !== null && !isUnknown(config[name]);
}

/** Without it another value could never be sent. */
function withoutVersion(field: string, config: ValueMap): Diagnostic[] {
  const [name, version] = [writeOnlyName(field), versionName(field)];
  if (!isGiven(config, name) || (config[version] ?? null) !== null) return [];
  const detail = `"${name}" needs "${version}", any number: another one than before sends the value again.`;
  return [{ severity: 'error', summary: 'Missing required argument', detail, path: [version] }];
}

function conflicting(resource: Resource, config: ValueMap): Diagnostic[] {
  const { conflicts = [] } = resource;
  return conflicts.flatMap((fields) => {
    const names = fields.map((field) => attributeName(resource, field));
    if (!names.every((name) => isGiven(config, name))) return [];
    const [first = '', second = ''] = names;
    const detail = `"${first}" has no meaning beside "${second}". Remove one of them.`;
    return [{ severity: 'error', summary: 'Conflicting arguments', detail, path: [first] }];
  });
}

/** Checks values that may be shown against their schemas. */
export function validateProperties(properties: TProperties, config: ValueMap): Diagnostic[] {
  return Object.entries(properties).flatMap(([name, schema]) =>
    judgeValue(config[name] ?? null, jsonSchema(schema), [name]).map(({ path, problem, description }) =>
      invalid(path, `${shown(config, path)}${problem}`, description),
    ),
  );
}

function invalid(
  path: Diagnostic['path'] & object,
  problem: string,
  description: string | undefined,
): Diagnostic {
  const name = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  const detail = description ? `${problem}\n\n${description}` : problem;
  return { severity: 'error', summary: `Invalid value for ${name.slice(1)}`, detail, path };
}

const longestShown = 60;

/** The wrong value in front of what is wrong with it, where it is short. */
function shown(config: ValueMap, path: readonly (string | number)[]): string {
  let value: Value | undefined = config;
  for (const step of path) value = (value as { [step: string | number]: Value } | undefined)?.[step];
  if (typeof value === 'string' && value.length <= longestShown)
    return `${JSON.stringify(value)} is not valid. `;
  if (typeof value === 'number' && !isUnknown(value)) return `${value} is not valid. `;
  return '';
}
