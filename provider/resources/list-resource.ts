import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import type { ListResource } from '../plugin/provider.ts';
import type { Attributes } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';
import { inTerraformsWords } from './api-diagnostics.ts';
import { resourceAttributes } from './attributes.ts';
import { eachFound } from './find.ts';
import { spoken } from './words.ts';

/** Terraform's list of a resource of the contract: all of the team, or of one project where they belong to projects. */
export function listResourceFor(resource: Resource): ListResource<Client> {
  const attributes: Attributes =
    'project_id' in resource.fixed
      ? { project_id: { type: 'string', optional: true, description: 'Only those of this project.' } }
      : {};
  const description = `Finds each ${spoken(resource)} of the team.`;
  return {
    schema: { version: 0, description, attributes },
    async *list({ config, client }) {
      const query: Record<string, string> =
        typeof config.project_id === 'string' ? { project_id: config.project_id } : {};
      try {
        for await (const state of eachFound(client, resource, query, resourceAttributes(resource))) {
          yield { displayName: displayName(resource, state), state };
        }
      } catch (error) {
        throw inTerraformsWords(error, `list each ${spoken(resource)}`, resource);
      }
    },
  };
}

function displayName({ naturalId }: Resource, state: ValueMap): string {
  const own = state[naturalId.at(-1) ?? 'id'];
  return typeof own === 'string' ? own : String(state.id);
}
