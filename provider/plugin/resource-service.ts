import { pathToWire } from './attribute-path.ts';
import { type Diagnostic, DiagnosticError, failure } from './diagnostic.ts';
import { type IdentityData, identityFromWire, identityToWire } from './identity.ts';
import { planChange } from './plan-change.ts';
import type { ResourceType, Stored } from './provider.ts';
import { diagnosticsToWire, type Rpc } from './rpc.ts';
import type { Attributes } from './schema.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
import type { Value, ValueMap } from './value.ts';
import { type DynamicValue, objectFromWire, presentObject, valueToWire } from './wire-value.ts';
import { withoutWriteOnly, writeOnlyInUse } from './write-only.ts';

interface Typed {
  type_name: string;
}
interface ValidateRequest extends Typed {
  config: DynamicValue | null;
  client_capabilities: { write_only_attributes_allowed: boolean } | null;
}
interface ReadRequest extends Typed {
  current_state: DynamicValue | null;
  private: Uint8Array;
  current_identity: IdentityData | null;
}
interface PlanRequest extends Typed {
  prior_state: DynamicValue | null;
  config: DynamicValue | null;
  prior_private: Uint8Array;
  prior_identity: IdentityData | null;
}
interface ApplyRequest extends Typed {
  prior_state: DynamicValue | null;
  planned_state: DynamicValue | null;
  config: DynamicValue | null;
  planned_private: Uint8Array;
  planned_identity: IdentityData | null;
}
interface ImportRequest extends Typed {
  id: string;
  identity: IdentityData | null;
}

/** The life of managed resources. Write-only values are kept out of every plan and state here, for all types. */
export function resourceService<Client>(session: Session<Client>) {
  const { resources } = session.provider;
  const { find, attributes } = typesByName(resources, 'resource type');
  const context = () => ({ client: session.client(), signal: session.stop.signal });
  /** What stays of a state when an operation failed; Terraform keeps its own where there is none. */
  const kept = (name: string, state: DynamicValue | null) => {
    try {
      const { attributes: known } = find(name).schema;
      return valueToWire(withoutWriteOnly(objectFromWire(state, known), known), known);
    } catch {
      // What cannot be read may hold anything, so it is not sent back.
      return undefined;
    }
  };

  const ValidateResourceConfig: Rpc<ValidateRequest> = {
    attributes,
    run(request) {
      const { schema, validate } = find(request.type_name);
      const config = presentObject(request.config, schema.attributes);
      if (!request.client_capabilities?.write_only_attributes_allowed)
        refuseWriteOnly(config, schema.attributes);
      return { diagnostics: diagnosticsToWire(validate?.(config) ?? [], schema.attributes) };
    },
  };

  const ReadResource: Rpc<ReadRequest> = {
    attributes,
    whenFailed: (request) => ({
      ...{ new_state: kept(request.type_name, request.current_state), private: request.private },
      new_identity: request.current_identity,
    }),
    async run(request) {
      const type = find(request.type_name);
      const state = objectFromWire(request.current_state, type.schema.attributes);
      const found = state && (await type.read({ state, private: request.private, ...context() }));
      const { state: new_state, identity, ...rest } = storedToWire(found, type, request.private);
      return { new_state, private: rest.private, new_identity: identity };
    },
  };

  const PlanResourceChange: Rpc<PlanRequest> = {
    attributes,
    run(request) {
      const { schema, validateNew } = find(request.type_name);
      const prior = objectFromWire(request.prior_state, schema.attributes);
      const config = objectFromWire(request.config, schema.attributes);
      if (prior === null && config)
        refuse([...missing(config, schema.attributes), ...(validateNew?.(config) ?? [])]);
      const { planned, requiresReplace } = planChange(prior, config, schema.attributes);
      return {
        planned_state: valueToWire(planned, schema.attributes),
        requires_replace: requiresReplace.map((path) => pathToWire(path, schema.attributes)),
        planned_private: request.prior_private,
        planned_identity: request.prior_identity,
      };
    },
  };

  const ApplyResourceChange: Rpc<ApplyRequest> = {
    attributes,
    whenFailed: (request) => ({
      ...{ new_state: kept(request.type_name, request.prior_state), private: request.planned_private },
      new_identity: request.planned_identity,
    }),
    async run(request) {
      const type = find(request.type_name);
      const { stored, warnings = [] } = await apply(type, request, context());
      const { state, identity, ...rest } = storedToWire(stored, type, request.planned_private);
      const diagnostics = diagnosticsToWire(warnings, type.schema.attributes);
      return { new_state: state, private: rest.private, new_identity: identity, diagnostics };
    },
  };

  const ImportResourceState: Rpc<ImportRequest> = {
    attributes,
    async run(request) {
      const type = find(request.type_name);
      const identity = type.identity && identityFromWire(type.identity, request.identity);
      const wanted = identity ? { identity } : { id: request.id };
      const stored = await type.import({ ...wanted, ...context() });
      const wire = storedToWire(stored, type, new Uint8Array());
      return { imported_resources: [{ type_name: request.type_name, ...wire }] };
    },
  };

  return {
    ValidateResourceConfig,
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
): Promise<{ stored: Stored | null; warnings?: Diagnostic[] }> {
  const { attributes } = type.schema;
  const prior = objectFromWire(request.prior_state, attributes);
  const planned = objectFromWire(request.planned_state, attributes);
  if (!planned) {
    return { stored: null, warnings: prior ? await type.delete({ prior, ...context }) : [] };
  }
  const config = presentObject(request.config, attributes);
  if (!prior) return { stored: await type.create({ config, planned, ...context }) };
  const change = { config, prior, planned, private: request.planned_private };
  return { stored: await type.update({ ...change, ...context }) };
}

function storedToWire<Client>(
  stored: Stored | null,
  { schema: { attributes }, identity }: ResourceType<Client>,
  privateBefore: Uint8Array,
) {
  const state = withoutWriteOnly(stored?.state ?? null, attributes);
  return {
    state: valueToWire(state, attributes),
    private: stored?.private ?? privateBefore,
    identity: identityToWire(identity, state),
  };
}

function refuse(diagnostics: Diagnostic[]): void {
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics);
}

function missing(config: ValueMap, attributes: Attributes): Diagnostic[] {
  const names = Object.keys(attributes).filter(
    (name) => attributes[name]?.requiredAtCreation && config[name] === null,
  );
  return names.map((name) => ({
    ...{ severity: 'error', summary: 'Missing required argument', path: [name] },
    detail: `"${name}" is required to make a new one. Only what was imported may do without.`,
  }));
}

function refuseWriteOnly(config: Value, attributes: Attributes): void {
  const [name] = writeOnlyInUse(config, attributes);
  if (name === undefined) return;
  const detail = `"${name}" is write-only, which this version of Terraform does not know. Use Terraform 1.11 or newer.`;
  throw failure('Write-only attribute not supported', detail, [name]);
}
