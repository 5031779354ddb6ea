import type { LeftAtSourceHost } from '../../contract/revocation.ts';
import type { ApiContext } from '../context.ts';
import { deployKeyOfProject } from '../deploy-keys/deploy-key-store.ts';
import { deployKeyTitle } from '../deploy-keys/hosted-deploy-key.ts';
import { retiredKeysOfProject } from '../deploy-keys/retired-keys.ts';
import { hookBindingOfProject } from '../hook-bindings/hook-binding-store.ts';
import { hookUrl } from '../hook-bindings/hosted-hook.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';

export interface Wanted {
  hook: boolean;
  deployKeys: boolean;
}

/** What Ebb put at the source host for a project and may still be there. */
export async function leftAtSourceHost(
  context: ApiContext,
  project: ProjectAtHost,
  wanted: Wanted,
): Promise<LeftAtSourceHost[]> {
  const { database } = context;
  const hook = wanted.hook ? await hookBindingOfProject(database, project.id) : undefined;
  const key = wanted.deployKeys ? await deployKeyOfProject(database, project.id) : undefined;
  const retired = wanted.deployKeys ? await retiredKeysOfProject(database, project.id) : [];
  return [
    ...(hook ? [leftHook(context, project, hook.id)] : []),
    ...[...(key ? [key] : []), ...retired].map(({ fingerprint }) => leftKey(project, fingerprint)),
  ];
}

export function leftHook(
  context: Pick<ApiContext, 'publicUrl'>,
  { repository, pages }: ProjectAtHost,
  id: string,
): LeftAtSourceHost {
  return { what: 'hook', repository, hook_url: hookUrl(context, id), page: pages.hooks };
}

export function leftKey(project: ProjectAtHost, fingerprint: string): LeftAtSourceHost {
  const { repository, pages } = project;
  return {
    ...{ what: 'deploy_key', repository, title: deployKeyTitle(project) },
    ...{ fingerprint, page: pages.deployKeys },
  };
}

/** A sentence for a person; empty when nothing is left. */
export function removeByHand(left: readonly LeftAtSourceHost[]): string {
  if (left.length === 0) return '';
  const things = left.map((thing) => {
    const where = thing.page ?? `repository ${thing.repository} of the source host that is built into Ebb`;
    return thing.what === 'hook'
      ? `the hook to ${thing.hook_url} (${where})`
      : `the deploy key "${thing.title}", ${thing.fingerprint} (${where})`;
  });
  return `What may still be there, and can be removed by hand: ${things.join('; ')}.`;
}
