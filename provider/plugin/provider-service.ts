import { diagnosticsToWire, type Rpc } from './rpc.ts';
import { schemaToWire } from './schema.ts';
import type { Session } from './session.ts';
import { type DynamicValue, presentObject } from './wire-value.ts';

interface ConfigRequest {
  config: DynamicValue | null;
}
interface ConfigureRequest extends ConfigRequest {
  terraform_version: string;
}

const serverCapabilities = { plan_destroy: true, get_provider_schema_optional: true };

/** What concerns the provider as a whole: its schema, configuration and end. */
export function providerService<Client>(session: Session<Client>) {
  const { provider } = session;
  const { attributes } = provider.schema;

  const GetMetadata: Rpc<object> = {
    run: () => ({
      server_capabilities: serverCapabilities,
      resources: Object.keys(provider.resources).map((type_name) => ({ type_name })),
      data_sources: Object.keys(provider.dataSources).map((type_name) => ({ type_name })),
    }),
  };

  const GetProviderSchema: Rpc<object> = {
    run: () => ({
      server_capabilities: serverCapabilities,
      provider: schemaToWire(provider.schema),
      resource_schemas: schemasToWire(provider.resources),
      data_source_schemas: schemasToWire(provider.dataSources),
    }),
  };

  const ValidateProviderConfig: Rpc<ConfigRequest> = {
    attributes: () => attributes,
    run: ({ config }) => {
      const diagnostics = provider.validate?.(presentObject(config, attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, attributes) };
    },
  };

  const ConfigureProvider: Rpc<ConfigureRequest> = {
    attributes: () => attributes,
    async run({ config, terraform_version: terraformVersion }) {
      const context = { terraformVersion, signal: session.stop.signal };
      session.setClient(await provider.configure(presentObject(config, attributes), context));
      return {};
    },
  };

  const StopProvider: Rpc<object> = {
    run() {
      session.log.info('asked to stop');
      session.stop.abort(new Error('Terraform was interrupted.'));
      return {};
    },
  };

  return { GetMetadata, GetProviderSchema, ValidateProviderConfig, ConfigureProvider, StopProvider };
}

function schemasToWire(types: { readonly [type: string]: { schema: Parameters<typeof schemaToWire>[0] } }) {
  return Object.fromEntries(Object.entries(types).map(([name, { schema }]) => [name, schemaToWire(schema)]));
}
