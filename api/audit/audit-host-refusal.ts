import type { ApiContext } from '../context.ts';
import type { SourceHostError } from '../source-hosts/errors.ts';

/** Records that a source host does not take a connection's credential any more, or that a repository is gone. */
export async function auditHostRefusal(
  context: ApiContext,
  connectionId: string,
  { code, message }: SourceHostError,
): Promise<void> {
  const row = await context.database
    .selectFrom('connection')
    .select('team_id')
    .where('id', '=', connectionId)
    .executeTakeFirst();
  // A connection that is being made has no row yet; who makes it is told at once.
  if (!row) return;
  await context.auditRefusal({
    teamId: row.team_id,
    action: 'source_host.refused',
    actor: 'source host',
    subject: connectionId,
    detail: { code, reason: message },
  });
}
