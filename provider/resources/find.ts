import type { Resource } from '../../contract/resource.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { type AnswerCheck, hasMember } from '../client/send.ts';
import { type ExactJson, parseJson, valueFromJson } from '../plugin/json-value.ts';
import { type Attributes, objectType } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';

/** A resource as the API answered it; attributes that the API does not have are null. */
export interface Found {
  state: ValueMap;
  etag: string | null;
}

/** The representation in an answer, in Terraform's types. Throws when the answer is not of the contract. */
export function representation(answer: { text: string; etag: string | null }, attributes: Attributes): Found {
  return { state: stateFromJson(parseJson(answer.text), attributes), etag: answer.etag };
}

/** Whether an answer holds all that a resource always has. */
export function isRepresentation({ representation }: Resource): AnswerCheck {
  return (_, json) =>
    typeof json === 'object' && json !== null && representation.required.every((name) => name in json);
}

/** All that there are, page by page; `query` narrows them. */
export async function* eachFound(
  client: Client,
  resource: Resource,
  query: Record<string, string>,
  attributes: Attributes,
): AsyncIterable<ValueMap> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const words = new URLSearchParams({ limit: '200', ...query, ...(cursor !== '' && { cursor }) });
    const { text } = await client.request({
      ...{ method: 'GET', path: `${resource.path}?${words}`, isAnswer: hasMember('items') },
    });
    const page = parseJson(text) as { items: ExactJson[]; next_cursor: string | null };
    for (const item of page.items) yield stateFromJson(item, attributes);
    cursor = page.next_cursor;
  }
}

function stateFromJson(json: ExactJson, attributes: Attributes): ValueMap {
  return valueFromJson(json, objectType(attributes)) as ValueMap;
}

/** GET by id; null when there is none. */
export async function getById(
  client: Client,
  resource: Resource,
  id: string,
  attributes: Attributes,
): Promise<Found | null> {
  try {
    const answer = await client.request({
      ...{ method: 'GET', path: itemPath(resource, id), isAnswer: isRepresentation(resource) },
    });
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
  const answer = await client.request({ method: 'GET', path, isAnswer: hasMember('items') });
  const page = JSON.parse(answer.text) as { items: { id: string }[] };
  return page.items[0]?.id ?? null;
}

export function itemPath(resource: Resource, id: string): string {
  return `${resource.path}/${encodeURIComponent(id)}`;
}
