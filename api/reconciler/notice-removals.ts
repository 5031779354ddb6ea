import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { hookUrl } from '../hook-bindings/hosted-hook.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';

const intervalMs = 300_000;
const callMs = 15_000;
const atOnce = 4;

type Table = 'deploy_key' | 'hook_binding';

interface Due {
  id: string;
  table: Table;
  projectId: string;
  hostedId: string;
  publicKey: string;
  fingerprint: string | null;
  wasRevoked: boolean;
}

/**
 * Looks whether deploy keys and hooks are still at their source hosts, each every five minutes, a few at a time; resolves
 * with how many. What somebody removed there by hand is shown as such and audited once; what is there again, under
 * whichever id, counts again. A host that does not answer, or hides the repository, changes nothing.
 */
export async function noticeRemovals(context: ApiContext, signal: AbortSignal): Promise<number> {
  const due = [...(await claimDue(context, 'deploy_key')), ...(await claimDue(context, 'hook_binding'))];
  await Promise.all(
    due.map((thing) =>
      look(context, thing, signal).catch((error) => {
        if (signal.aborted) return;
        context.log[error instanceof SourceHostError ? 'info' : 'warn'](
          { [thing.table]: thing.id, error: String(error) },
          'a deploy key or hook could not be looked for at its source host',
        );
      }),
    ),
  );
  return due.length;
}

/** The time is set first: a process that dies leaves it to the next round. */
async function claimDue({ database, now }: ApiContext, table: Table): Promise<Due[]> {
  const at = now();
  const before = new Date(at.getTime() - intervalMs);
  const key = table === 'deploy_key';
  const { rows } = await sql<Due>`
    update ${sql.table(table)} thing set looked_at = ${at}
    where id in (
      select due.id from ${sql.table(table)} due
      join project on project.id = due.project_id and project.revoking_at is null
      where due.source_host_id is not null
        and due.remove_again_at is null
        and coalesce(due.looked_at, due.created_at) < ${before}
      order by coalesce(due.looked_at, due.created_at)
      limit ${atOnce}
      for no key update of due skip locked
    )
    returning id, project_id as "projectId", source_host_id as "hostedId",
      ${key ? sql.ref('public_key') : sql.lit('')} as "publicKey",
      ${key ? sql.ref('fingerprint') : sql.lit(null)} as "fingerprint",
      revoked_at_source_host_at is not null as "wasRevoked"
  `.execute(database);
  return rows.map((row) => ({ ...row, table }));
}

async function look(context: ApiContext, thing: Due, signal: AbortSignal): Promise<void> {
  const project = await projectAtHost(context, { projectId: thing.projectId });
  const found = await withDeadline(signal, callMs, (inTime) =>
    thing.table === 'deploy_key'
      ? project.host.lookUpDeployKey(project.repository, thing.publicKey, inTime)
      : project.host.lookUpHook(project.repository, hookUrl(context, thing.id), inTime),
  );
  const isGone = found === undefined;
  if (isGone === thing.wasRevoked && (isGone || found.id === thing.hostedId)) return;
  await note(context, project, thing, found?.id);
}

/** In one transaction: how it stands, and the audit when that is news. */
async function note(
  context: ApiContext,
  project: ProjectAtHost,
  { table, id, fingerprint, wasRevoked }: Due,
  hostedId: string | undefined,
): Promise<void> {
  const { database, now } = context;
  const isGone = hostedId === undefined;
  await database.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable(table)
      .set(
        isGone
          ? { revoked_at_source_host_at: now() }
          : { revoked_at_source_host_at: null, source_host_id: hostedId },
      )
      .where('id', '=', id)
      .where('remove_again_at', 'is', null)
      .where('revoked_at_source_host_at', wasRevoked ? 'is not' : 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n || isGone === wasRevoked) return;
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: project.teamId, actor: 'ebb', subject: id },
        action: `${table}.${isGone ? 'revoked_at_source_host' : 'restored_at_source_host'}`,
        detail: {
          project: project.id,
          repository: project.repository,
          ...(fingerprint ? { fingerprint } : {}),
        },
      },
    );
  });
}
