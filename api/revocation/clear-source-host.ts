import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { hostedDeployKey } from '../deploy-keys/hosted-deploy-key.ts';
import { keysOfProject } from '../deploy-keys/retired-keys.ts';
import { hostedHook } from '../hook-bindings/hosted-hook.ts';
import { hooksOfProject } from '../hook-bindings/retired-hooks.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import {
  confirmAbsent,
  type HostedThing,
  noRepository,
  removeAndConfirm,
  type SeenRemoval,
} from '../source-hosts/remove-and-confirm.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { leftAtSourceHost, removeByHand } from './left-at-source-host.ts';

const tries = 3;
const lookMs = 15_000;

interface Surroundings {
  context: ApiContext;
  project: ProjectAtHost;
  signal: AbortSignal;
  retryMs: number;
}

/** What a step at the source host found; `unseen` where the host showed no repository to look into. */
interface Found {
  detail: string;
  unseen?: true;
}

interface SourceHostStep {
  step: RevocationStep['step'];
  things: (surroundings: Surroundings) => Promise<HostedThing[]>;
  run: (surroundings: Surroundings, things: HostedThing[]) => Promise<Found>;
}

/** The steps at the source host, in their order. Each answers what it found and may run any number of times. */
export const sourceHostSteps: SourceHostStep[] = [
  { step: 'hook_removed', things: hooksAtHost, run: remove },
  { step: 'deploy_key_removed', things: keysAtHost, run: remove },
  {
    step: 'absence_confirmed',
    things: async (at) => [...(await hooksAtHost(at)), ...(await keysAtHost(at))],
    run: confirm,
  },
];

/** Those that the source host shows; what it does not let Ebb see is not among them. */
export async function stillShown(things: readonly HostedThing[], signal: AbortSignal): Promise<string[]> {
  const shown: string[] = [];
  for (const { what, find } of things) {
    try {
      if (await withDeadline(signal, lookMs, find)) shown.push(what);
    } catch (error) {
      if (!(error instanceof SourceHostError)) throw error;
    }
  }
  return shown;
}

async function hooksAtHost({ context, project }: Surroundings): Promise<HostedThing[]> {
  const hooks = await hooksOfProject(context.database, project.id);
  return hooks.map((hook) => hostedHook(context, project, hook));
}

async function keysAtHost({ context, project }: Surroundings): Promise<HostedThing[]> {
  const keys = await keysOfProject(context.database, project.id);
  return keys.map((key) => hostedDeployKey(project, key));
}

async function remove(at: Surroundings, things: HostedThing[]): Promise<Found> {
  const seen = new Set<SeenRemoval>();
  for (const thing of things) seen.add(await again(at, () => removeAndConfirm(thing, at.signal)));
  if (things.length === 0) return { detail: 'None was left.' };
  if (seen.has('no_repository')) return { detail: `Not seen by Ebb. ${noRepository}`, unseen: true };
  return {
    detail: seen.has('removed') ? 'Removed at the source host.' : 'Already gone at the source host.',
  };
}

async function confirm(at: Surroundings, things: HostedThing[]): Promise<Found> {
  if (things.length === 0) return { detail: 'There was nothing to look for.' };
  let there = 0;
  let unseen = false;
  for (const thing of things) {
    const more = await again(at, () => confirmAbsent(thing, at.signal));
    if (more === 'no_repository') unseen = true;
    else there += more;
  }
  if (unseen) {
    const left = await leftAtSourceHost(at.context, at.project, { hook: true, deployKeys: true });
    return { detail: `${noRepository} ${removeByHand(left)}`, unseen };
  }
  const found = there > 0 ? ` It had ${there} of them, new or added again; that was removed too.` : '';
  return { detail: `Asked again: the source host has neither the hook nor the deploy key.${found}` };
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
