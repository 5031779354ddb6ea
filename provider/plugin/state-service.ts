import { failure } from './diagnostic.ts';
import { identitySchemaToWire, identityToWire, identityType } from './identity.ts';
import { type ExactJson, parseJson, valueFromJson } from './json-value.ts';
import type { ResourceType } from './provider.ts';
import type { Rpc } from './rpc.ts';
import { type Attributes, objectType } from './schema.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
import type { ValueMap } from './value.ts';
import { type DynamicValue, presentObject, typedToWire, valueToWire } from './wire-value.ts';
import { withoutWriteOnly } from './write-only.ts';

interface RawState {
  json: Uint8Array;
}
interface Typed {
  type_name: string;
}
interface UpgradeRequest extends Typed {
  version: number;
  raw_state: RawState | null;
}
interface UpgradeIdentityRequest extends Typed {
  version: number;
  raw_identity: RawState | null;
}
interface MoveRequest {
  source_provider_address: string;
  source_type_name: string;
  source_schema_version: number;
  source_state: RawState | null;
  target_type_name: string;
}
interface GenerateRequest extends Typed {
  state: DynamicValue | null;
}

/** What becomes of stored states and identities: read, brought up to date, moved, and turned into configuration. */
export function stateService<Client>({ provider }: Session<Client>) {
  const { resources } = provider;
  const { find, attributes } = typesByName(resources, 'resource type');

  const UpgradeResourceState: Rpc<UpgradeRequest> = {
    attributes,
    run({ type_name, version, raw_state }) {
      const type = find(type_name);
      const { schema } = type;
      if (version > schema.version) throw newerState(type_name);
      // Members that the schema does not know any more are left out; those that it did not know before are null.
      const object = objectType(schema.attributes);
      const state = valueFromJson(upgraded(type, version, jsonOf(raw_state), type_name), object);
      return { upgraded_state: typedToWire(withoutWriteOnly(state, schema.attributes), object) };
    },
  };

  const GetResourceIdentitySchemas: Rpc<object> = {
    run: () => ({
      identity_schemas: Object.fromEntries(
        Object.entries(resources).flatMap(([name, { identity }]) =>
          identity ? [[name, identitySchemaToWire(identity)]] : [],
        ),
      ),
    }),
  };

  const UpgradeResourceIdentity: Rpc<UpgradeIdentityRequest> = {
    run({ type_name, version, raw_identity }) {
      const { identity } = find(type_name);
      if (!identity || version > identity.version) throw newerState(type_name);
      const type = identityType(identity);
      const value = valueFromJson(jsonOf(raw_identity), type);
      return { upgraded_identity: { identity_data: typedToWire(value, type) } };
    },
  };

  const MoveResourceState: Rpc<MoveRequest> = {
    run(request) {
      const { source_type_name: source, target_type_name: target } = request;
      const type = find(target);
      const from = {
        ...{ provider: request.source_provider_address, type: source },
        ...{ version: request.source_schema_version, state: jsonOf(request.source_state) },
      };
      const moved = type.move?.(from);
      if (!moved)
        throw failure('Move is not possible', `A ${source} cannot become a ${target}; import it instead.`);
      const { attributes: known } = type.schema;
      return {
        target_state: valueToWire(withoutWriteOnly(moved.state, known), known),
        target_private: moved.private,
        target_identity: identityToWire(type.identity, moved.state),
      };
    },
  };

  const GenerateResourceConfig: Rpc<GenerateRequest> = {
    attributes,
    run({ type_name, state }) {
      const { attributes: known } = find(type_name).schema;
      const config = configurationOf(presentObject(state, known), known);
      return { config: valueToWire(config, known) };
    },
  };

  return {
    UpgradeResourceState,
    GetResourceIdentitySchemas,
    UpgradeResourceIdentity,
    MoveResourceState,
    GenerateResourceConfig,
  };
}

/** The configuration that plans this state: what the provider decides itself is left to it. */
function configurationOf(state: ValueMap, attributes: Attributes): ValueMap {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => {
      const attribute = attributes[name];
      const isOurs = attribute?.computed && attribute.default === undefined;
      return [name, isOurs || attribute?.writeOnly ? null : value];
    }),
  );
}

function upgraded<Client>(
  { schema, upgrades = {} }: ResourceType<Client>,
  from: number,
  stored: ExactJson,
  name: string,
): ExactJson {
  let state = stored;
  for (let version = from; version < schema.version; version += 1) {
    const upgrade = upgrades[version];
    if (!upgrade) {
      const detail = `The state of this ${name} has version ${version}, which this provider cannot read any more. Use an older version of the provider first.`;
      throw failure('State is too old', detail);
    }
    state = upgrade(state);
  }
  return state;
}

function jsonOf(raw: RawState | null): ExactJson {
  const text = Buffer.from(raw?.json ?? []).toString('utf8');
  return text === '' ? null : parseJson(text);
}

function newerState(type: string) {
  const detail = `The state of this ${type} was written by a newer version of the provider. Use that version or a newer one.`;
  return failure('State is too new', detail);
}
