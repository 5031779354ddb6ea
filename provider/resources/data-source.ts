import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import { type Diagnostic, failure } from '../plugin/diagnostic.ts';
import type { DataSource } from '../plugin/provider.ts';
import { isUnknown, type ValueMap } from '../plugin/value.ts';
import { inTerraformsWords } from './api-diagnostics.ts';
import { dataSourceAttributes } from './attributes.ts';
import { getById, idOfNaturalId } from './find.ts';
import { naturalIdForm, spoken } from './words.ts';

/** Terraform's data source that finds a resource of the contract by its id or natural id. */
export function dataSourceFor(resource: Resource): DataSource<Client> {
  const attributes = dataSourceAttributes(resource);
  return {
    schema: { version: 0, description: resource.description, attributes },
    validate: (config) => exactlyOne(resource, config),
    async read({ config, client }) {
      try {
        return await read(resource, config, client, attributes);
      } catch (error) {
        throw inTerraformsWords(error, `read the ${spoken(resource)}`, resource);
      }
    },
  };
}

async function read(
  resource: Resource,
  config: ValueMap,
  client: Client,
  attributes: DataSource<Client>['schema']['attributes'],
): Promise<ValueMap> {
  const { id, natural_id: name } = config;
  const wanted = typeof id === 'string' ? id : await idOfNaturalId(client, resource, String(name));
  const found = wanted === null ? null : await getById(client, resource, wanted, attributes);
  if (found) return { ...found.state, natural_id: name ?? null };
  const detail = `There is no ${spoken(resource)} "${id ?? name}", or the API key may not see it.`;
  throw failure(`Cannot find the ${spoken(resource)}`, detail, [
    typeof id === 'string' ? 'id' : 'natural_id',
  ]);
}

function exactlyOne(resource: Resource, { id, natural_id: name }: ValueMap): Diagnostic[] {
  if (isUnknown(id) || isUnknown(name) || (id === null) !== (name === null)) return [];
  const detail = `Give either "id" or "natural_id" (as ${naturalIdForm(resource)}), and not both.`;
  return [{ severity: 'error', summary: 'One of id and natural_id is needed', detail, path: ['natural_id'] }];
}
