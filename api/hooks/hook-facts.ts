import type { ApiContext } from '../context.ts';
import type { HostKind } from '../source-hosts/source-hosts.ts';

/** What a request to a hook is judged by. None of it changes while the hook lives, so it is read once. */
export interface HookFacts {
  id: string;
  teamId: string;
  repository: string;
  repositoryId: string | undefined;
  kind: HostKind;
}

const maxKept = 10_000;

/**
 * Finds hooks, each in the database once. That a hook is gone is not seen here but when a delivery is stored, which a
 * revocation prevents at once.
 */
export function createHookFacts(context: ApiContext): (id: string) => Promise<HookFacts | undefined> {
  const kept = new Map<string, HookFacts>();
  return async (id) => {
    const known = kept.get(id);
    if (known) return known;
    const facts = await read(context, id);
    if (!facts) return undefined;
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value ?? '');
    kept.set(id, facts);
    return facts;
  };
}

async function read(context: ApiContext, id: string): Promise<HookFacts | undefined> {
  const row = await context.database
    .selectFrom('hook_binding')
    .innerJoin('project', 'project.id', 'hook_binding.project_id')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .select(['hook_binding.id', 'hook_binding.repository_id', 'project.team_id', 'project.repository'])
    .select('connection.kind')
    .where('hook_binding.id', '=', id)
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
  // The kind of host is a matter of the binding, never of what a request says of itself.
  const kind = row && context.sourceHosts.kind(row.kind);
  if (!kind) return undefined;
  const { team_id: teamId, repository, repository_id } = row;
  return { id, teamId, repository, repositoryId: repository_id ?? undefined, kind };
}
