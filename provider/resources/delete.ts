import { setTimeout as sleep } from 'node:timers/promises';
import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import { hasNoBody } from '../client/send.ts';
import { type Diagnostic, failure } from '../plugin/diagnostic.ts';
import { isGone, itemPath } from './find.ts';
import { spoken } from './words.ts';

const pollMilliseconds = 1000;
const defaultLongestMs = 600_000;

interface Deletion {
  client: Client;
  resource: Resource;
  id: string;
  signal: AbortSignal;
  /** Milliseconds that it may take once it began. */
  longestMs?: number | undefined;
}

/**
 * Deletes a resource and waits until it is gone; one that is gone already counts as deleted. What was revoked is told
 * with its receipt.
 */
export async function deleteResource({
  client,
  resource,
  id,
  signal,
  longestMs = defaultLongestMs,
}: Deletion): Promise<Diagnostic[]> {
  const path = itemPath(resource, id);
  try {
    const until = performance.now() + longestMs;
    while (performance.now() < until) {
      // Asked for again, it answers with the receipt once the revocation is complete.
      const { status, receipt } = await client.request({ method: 'DELETE', path, isAnswer: hasNoBody });
      if (status !== 202) return receipt ? [revoked(resource, id, receipt)] : [];
      await sleep(pollMilliseconds, undefined, { signal });
    }
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
  const detail = `Ebb accepted to delete the ${spoken(resource)} ${id}, but it is still there after ${Math.round(longestMs / 60_000)} minutes. Run terraform destroy again to go on waiting, or raise timeouts.delete.`;
  throw failure(`The ${spoken(resource)} is not gone yet`, detail);
}

function revoked(resource: Resource, id: string, receipt: string): Diagnostic {
  const detail = `Its signed receipt is ${receipt}. \`ebb receipts ${id} | ebb verify -\` reads and checks it.`;
  return { severity: 'warning', summary: `The ${spoken(resource)} ${id} is revoked`, detail };
}
