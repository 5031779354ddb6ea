import type { Resource } from '../../contract/resource.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { parseJson, valueFromJson } from '../plugin/json-value.ts';
import { type Attributes, objectType } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';

/** A resource as the API answered it; attributes that the API does not have are null. */
export interface Found {
  state: ValueMap;
  etag: string | null;
}

/** The representation in an answer, in Terraform's types. Throws when the answer is not of the contract. */
export function representation(answer: { text: string; etag: string | null }, attributes: Attributes): Found {
  const state = valueFromJson(parseJson(answer.text), objectType(attributes)) as ValueMap;
  return { state, etag: answer.etag };
}

/** GET by id; null when there is none. */
export async function getById(
  client: Client,
  resource: Resource,
  id: string,
  attributes: Attributes,
): Promise<Found | null> {
  try {
    const answer = await client.request({ method: 'GET', path: itemPath(resource, id) });
    return representation(answer, attributes);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** The id behind a natural id such as `acme/shop`; null when nothing has that name. */
export async function idOfNaturalId(
  client: Client,
  resource: Resource,
  name: string,
): Promise<string | null> {
  const path = `${resource.path}?natural_id=${encodeURIComponent(name)}`;
  const answer = await client.request({ method: 'GET', path });
  const page = JSON.parse(answer.text) as { items: { id: string }[] };
  return page.items[0]?.id ?? null;
}

export function itemPath(resource: Resource, id: string): string {
  return `${resource.path}/${encodeURIComponent(id)}`;
}
