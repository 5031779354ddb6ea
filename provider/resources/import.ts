import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import { failure } from '../plugin/diagnostic.ts';
import type { Attributes } from '../plugin/schema.ts';
import { type Found, getById, idOfNaturalId } from './find.ts';
import { looksLikeId, naturalIdForm, spoken } from './words.ts';

/** Finds what an import names, by id (`prj_…`) or by natural id (`acme/shop`). Throws a diagnostic when there is none. */
export async function findToImport(
  client: Client,
  resource: Resource,
  wanted: string,
  attributes: Attributes,
): Promise<Found> {
  const form = naturalIdForm(resource);
  const parts = wanted.split('/');
  const isId = looksLikeId(resource, wanted);
  if (!isId && (parts.length !== form.split('/').length || parts.some((part) => part === ''))) {
    const detail = `"${wanted}" names no ${spoken(resource)}. Import it by its id or as ${form}.`;
    throw failure('Invalid import id', detail);
  }
  const id = isId ? wanted : await idOfNaturalId(client, resource, wanted);
  const found = id === null ? null : await getById(client, resource, id, attributes);
  if (found) return found;
  const detail = `There is no ${spoken(resource)} "${wanted}", or the API key may not see it. Check the name, or create it instead of importing it.`;
  throw failure(`Cannot import the ${spoken(resource)}`, detail);
}
