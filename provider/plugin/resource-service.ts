import { pathToWire } from './attribute-path.ts';
import { failure } from './diagnostic.ts';
import { planChange } from './plan-change.ts';
import type { ResourceType, Stored } from './provider.ts';
import { diagnosticsToWire, type Rpc } from './rpc.ts';
import type { Attributes } from './schema.ts';
import type { Session } from './session.ts';
import type { Value } from './value.ts';
import { type DynamicValue, objectFromWire, presentObject, valueToWire } from './wire-value.ts';
import { withoutWriteOnly, writeOnlyInUse } from './write-only.ts';

interface Typed {
  type_name: string;
}
interface ValidateRequest extends Typed {
  config: DynamicValue | null;
  client_capabilities: { write_only_attributes_allowed: boolean } | null;
}
interface UpgradeRequest extends Typed {
  version: number;
  raw_state: { json: Uint8Array } | null;
}
interface ReadRequest extends Typed {
  current_state: DynamicValue | null;
  private: Uint8Array;
}
interface PlanRequest extends Typed {
  prior_state: DynamicValue | null;
  config: DynamicValue | null;
  prior_private: Uint8Array;
}
interface ApplyRequest extends Typed {
  prior_state: DynamicValue | null;
  planned_state: DynamicValue | null;
  config: DynamicValue | null;
  planned_private: Uint8Array;
}
interface ImportRequest extends Typed {
  id: string;
}

/** The life of managed resources. Write-only values are kept out of every plan and state here, for all types. */
export function resourceService<Client>(session: Session<Client>) {
  const { resources } = session.provider;
  const find = (request: Typed) => {
    const type = resources[request.type_name];
    if (type) return type;
    throw failure('Unknown resource type', `This provider has no resource type "${request.type_name}".`);
  };
  const attributes = (request: Typed) => resources[request.type_name]?.schema.attributes;
  const context = () => ({ client: session.client(), signal: session.stop.signal });

  const ValidateResourceConfig: Rpc<ValidateRequest> = {
    attributes,
    run(request) {
      const { schema, validate } = find(request);
      const config = presentObject(request.config, schema.attributes);
      if (!request.client_capabilities?.write_only_attributes_allowed)
        refuseWriteOnly(config, schema.attributes);
      return { diagnostics: diagnosticsToWire(validate?.(config) ?? [], schema.attributes) };
    },
  };

  const UpgradeResourceState: Rpc<UpgradeRequest> = {
    attributes,
    run(request) {
      const { schema } = find(request);
      if (request.version > schema.version) throw newerState(request.type_name);
      const json = request.raw_state?.json ?? new Uint8Array();
      const state = objectFromWire({ json, msgpack: new Uint8Array() }, schema.attributes);
      return { upgraded_state: valueToWire(state, schema.attributes) };
    },
  };

  const ReadResource: Rpc<ReadRequest> = {
    attributes,
    whenFailed: (request) => ({ new_state: request.current_state, private: request.private }),
    async run(request) {
      const { schema, read } = find(request);
      const state = objectFromWire(request.current_state, schema.attributes);
      const found = state && (await read({ state, private: request.private, ...context() }));
      const stored = storedToWire(found, schema.attributes, request.private);
      return { new_state: stored.state, private: stored.private };
    },
  };

  const PlanResourceChange: Rpc<PlanRequest> = {
    attributes,
    run(request) {
      const { schema } = find(request);
      const prior = objectFromWire(request.prior_state, schema.attributes);
      const config = objectFromWire(request.config, schema.attributes);
      const { planned, requiresReplace } = planChange(prior, config, schema.attributes);
      return {
        planned_state: valueToWire(planned, schema.attributes),
        requires_replace: requiresReplace.map((path) => pathToWire(path, schema.attributes)),
        planned_private: request.prior_private,
      };
    },
  };

  const ApplyResourceChange: Rpc<ApplyRequest> = {
    attributes,
    whenFailed: (request) => ({ new_state: request.prior_state, private: request.planned_private }),
    async run(request) {
      const type = find(request);
      const stored = await apply(type, request, context());
      const wire = storedToWire(stored, type.schema.attributes, request.planned_private);
      return { new_state: wire.state, private: wire.private };
    },
  };

  const ImportResourceState: Rpc<ImportRequest> = {
    attributes,
    async run(request) {
      const type = find(request);
      const stored = await type.import({ id: request.id, ...context() });
      const wire = storedToWire(stored, type.schema.attributes, new Uint8Array());
      return { imported_resources: [{ type_name: request.type_name, ...wire }] };
    },
  };

  return {
    ValidateResourceConfig,
    UpgradeResourceState,
    ReadResource,
    PlanResourceChange,
    ApplyResourceChange,
    ImportResourceState,
  };
}

async function apply<Client>(
  type: ResourceType<Client>,
  request: ApplyRequest,
  context: { client: Client; signal: AbortSignal },
): Promise<Stored | null> {
  const { attributes } = type.schema;
  const prior = objectFromWire(request.prior_state, attributes);
  const planned = objectFromWire(request.planned_state, attributes);
  if (!planned) {
    if (prior) await type.delete({ prior, ...context });
    return null;
  }
  const config = presentObject(request.config, attributes);
  if (!prior) return type.create({ config, planned, ...context });
  return type.update({ config, prior, planned, private: request.planned_private, ...context });
}

function storedToWire(stored: Stored | null, attributes: Attributes, privateBefore: Uint8Array) {
  const state = withoutWriteOnly(stored?.state ?? null, attributes);
  return { state: valueToWire(state, attributes), private: stored?.private ?? privateBefore };
}

function refuseWriteOnly(config: Value, attributes: Attributes): void {
  const [name] = writeOnlyInUse(config, attributes);
  if (name === undefined) return;
  const detail = `"${name}" is write-only, which this version of Terraform does not know. Use Terraform 1.11 or newer.`;
  throw failure('Write-only attribute not supported', detail, [name]);
}

function newerState(type: string) {
  const detail = `The state of this ${type} was written by a newer version of the provider. Use that version or a newer one.`;
  return failure('State is too new', detail);
}
