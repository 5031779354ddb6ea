import type { ValuePath } from './diagnostic.ts';
import { type Attribute, type Attributes, isNested } from './schema.ts';
import {
  equalValues,
  isUnknown,
  isValueMap,
  ownMember,
  unknown,
  type Value,
  type ValueMap,
} from './value.ts';

export interface PlannedChange {
  planned: Value;
  /** Attributes whose change means another resource. */
  requiresReplace: ValuePath[];
}

/**
 * Plans a change from the schema alone: an attribute without a configured value takes its default, keeps its prior
 * value, or is unknown when there is none yet or when an attribute that renews it changes.
 *
 * @param prior state, null for a resource to be made
 * @param config configuration, null for a resource to be destroyed
 */
export function planChange(prior: Value, config: Value, attributes: Attributes): PlannedChange {
  if (!isValueMap(config)) return { planned: null, requiresReplace: [] };
  const priorObject = isValueMap(prior) ? prior : null;
  const planned = planObject(priorObject, config, attributes);
  if (!priorObject) return { planned, requiresReplace: [] };
  const changes = (name: string) =>
    !equalValues(ownMember(priorObject, name) ?? null, ownMember(planned, name) ?? null);
  renew(planned, config, attributes, changes);
  const requiresReplace = Object.keys(attributes)
    .filter((name) => attributes[name]?.requiresReplace)
    .filter(changes)
    .map((name) => [name]);
  return { planned, requiresReplace };
}

/** Makes unknown what is renewed by a change and not configured; what is renewed renews others in turn. */
function renew(
  planned: ValueMap,
  config: ValueMap,
  attributes: Attributes,
  changes: (name: string) => boolean,
): void {
  const due = Object.keys(attributes).filter(
    (name) =>
      !isUnknown(ownMember(planned, name)) &&
      (ownMember(config, name) ?? null) === null &&
      attributes[name]?.renewedBy?.some(changes),
  );
  if (due.length === 0) return;
  for (const name of due) planned[name] = unknown;
  renew(planned, config, attributes, changes);
}

function planObject(prior: ValueMap | null, config: ValueMap, attributes: Attributes): ValueMap {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const before = prior === null ? undefined : (ownMember(prior, name) ?? null);
      return [name, planAttribute(before, ownMember(config, name) ?? null, attribute)];
    }),
  );
}

/** `prior` is undefined when the object is new. */
function planAttribute(prior: Value | undefined, config: Value, attribute: Attribute): Value {
  if (attribute.writeOnly) return null;
  if (config === null) {
    if (attribute.default !== undefined) return attribute.default;
    if (!attribute.computed) return null;
    return prior === undefined ? unknown : prior;
  }
  return isNested(attribute.type) ? planNested(prior ?? null, config, attribute.type) : config;
}

function planNested(
  prior: Value,
  config: Value,
  { nesting, attributes }: { nesting: string; attributes: Attributes },
): Value {
  const planElement = (before: Value | undefined, element: Value) =>
    isValueMap(element) ? planObject(isValueMap(before) ? before : null, element, attributes) : element;
  if (nesting === 'single') return planElement(prior, config);
  if (Array.isArray(config)) {
    const before = Array.isArray(prior) ? prior : [];
    if (nesting === 'list') return config.map((element, index) => planElement(before[index], element));
    const left = [...before];
    return config.map((element) => {
      // Elements of a set have no names: one that is there already is known by staying as it is.
      const same = left.findIndex((one) => equalValues(planElement(one, element), one));
      return planElement(same < 0 ? undefined : left.splice(same, 1)[0], element);
    });
  }
  if (!isValueMap(config)) return config;
  const before = isValueMap(prior) ? prior : {};
  return Object.fromEntries(
    Object.entries(config).map(([key, item]) => [key, planElement(ownMember(before, key), item)]),
  );
}
