import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { deployKeyOfProject } from '../deploy-keys/deploy-key-store.ts';
import { hostedDeployKey, settledKeyId } from '../deploy-keys/hosted-deploy-key.ts';
import { retiredKeyAtHost, retiredKeysOfProject } from '../deploy-keys/retired-keys.ts';
import { hookBindingOfProject } from '../hook-bindings/hook-binding-store.ts';
import { hostedHook, settledHookId } from '../hook-bindings/hosted-hook.ts';
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
  { step: 'hook_removed', run: async (at) => await remove(at, await hookAtHost(at)) },
  {
    step: 'deploy_key_removed',
    run: async (at) => {
      for (const { thing } of await retiredKeysAtHost(at)) {
        await again(at, () => removeAndConfirm(thing, at.signal));
      }
      return await remove(at, await keyAtHost(at));
    },
  },
  { step: 'absence_confirmed', run: confirm },
];

/** `none`: the project never had one. `lost`: it had one, and it went with its repository. */
type AtHost = { thing: HostedThing } | 'none' | 'lost';

async function hookAtHost({ context, project, signal, retryMs }: Surroundings): Promise<AtHost> {
  const row = await hookBindingOfProject(context.database, project.id);
  if (!row) return 'none';
  const id = await again({ signal, retryMs }, () => settledHookId(context, project, row, signal));
  return id === undefined ? 'lost' : { thing: hostedHook(project, id) };
}

async function keyAtHost({ context, project, signal, retryMs }: Surroundings): Promise<AtHost> {
  const row = await deployKeyOfProject(context.database, project.id);
  if (!row) return 'none';
  const id = await again({ signal, retryMs }, () => settledKeyId(context.database, project, row, signal));
  return id === undefined ? 'lost' : { thing: hostedDeployKey(project, id) };
}

/** Keys that were rotated out and are not known to be gone. */
async function retiredKeysAtHost(at: Surroundings): Promise<{ thing: HostedThing }[]> {
  const { context, project, signal } = at;
  const hosted: { thing: HostedThing }[] = [];
  for (const row of await retiredKeysOfProject(context.database, project.id)) {
    const thing = await again(at, () => retiredKeyAtHost(project, row, signal));
    if (thing) hosted.push({ thing });
  }
  return hosted;
}

async function remove(at: Surroundings, hosted: AtHost): Promise<string> {
  if (hosted === 'none') return 'None was left.';
  if (hosted === 'lost') return 'Already gone at the source host, with its repository.';
  const removal = await again(at, () => removeAndConfirm(hosted.thing, at.signal));
  return removal === 'removed' ? 'Removed at the source host.' : 'Already gone at the source host.';
}

async function confirm(at: Surroundings): Promise<string> {
  for (const hosted of [await hookAtHost(at), await keyAtHost(at), ...(await retiredKeysAtHost(at))]) {
    if (typeof hosted === 'object') await again(at, () => confirmAbsent(hosted.thing, at.signal));
  }
  return 'Asked again: the source host has neither the hook nor the deploy key.';
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
