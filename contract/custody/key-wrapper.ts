import type { JsonWebKey } from 'node:crypto';
import { seal } from './seal.ts';
import { thumbprint } from './thumbprint.ts';

/** A key-encryption key as who has no more than this sees it: it wraps projects' private keys and unwraps none. */
export interface KeyWrapper {
  /** Driver and key: `file:` with the key's thumbprint (RFC 7638), `aws-kms:` with its ARN. */
  readonly id: string;
  /** The key as it is stored: the id of what wrapped it, a space, and what only that can unwrap. Throws CustodyError. */
  wrap(privateKey: Uint8Array, projectId: string, signal?: AbortSignal): Promise<string>;
}

/** Wraps to the public half (EC P-256) of a key that lies in a file of the runners. */
export function createFileKeyWrapper(publicKey: JsonWebKey): KeyWrapper {
  const id = `file:${thumbprint(publicKey)}`;
  return {
    id,
    wrap: async (privateKey, projectId) =>
      `${id} ${await seal(privateKey, { publicKey, projectId, purpose: 'project-key' })}`,
  };
}

/** Takes a wrapped key apart. Those of before keys had names have no `id`; a file's key wrapped them. */
export function parseWrappedKey(text: string): { id: string | undefined; payload: string } {
  const [first = '', payload, ...rest] = text.split(' ');
  if (rest.length > 0) return { id: first, payload: '' };
  return payload === undefined ? { id: undefined, payload: first } : { id: first, payload };
}
