import { failure } from './diagnostic.ts';
import { identityToWire } from './identity.ts';
import { diagnosticsToWire, type Rpc, type StreamingRpc } from './rpc.ts';
import type { Session } from './session.ts';
import { type DynamicValue, presentObject, valueToWire } from './wire-value.ts';
import { withoutWriteOnly } from './write-only.ts';

interface ListRequest {
  type_name: string;
  config: DynamicValue | null;
  include_resource_object: boolean;
  limit: number;
}

/** What there is of a resource type, for `terraform query` of Terraform 1.14 and newer. */
export function listService<Client>(session: Session<Client>) {
  const { listResources = {}, resources } = session.provider;
  const find = ({ type_name }: { type_name: string }) => {
    const list = listResources[type_name];
    const resource = resources[type_name];
    if (list && resource?.identity) return { list, resource: { ...resource, identity: resource.identity } };
    throw failure('Unknown list resource', `This provider does not list "${type_name}".`);
  };
  const attributes = ({ type_name }: { type_name: string }) => listResources[type_name]?.schema.attributes;

  const ValidateListResourceConfig: Rpc<ListRequest> = {
    attributes,
    run(request) {
      const { schema, validate } = find(request).list;
      const diagnostics = validate?.(presentObject(request.config, schema.attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, schema.attributes) };
    },
  };

  const ListResource: StreamingRpc<ListRequest> = {
    attributes,
    async *stream(request) {
      const { list, resource } = find(request);
      const config = presentObject(request.config, list.schema.attributes);
      let left = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
      const context = { client: session.client(), signal: session.stop.signal };
      for await (const { displayName, state } of list.list({ config, ...context })) {
        const { attributes: ofResource } = resource.schema;
        yield {
          display_name: displayName,
          identity: identityToWire(resource.identity, state),
          ...(request.include_resource_object && {
            resource_object: valueToWire(withoutWriteOnly(state, ofResource), ofResource),
          }),
        };
        left -= 1;
        if (left === 0) return;
      }
    },
    failed: (diagnostic) => ({ diagnostic }),
  };

  return { ValidateListResourceConfig, ListResource };
}
