import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import { failure } from '../plugin/diagnostic.ts';
import type { Attributes } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';
import { type Found, getSingle } from './find.ts';
import { updateResource } from './update.ts';
import { spoken } from './words.ts';

/**
 * Takes the single one that is there for the one that is declared, and makes it as it is declared. Throws a diagnostic when
 * it has another name.
 */
export async function adopt(
  client: Client,
  resource: Resource,
  { config, planned }: { config: ValueMap; planned: ValueMap },
  attributes: Attributes,
): Promise<Found> {
  const { state: prior, etag } = await getSingle(client, resource, attributes);
  if (prior.name !== planned.name) {
    const detail = `This API key belongs to the ${spoken(resource)} "${prior.name}", and not to "${planned.name}". Correct the name, or use a key of "${planned.name}". Teams are made by people, not by keys.`;
    throw failure(`Cannot create the ${spoken(resource)}`, detail, ['name']);
  }
  const adopted = { ...planned, ...idOf(resource, prior) };
  const change = { client, resource, attributes, config, prior, planned: adopted, etag: etag ?? undefined };
  return await updateResource(change);
}

/** What is known of it already. */
function idOf({ computed }: Resource, prior: ValueMap): ValueMap {
  return Object.fromEntries(Object.keys(computed).map((name) => [name, prior[name] ?? null]));
}
