import { setTimeout as sleep } from 'node:timers/promises';
import type { Resource } from '../../contract/resource.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { type Diagnostic, failure } from '../plugin/diagnostic.ts';
import { itemPath } from './find.ts';
import { spoken } from './words.ts';

const pollMilliseconds = 1000;
const polls = 600;

/**
 * Deletes a resource and waits until it is gone; one that is gone already counts as deleted. What was revoked is told
 * with its receipt.
 */
export async function deleteResource(
  client: Client,
  resource: Resource,
  id: string,
  signal: AbortSignal,
): Promise<Diagnostic[]> {
  const path = itemPath(resource, id);
  try {
    for (let poll = 0; poll < polls; poll += 1) {
      // Asked for again, it answers with the receipt once the revocation is complete.
      const { status, receipt } = await client.request({ method: 'DELETE', path });
      if (status !== 202) return receipt ? [revoked(resource, id, receipt)] : [];
      await sleep(pollMilliseconds, undefined, { signal });
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
  const detail = `Ebb accepted to delete the ${spoken(resource)} ${id}, but it is still there after ten minutes. Run terraform destroy again to go on waiting.`;
  throw failure(`The ${spoken(resource)} is not gone yet`, detail);
}

function revoked(resource: Resource, id: string, receipt: string): Diagnostic {
  const detail = `Its signed receipt is ${receipt}. \`ebb receipts ${id} | ebb verify -\` reads and checks it.`;
  return { severity: 'warning', summary: `The ${spoken(resource)} ${id} is revoked`, detail };
}
