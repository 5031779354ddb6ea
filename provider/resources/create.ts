import type { Resource } from '../../contract/resource.ts';
import type { ApiRequest, Client } from '../client/client.ts';
import type { Attributes } from '../plugin/schema.ts';
import { type Found, getById, representation } from './find.ts';

/**
 * Makes a resource, or finds the one again that an earlier run of the same configuration made before it was killed. One
 * of which somebody got rid meanwhile is made anew.
 */
export async function createOnce(
  client: Client,
  resource: Resource,
  order: ApiRequest,
  attributes: Attributes,
): Promise<Found> {
  const answer = await client.request(order);
  const made = representation(answer, attributes);
  if (!answer.isRepeated) return made;
  const id = String(made.state.id);
  const found = await getById(client, resource, id, attributes);
  if (found) return found;
  await client.recorded(id);
  return representation(await client.request(order), attributes);
}
