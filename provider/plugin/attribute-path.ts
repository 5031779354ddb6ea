import type { ValuePath } from './diagnostic.ts';
import { type Attribute, type Attributes, isNested } from './schema.ts';

type Step = { attribute_name: string } | { element_key_string: string } | { element_key_int: number };

/**
 * A path as the protocol carries it, as far as the schema knows it: a name is an attribute of an object or a key of a
 * map, and nothing below an element of a set can be named.
 */
export function pathToWire(path: ValuePath, attributes: Attributes): { steps: Step[] } | undefined {
  const [name, ...rest] = path;
  const attribute = typeof name === 'string' ? attributes[name] : undefined;
  if (!attribute || typeof name !== 'string') return undefined;
  return { steps: [{ attribute_name: name }, ...stepsBelow(rest, attribute.type)] };
}

function stepsBelow(path: ValuePath, type: Attribute['type']): Step[] {
  const [step, ...rest] = path;
  if (step === undefined) return [];
  if (isNested(type)) {
    if (type.nesting === 'single') return pathToWire(path, type.attributes)?.steps ?? [];
    const element = elementStep(step, type.nesting);
    return element ? [element, ...(pathToWire(rest, type.attributes)?.steps ?? [])] : [];
  }
  if (typeof type === 'string') return [];
  if (type[0] === 'object') {
    const inner = type[1][step];
    return inner === undefined ? [] : [{ attribute_name: String(step) }, ...stepsBelow(rest, inner)];
  }
  if (type[0] === 'tuple') return [];
  const element = elementStep(step, type[0]);
  return element ? [element, ...stepsBelow(rest, type[1])] : [];
}

function elementStep(step: string | number, nesting: 'list' | 'set' | 'map'): Step | undefined {
  if (nesting === 'map') return { element_key_string: String(step) };
  return nesting === 'list' && typeof step === 'number' ? { element_key_int: step } : undefined;
}
