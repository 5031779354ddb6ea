import { failure } from './diagnostic.ts';
import { diagnosticsToWire, type Rpc } from './rpc.ts';
import type { Session } from './session.ts';
import { type DynamicValue, presentObject, valueToWire } from './wire-value.ts';

interface DataSourceRequest {
  type_name: string;
  config: DynamicValue | null;
}

/** Data sources: validated and read, nothing else. */
export function dataSourceService<Client>(session: Session<Client>) {
  const { dataSources } = session.provider;
  const find = ({ type_name }: DataSourceRequest) => {
    const source = dataSources[type_name];
    if (source) return source;
    throw failure('Unknown data source', `This provider has no data source "${type_name}".`);
  };
  const attributes = (request: DataSourceRequest) => dataSources[request.type_name]?.schema.attributes;

  const ValidateDataResourceConfig: Rpc<DataSourceRequest> = {
    attributes,
    run(request) {
      const { schema, validate } = find(request);
      const diagnostics = validate?.(presentObject(request.config, schema.attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, schema.attributes) };
    },
  };

  const ReadDataSource: Rpc<DataSourceRequest> = {
    attributes,
    async run(request) {
      const { schema, read } = find(request);
      const config = presentObject(request.config, schema.attributes);
      const state = await read({ config, client: session.client(), signal: session.stop.signal });
      return { state: valueToWire(state, schema.attributes) };
    },
  };

  return { ValidateDataResourceConfig, ReadDataSource };
}
