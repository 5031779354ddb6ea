import { type Diagnostic, failure } from './diagnostic.ts';
import { diagnosticsToWire, type Rpc } from './rpc.ts';
import type { Schema } from './schema.ts';
import { ownMember, type ValueMap } from './value.ts';
import { type DynamicValue, presentObject } from './wire-value.ts';

interface OfType {
  type_name: string;
}
interface ConfigOfType extends OfType {
  config: DynamicValue | null;
}

/** Whatever has a schema by which its configuration is read. */
interface Configurable {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
}

/**
 * The types of one kind, such as `data source`, as requests name them. `find` throws a diagnostic when there is no such
 * type; `attributes` are what paths of diagnostics are read with; `validation` judges a configuration.
 */
export function typesByName<T extends Configurable>(types: { readonly [name: string]: T }, kind: string) {
  const find = (name: string): T => {
    const type = ownMember(types, name);
    if (type) return type;
    throw failure(`Unknown ${kind}`, `This provider has no ${kind} "${name}".`);
  };
  const attributes = ({ type_name }: OfType) => ownMember(types, type_name)?.schema.attributes;
  const validation: Rpc<ConfigOfType> = {
    attributes,
    run({ type_name, config }) {
      const { schema, validate } = find(type_name);
      const diagnostics = validate?.(presentObject(config, schema.attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, schema.attributes) };
    },
  };
  return { find, attributes, validation };
}
