import type { WrappedKeyChange, WrappedKeys } from '../../contract/key-encryption.ts';
import { ControlPlaneError } from '../build/control-plane.ts';
import type { KeyWorkContext } from './key-work-context.ts';

/** How many keys were wrapped anew, and how many could not be here. */
export interface Rewrapped {
  done: number;
  failed: number;
}

/**
 * Wraps to the current key what another one wrapped, page by page. The target is this
 * runner's own configuration: where the API wraps with another key nothing is done. Each key is put back in the place of
 * just the text that it was unwrapped from, so that several runners may do it at once and one may die at any line.
 * What cannot be unwrapped is logged and left for a runner that can.
 */
export async function rewrapKeys(context: KeyWorkContext, signal: AbortSignal): Promise<Rewrapped> {
  const { controlPlane, keyring, log } = context;
  const result: Rewrapped = { done: 0, failed: 0 };
  let cursor: string | null = null;
  do {
    const page: WrappedKeys = await controlPlane.request<WrappedKeys>(
      'GET',
      `/v1/wrapped-keys${cursor ? `?cursor=${cursor}` : ''}`,
      undefined,
      signal,
    );
    if (page.items.length > 0 && page.wrapping_key !== keyring.current.id) {
      const keys = { api: page.wrapping_key, runner: keyring.current.id };
      log.warn(keys, 'keys wait to be wrapped anew, but API and runner have different current keys');
      return { ...result, failed: page.items.length };
    }
    for (const item of page.items) result[await rewrapKey(context, item, signal)] += 1;
    cursor = page.next_cursor;
  } while (cursor !== null && !signal.aborted);
  return result;
}

async function rewrapKey(
  { controlPlane, keyring, log }: KeyWorkContext,
  { project_id: project, wrapped_private_key: from }: WrappedKeys['items'][number],
  signal: AbortSignal,
): Promise<'done' | 'failed'> {
  try {
    const opened = await keyring.unwrap(from, project, signal);
    let to: string;
    try {
      to = await opened.use((bytes) => keyring.current.wrap(bytes, project, signal));
    } finally {
      opened.wipe();
    }
    const change: WrappedKeyChange = { from, to };
    await controlPlane.request('PUT', `/v1/wrapped-keys/${project}`, change, signal);
    return 'done';
  } catch (error) {
    signal.throwIfAborted();
    // Somebody else was faster, or the project is being revoked.
    if (error instanceof ControlPlaneError && error.code === 'changed_meanwhile') return 'done';
    log.warn({ project, error: String(error) }, 'the key of a project could not be wrapped anew');
    return 'failed';
  }
}
