import type { Resource } from '../../contract/resource.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { failure } from '../plugin/diagnostic.ts';
import type { Attributes } from '../plugin/schema.ts';
import { equalValues, type ValueMap } from '../plugin/value.ts';
import { type Found, getById, isRepresentation, itemPath, representation } from './find.ts';
import { changeBody } from './request-body.ts';
import { spoken } from './words.ts';

export interface Update {
  client: Client;
  resource: Resource;
  attributes: Attributes;
  config: ValueMap;
  prior: ValueMap;
  planned: ValueMap;
  /** Of the representation that the plan was made from; undefined when it is not known. */
  etag: string | undefined;
}

/**
 * Changes a resource in place, only if it is still as the plan saw it. When its ETag is another but its content the
 * same, or when an answer was lost and the content is as planned already, that is fine too.
 */
export async function updateResource(update: Update): Promise<Found> {
  const { client, resource, attributes, prior, planned, etag } = update;
  const path = itemPath(resource, String(prior.id));
  const body = changeBody(resource, update);
  if (body === undefined) return { state: planned, etag: etag ?? null };
  const isAnswer = isRepresentation(resource);
  const patch = async (ifMatch: string | undefined) =>
    representation(await client.request({ method: 'PATCH', path, body, ifMatch, isAnswer }), attributes);
  try {
    return await patch(etag);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 412) throw error;
    const current = await getById(client, resource, String(prior.id), attributes);
    if (current && sameContent(resource, current.state, planned) && sendsNoSecret(update)) return current;
    if (current && sameContent(resource, current.state, prior)) return patch(current.etag ?? undefined);
    const detail = `The ${spoken(resource)} was changed or deleted by somebody else since the plan was made. Nothing was changed now: run terraform plan again.`;
    throw failure(`Cannot update the ${spoken(resource)}`, detail);
  }
}

function sameContent({ fixed, changeable }: Resource, a: ValueMap, b: ValueMap): boolean {
  return Object.keys({ ...fixed, ...changeable }).every((name) =>
    equalValues(a[name] ?? null, b[name] ?? null),
  );
}

function sendsNoSecret({ resource, prior, planned }: Update): boolean {
  return Object.keys(resource.writeOnly).every((field) =>
    equalValues(prior[`${field}_wo_version`] ?? null, planned[`${field}_wo_version`] ?? null),
  );
}
