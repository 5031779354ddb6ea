import { failure } from './diagnostic.ts';
import type { Renewable } from './provider.ts';
import { diagnosticsToWire, type Rpc } from './rpc.ts';
import type { Session } from './session.ts';
import { type DynamicValue, presentObject, valueToWire } from './wire-value.ts';

interface Typed {
  type_name: string;
}
interface OpenRequest extends Typed {
  config: DynamicValue | null;
}
interface PrivateRequest extends Typed {
  private: Uint8Array;
}

/** Values that exist while Terraform runs: opened, renewed as long as they are needed, closed. */
export function ephemeralService<Client>(session: Session<Client>) {
  const { ephemeralResources = {} } = session.provider;
  const find = ({ type_name }: Typed) => {
    const type = ephemeralResources[type_name];
    if (type) return type;
    throw failure('Unknown ephemeral resource', `This provider has no ephemeral resource "${type_name}".`);
  };
  const attributes = ({ type_name }: Typed) => ephemeralResources[type_name]?.schema.attributes;
  const context = () => ({ client: session.client(), signal: session.stop.signal });

  const ValidateEphemeralResourceConfig: Rpc<OpenRequest> = {
    attributes,
    run(request) {
      const { schema, validate } = find(request);
      const diagnostics = validate?.(presentObject(request.config, schema.attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, schema.attributes) };
    },
  };

  const OpenEphemeralResource: Rpc<OpenRequest> = {
    attributes,
    async run(request) {
      const { schema, open } = find(request);
      const config = presentObject(request.config, schema.attributes);
      const opened = await open({ config, ...context() });
      return { result: valueToWire(opened.result, schema.attributes), ...renewableToWire(opened) };
    },
  };

  const RenewEphemeralResource: Rpc<PrivateRequest> = {
    attributes,
    async run(request) {
      const { renew } = find(request);
      const known = { private: request.private, ...context() };
      return renew ? renewableToWire(await renew(known)) : {};
    },
  };

  const CloseEphemeralResource: Rpc<PrivateRequest> = {
    attributes,
    async run(request) {
      const { close } = find(request);
      // Asked to stop, Terraform still closes what is open: that must be able to end.
      const signal = new AbortController().signal;
      await close?.({ private: request.private, client: session.client(), signal });
      return {};
    },
  };

  return {
    ValidateEphemeralResourceConfig,
    OpenEphemeralResource,
    RenewEphemeralResource,
    CloseEphemeralResource,
  };
}

function renewableToWire({ renewAt, private: kept }: Renewable): object {
  const milliseconds = renewAt?.getTime();
  return {
    private: kept,
    renew_at: milliseconds === undefined ? undefined : timestamp(milliseconds),
  };
}

/** @see https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp */
function timestamp(milliseconds: number): object {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanos: (milliseconds - seconds * 1000) * 1_000_000 };
}
