import type { Renewable } from './provider.ts';
import type { Rpc } from './rpc.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
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
  const { find, attributes, validation } = typesByName(ephemeralResources, 'ephemeral resource');
  const context = () => ({ client: session.client(), signal: session.stop.signal });

  const OpenEphemeralResource: Rpc<OpenRequest> = {
    attributes,
    async run(request) {
      const { schema, open } = find(request.type_name);
      const config = presentObject(request.config, schema.attributes);
      const opened = await open({ config, ...context() });
      return { result: valueToWire(opened.result, schema.attributes), ...renewableToWire(opened) };
    },
  };

  const RenewEphemeralResource: Rpc<PrivateRequest> = {
    attributes,
    async run(request) {
      const { renew } = find(request.type_name);
      const known = { private: request.private, ...context() };
      return renew ? renewableToWire(await renew(known)) : {};
    },
  };

  const CloseEphemeralResource: Rpc<PrivateRequest> = {
    attributes,
    async run(request) {
      const { close } = find(request.type_name);
      // Asked to stop, Terraform still closes what is open: that must be able to end.
      const signal = new AbortController().signal;
      await close?.({ private: request.private, client: session.client(), signal });
      return {};
    },
  };

  return {
    ValidateEphemeralResourceConfig: validation,
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
