import type { JsonWebKey } from 'node:crypto';
import type { HookEvent } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import type { SourceHost } from './source-host.ts';
import { hostColumns } from './source-hosts.ts';

/** A project together with the source host that holds its repository. */
export interface ProjectAtHost {
  id: string;
  name: string;
  teamId: string;
  teamName: string;
  repository: string;
  publicKey: JsonWebKey;
  revokingAt: Date | null;
  connectionId: string;
  /** Events that hooks of this host can be bound to. */
  events: readonly HookEvent[];
  /** Pages of the source host where a person looks after keys and hooks; null where there are none. */
  pages: { deployKeys: string | null; hooks: string | null };
  host: SourceHost;
}

/** Finds a project in any state but revoked. Throws a 404 problem; `teamId` keeps other teams out. */
export async function projectAtHost(
  context: ApiContext,
  { projectId, teamId }: { projectId: string; teamId?: string },
): Promise<ProjectAtHost> {
  const row = await context.database
    .selectFrom('project')
    .innerJoin('team', 'team.id', 'project.team_id')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .select(['project.id', 'project.name', 'project.team_id', 'project.repository', 'project.repository_id'])
    .select(['project.public_key', 'project.revoking_at', 'team.name as team_name'])
    .select(hostColumns)
    .where('project.id', '=', projectId)
    .where('project.revoked_at', 'is', null)
    .$if(teamId !== undefined, (query) => query.where('project.team_id', '=', teamId ?? ''))
    .executeTakeFirst();
  if (!row) throw notFound('project', projectId);
  const host = context.sourceHosts.of(row);
  const kind = context.sourceHosts.kind(row.kind);
  if (!host || !kind)
    throw new Error(`This server has no source host of kind ${row.kind}; add it to its configuration.`);
  return {
    id: row.id,
    name: row.name,
    teamId: row.team_id,
    teamName: row.team_name,
    repository: row.repository,
    publicKey: row.public_key,
    revokingAt: row.revoking_at,
    connectionId: row.connection_id,
    events: kind.events,
    pages: {
      deployKeys: kind.settingsPage(row.url ?? undefined, row.repository, 'deploy_keys'),
      hooks: kind.settingsPage(row.url ?? undefined, row.repository, 'hooks'),
    },
    host,
  };
}
