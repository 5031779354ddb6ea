import type { LeftAtSourceHost } from '../../contract/revocation.ts';
import type { ApiContext } from '../context.ts';
import { deployKeyTitle } from '../deploy-keys/hosted-deploy-key.ts';
import { keysOfProject } from '../deploy-keys/retired-keys.ts';
import { hookUrl } from '../hook-bindings/hosted-hook.ts';
import { hooksOfProject } from '../hook-bindings/retired-hooks.ts';
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
  const hooks = wanted.hook ? await hooksOfProject(database, project.id) : [];
  const keys = wanted.deployKeys ? await keysOfProject(database, project.id) : [];
  return [
    ...hooks.map(({ id }) => leftHook(context, project, id)),
    ...keys.map(({ fingerprint }) => leftKey(project, fingerprint)),
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
