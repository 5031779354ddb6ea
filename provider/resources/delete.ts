import { setTimeout as sleep } from 'node:timers/promises';
import type { Resource } from '../../contract/resource.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { failure } from '../plugin/diagnostic.ts';
import { itemPath } from './find.ts';
import { spoken } from './words.ts';

const pollMilliseconds = 1000;
const polls = 600;

/** Deletes a resource and waits until it is gone; one that is gone already counts as deleted. */
export async function deleteResource(
  client: Client,
  resource: Resource,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const path = itemPath(resource, id);
  try {
    const { status } = await client.request({ method: 'DELETE', path });
    if (status !== 202) return;
    for (let poll = 0; poll < polls; poll += 1) {
      await client.request({ method: 'GET', path });
      await sleep(pollMilliseconds, undefined, { signal });
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return;
    throw error;
  }
  const detail = `Ebb accepted to delete the ${spoken(resource)} ${id}, but it is still there after ten minutes. Run terraform destroy again to go on waiting.`;
  throw failure(`The ${spoken(resource)} is not gone yet`, detail);
}
