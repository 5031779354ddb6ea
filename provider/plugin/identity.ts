import type { CtyType } from './cty-type.ts';
import type { Identity } from './provider.ts';
import { isValueMap, type Value, type ValueMap } from './value.ts';
import { type DynamicValue, typedFromWire, typedToWire } from './wire-value.ts';

/** An identity as the protocol carries it. */
export interface IdentityData {
  identity_data: DynamicValue | null;
}

/** The identity that a state has; undefined without a state, and where the type has no identities. */
export function identityToWire(identity: Identity | undefined, state: Value): object | undefined {
  if (!identity || !isValueMap(state)) return undefined;
  return { identity_data: typedToWire(identity.of(state), identityType(identity)) };
}

/** Undefined when Terraform sent none. */
export function identityFromWire(identity: Identity, data: IdentityData | null): ValueMap | undefined {
  const value = typedFromWire(data?.identity_data ?? null, identityType(identity));
  return isValueMap(value) ? value : undefined;
}

export function identitySchemaToWire({ version, attributes }: Identity): object {
  return {
    version,
    identity_attributes: Object.entries(attributes).map(([name, { type, description, required }]) => ({
      ...{ name, description, type: Buffer.from(JSON.stringify(type)) },
      ...{ required_for_import: required, optional_for_import: !required },
    })),
  };
}

/** The type of an identity's value. */
export function identityType({ attributes }: Identity): CtyType {
  return ['object', Object.fromEntries(Object.entries(attributes).map(([name, { type }]) => [name, type]))];
}
