import type { Rpc } from './rpc.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
import { type DynamicValue, presentObject, valueToWire } from './wire-value.ts';

interface DataSourceRequest {
  type_name: string;
  config: DynamicValue | null;
}

/** Data sources: validated and read, nothing else. */
export function dataSourceService<Client>(session: Session<Client>) {
  const { dataSources } = session.provider;
  const { find, attributes, validation } = typesByName(dataSources, 'data source');

  const ReadDataSource: Rpc<DataSourceRequest> = {
    attributes,
    async run(request) {
      const { schema, read } = find(request.type_name);
      const config = presentObject(request.config, schema.attributes);
      const state = await read({ config, client: session.client(), signal: session.stop.signal });
      return { state: valueToWire(state, schema.attributes) };
    },
  };

  return { ValidateDataResourceConfig: validation, ReadDataSource };
}
