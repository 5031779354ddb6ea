import { failure } from './diagnostic.ts';
import { identityToWire } from './identity.ts';
import type { StreamingRpc } from './rpc.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
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
  const { find, attributes, validation } = typesByName(listResources, 'list resource');
  const managed = typesByName(resources, 'resource type');

  const ListResource: StreamingRpc<ListRequest> = {
    attributes,
    async *stream(request) {
      const { type_name: name } = request;
      const { schema, list } = find(name);
      const { schema: of, identity } = managed.find(name);
      if (!identity) throw failure('Unknown list resource', `"${name}" has no identity to list it by.`);
      const config = presentObject(request.config, schema.attributes);
      let left = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
      const context = { client: session.client(), signal: session.stop.signal };
      for await (const { displayName, state } of list({ config, ...context })) {
        yield {
          display_name: displayName,
          identity: identityToWire(identity, state),
          ...(request.include_resource_object && {
            resource_object: valueToWire(withoutWriteOnly(state, of.attributes), of.attributes),
          }),
        };
        left -= 1;
        if (left === 0) return;
      }
    },
    failed: (diagnostic) => ({ diagnostic }),
  };

  return { ValidateListResourceConfig: validation, ListResource };
}
