import type { ApiContext } from '../context.ts';
import type { SourceHost } from '../source-hosts/source-host.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';

/** A hook binding with what is needed to judge a delivery to it. */
export interface HookTarget {
  id: string;
  projectId: string;
  teamId: string;
  repository: string;
  branches: string[];
  host: SourceHost;
}

/** The hook binding of a live project; undefined when there is none. */
export async function findHook(context: ApiContext, id: string): Promise<HookTarget | undefined> {
  const row = await context.database
    .selectFrom('hook_binding')
    .innerJoin('project', 'project.id', 'hook_binding.project_id')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .select(['hook_binding.id', 'hook_binding.branches', 'project.id as project_id', 'project.team_id'])
    .select('project.repository')
    .select(hostColumns)
    .where('hook_binding.id', '=', id)
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
  // The kind of host is a matter of the binding, never of what a request says of itself.
  const host = row && context.sourceHosts.of(row);
  if (!host) return undefined;
  const { project_id: projectId, team_id: teamId, repository, branches } = row;
  return { id: row.id, projectId, teamId, repository, branches, host };
}
