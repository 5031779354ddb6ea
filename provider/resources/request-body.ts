import type { Resource } from '../../contract/resource.ts';
import { valueToJson } from '../plugin/json-value.ts';
import { equalValues, type Value, type ValueMap } from '../plugin/value.ts';
import { versionName, writeOnlyName } from './attributes.ts';

/** The body that makes a resource: what is planned, and write-only values from the configuration. */
export function creationBody(resource: Resource, planned: ValueMap, config: ValueMap): string {
  const open = Object.keys({ ...resource.fixed, ...resource.changeable }).map((name) => [
    name,
    planned[name],
  ]);
  const secret = Object.keys(resource.writeOnly).map((field) => [field, config[writeOnlyName(field)]]);
  const given = [...open, ...secret].filter(([, value]) => value !== null && value !== undefined);
  return JSON.stringify(valueToJson(Object.fromEntries(given)));
}

/**
 * The merge patch that brings a resource from its prior to its planned state: each attribute that changed, whole, and
 * null for one that is left out now. Undefined when nothing is to be sent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7396
 */
export function changeBody(
  resource: Resource,
  { prior, planned, config }: { prior: ValueMap; planned: ValueMap; config: ValueMap },
): string | undefined {
  const differs = (name: string) => !equalValues(prior[name] ?? null, planned[name] ?? null);
  const open = Object.keys(resource.changeable)
    .filter(differs)
    .map((name): [string, Value] => [name, planned[name] ?? null]);
  const secret = Object.keys(resource.writeOnly)
    .filter((field) => differs(versionName(field)))
    .map((field): [string, Value] => [field, config[writeOnlyName(field)] ?? null]);
  const changes = [...open, ...secret];
  if (changes.length === 0) return undefined;
  return JSON.stringify(valueToJson(Object.fromEntries(changes)));
}
