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
  if (resource.isSingle) {
    yield (await getSingle(client, resource, attributes)).state;
    return;
  }
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

/** The only one that there is. */
export async function getSingle(client: Client, resource: Resource, attributes: Attributes): Promise<Found> {
  const isAnswer = isRepresentation(resource);
  return representation(await client.request({ method: 'GET', path: resource.path, isAnswer }), attributes);
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
    const found = representation(answer, attributes);
    // Of a single one the path does not say which.
    return found.state.id === id ? found : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** Whether the API says that something is not there, or went with its team. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.status === 404 || error.problem.code === 'team_revoked';
}

/** The id behind a natural id such as `acme/shop`; null when nothing has that name. */
export async function idOfNaturalId(
  client: Client,
  resource: Resource,
  name: string,
): Promise<string | null> {
  if (resource.isSingle) {
    const { text } = await client.request({
      ...{ method: 'GET', path: resource.path, isAnswer: isRepresentation(resource) },
    });
    const own = JSON.parse(text) as { id: string; name: string };
    return own.name === name ? own.id : null;
  }
  const path = `${resource.path}?natural_id=${encodeURIComponent(name)}`;
  const answer = await client.request({ method: 'GET', path, isAnswer: hasMember('items') });
  const page = JSON.parse(answer.text) as { items: { id: string }[] };
  return page.items[0]?.id ?? null;
}

export function itemPath(resource: Resource, id: string): string {
  return resource.isSingle ? resource.path : `${resource.path}/${encodeURIComponent(id)}`;
}
