import { functionsToWire } from './function-service.ts';
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

const serverCapabilities = {
  ...{ plan_destroy: true, get_provider_schema_optional: true },
  ...{ move_resource_state: true, generate_resource_config: true },
};

/** What concerns the provider as a whole: its schema, configuration and end. */
export function providerService<Client>(session: Session<Client>) {
  const { provider } = session;
  const { attributes } = provider.schema;

  const { resources, dataSources, functions = {} } = provider;
  const { ephemeralResources = {}, listResources = {}, actions = {} } = provider;

  const GetMetadata: Rpc<object> = {
    run: () => ({
      server_capabilities: serverCapabilities,
      resources: typeNames(resources),
      data_sources: typeNames(dataSources),
      ephemeral_resources: typeNames(ephemeralResources),
      list_resources: typeNames(listResources),
      actions: typeNames(actions),
      functions: Object.keys(functions).map((name) => ({ name })),
    }),
  };

  const GetProviderSchema: Rpc<object> = {
    run: () => ({
      server_capabilities: serverCapabilities,
      provider: schemaToWire(provider.schema),
      resource_schemas: each(resources, ({ schema }) => schemaToWire(schema)),
      data_source_schemas: each(dataSources, ({ schema }) => schemaToWire(schema)),
      ephemeral_resource_schemas: each(ephemeralResources, ({ schema }) => schemaToWire(schema)),
      list_resource_schemas: each(listResources, ({ schema }) => schemaToWire(schema)),
      action_schemas: each(actions, ({ schema }) => ({ schema: schemaToWire(schema) })),
      functions: functionsToWire(functions),
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
      const context = { terraformVersion, signal: session.stop.signal, log: session.log };
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

function typeNames(types: object): { type_name: string }[] {
  return Object.keys(types).map((type_name) => ({ type_name }));
}

function each<T>(types: { readonly [name: string]: T }, change: (type: T) => object): object {
  return Object.fromEntries(Object.entries(types).map(([name, type]) => [name, change(type)]));
}
