import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { deployKeyOfProject } from '../deploy-keys/deploy-key-store.ts';
import { hostedDeployKey } from '../deploy-keys/hosted-deploy-key.ts';
import { retiredKeysOfProject } from '../deploy-keys/retired-keys.ts';
import { hookBindingOfProject } from '../hook-bindings/hook-binding-store.ts';
import { hostedHook } from '../hook-bindings/hosted-hook.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { confirmAbsent, type HostedThing, removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';

const tries = 3;

interface Surroundings {
  context: ApiContext;
  project: ProjectAtHost;
  signal: AbortSignal;
  retryMs: number;
}

/** The steps at the source host, in their order. Each answers what it found and may run any number of times. */
export const sourceHostSteps: {
  step: RevocationStep['step'];
  run: (surroundings: Surroundings) => Promise<string>;
}[] = [
  { step: 'hook_removed', run: async (at) => await remove(at, await hooksAtHost(at)) },
  { step: 'deploy_key_removed', run: async (at) => await remove(at, await keysAtHost(at)) },
  { step: 'absence_confirmed', run: confirm },
];

async function hooksAtHost({ context, project }: Surroundings): Promise<HostedThing[]> {
  const row = await hookBindingOfProject(context.database, project.id);
  return row ? [hostedHook(context, project, row)] : [];
}

/** Those that were rotated out and are not known to be gone, then the one in use. */
async function keysAtHost({ context, project }: Surroundings): Promise<HostedThing[]> {
  const retired = await retiredKeysOfProject(context.database, project.id);
  const row = await deployKeyOfProject(context.database, project.id);
  return [...retired, ...(row ? [row] : [])].map((key) => hostedDeployKey(project, key));
}

async function remove(at: Surroundings, hosted: HostedThing[]): Promise<string> {
  let removed = 0;
  for (const thing of hosted) {
    if ((await again(at, () => removeAndConfirm(thing, at.signal))) === 'removed') removed += 1;
  }
  if (hosted.length === 0) return 'None was left.';
  return removed > 0 ? 'Removed at the source host.' : 'Already gone at the source host.';
}

async function confirm(at: Surroundings): Promise<string> {
  let reappeared = 0;
  for (const thing of [...(await hooksAtHost(at)), ...(await keysAtHost(at))]) {
    reappeared += await again(at, () => confirmAbsent(thing, at.signal));
  }
  const found =
    reappeared > 0 ? ` Somebody had added ${reappeared} of them again; that was removed too.` : '';
  return `Asked again: the source host has neither the hook nor the deploy key.${found}`;
}

/** Tries again what a host that does not answer may answer in a moment. */
async function again<T>(
  { signal, retryMs }: Pick<Surroundings, 'signal' | 'retryMs'>,
  call: () => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call();
    } catch (error) {
      const passing =
        error instanceof SourceHostError && ['unreachable', 'timeout', 'rate_limited'].includes(error.code);
      if (!passing || tried === tries) throw error;
      await sleep(retryMs * 2 ** (tried - 1), undefined, { signal });
    }
  }
}
