import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import { type Purpose, seal } from '../../contract/custody/seal.ts';
import type { KeyRotationResult, KeyRotationTask, WaitingKeyRotations } from '../../contract/key-rotation.ts';
import { ControlPlaneError } from '../build/control-plane.ts';
import { afterFailureMs, type KeyWorkContext } from './key-work-context.ts';
import { openVault, type ProjectVault } from './open.ts';
import { OpenedSecret } from './opened-secret.ts';

const maxTries = 5;

/** A value that opens for no runner, in a sentence that shows nothing of it. */
class BrokenValue extends Error {}

/**
 * Does the rotations that wait; gives how many it did. Where the API wraps with another key than this runner none is
 * done: other runners may not have that key yet. What cannot be unwrapped or wrapped here is logged and left for a runner
 * that can.
 *
 * @param notBefore when to try again, by the rotation's id; what cannot be done here is added
 */
export async function rotateProjectKeys(
  context: KeyWorkContext,
  signal: AbortSignal,
  notBefore: Map<string, number> = new Map(),
): Promise<number> {
  const { controlPlane, keyring, log } = context;
  let done = 0;
  let cursor: string | null = null;
  do {
    const page: WaitingKeyRotations = await controlPlane.request<WaitingKeyRotations>(
      'GET',
      `/v1/key-rotations${cursor ? `?cursor=${cursor}` : ''}`,
      undefined,
      signal,
    );
    if (page.items.length > 0 && page.wrapping_key !== keyring.current.id) {
      const keys = { api: page.wrapping_key, runner: keyring.current.id };
      log.warn(keys, 'rotations wait, but API and runner have different current keys');
      return done;
    }
    for (const { id, project_id: project } of page.items) {
      if (Date.now() < (notBefore.get(id) ?? 0)) continue;
      try {
        if (await rotateProjectKey(context, id, signal)) done += 1;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CustodyError && error.code !== 'unavailable')
          notBefore.set(id, Date.now() + afterFailureMs);
        log.warn({ project, error: String(error) }, 'the key of a project could not be rotated yet');
      }
    }
    cursor = page.next_cursor;
  } while (cursor !== null && !signal.aborted);
  return done;
}

/**
 * Gives a project a new key pair: opens everything that is sealed to it, seals it to a pair made here, and has all of it
 * take the place of the old at once. When something was changed meanwhile it starts over, and nothing is lost.
 *
 * The pair is made here and not by the API: a runner that sealed to a key it is told would open every secret for whoever
 * tells it.
 */
async function rotateProjectKey(context: KeyWorkContext, id: string, signal: AbortSignal): Promise<boolean> {
  const { controlPlane } = context;
  for (let tries = 1; ; tries++) {
    try {
      const task = await controlPlane.request<KeyRotationTask>(
        'GET',
        `/v1/key-rotations/${id}/task`,
        undefined,
        signal,
      );
      const result = await sealAnew(context, task, signal);
      await controlPlane.request('POST', `/v1/key-rotations/${id}/result`, result, signal);
      return true;
    } catch (error) {
      if (error instanceof ControlPlaneError && error.code === 'not_waiting') return false;
      if (error instanceof ControlPlaneError && error.code === 'changed_meanwhile' && tries < maxTries)
        continue;
      if (!(error instanceof BrokenValue)) throw error;
      const failure = { reason: `${error.message} Declare that value anew and rotate again.` };
      await controlPlane.request('POST', `/v1/key-rotations/${id}/failure`, failure, signal);
      return false;
    }
  }
}

async function sealAnew(
  { keyring }: KeyWorkContext,
  task: KeyRotationTask,
  signal: AbortSignal,
): Promise<KeyRotationResult> {
  const { project_id: projectId, wrapped_private_key: from, deploy_key: deployKey } = task;
  const vault = await openVault({ keyring, wrappedPrivateKey: from, projectId, signal });
  const pair = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const privateKey = new OpenedSecret(pair.privateKey.export({ format: 'der', type: 'pkcs8' }));
  try {
    const public_key = pair.publicKey.export({ format: 'jwk' }) as KeyRotationResult['public_key'];
    const reseal = (value: string, purpose: Exclude<Purpose, 'project-key'>) =>
      resealTo(vault, value, { publicKey: public_key, projectId, purpose });
    const secrets: KeyRotationResult['secrets'] = [];
    for (const { id, version, name, value } of task.secrets)
      secrets.push({ id, version, value: await reseal(value, `secret:${name}`) });
    return {
      ...{ from, public_key, secrets },
      deploy_key: deployKey && {
        ...deployKey,
        private_key: await reseal(deployKey.private_key, 'deploy-key'),
      },
      wrapped_private_key: await privateKey.use((bytes) => keyring.current.wrap(bytes, projectId, signal)),
    };
  } finally {
    privateKey.wipe();
  }
}

async function resealTo(
  vault: ProjectVault,
  value: string,
  to: Parameters<typeof seal>[1] & { purpose: Exclude<Purpose, 'project-key'> },
): Promise<string> {
  const opened = await vault.open(value, to.purpose).catch((error: Error) => {
    throw new BrokenValue(error.message);
  });
  try {
    return await opened.use((bytes) => seal(bytes, to));
  } finally {
    opened.wipe();
  }
}
