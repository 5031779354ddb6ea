import type { AuditEvent } from '../../contract/audit.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';

/** Something that a team should be able to look up later. `detail` holds no secret. */
export type Audited = { teamId: string } & Pick<AuditEvent, 'action' | 'actor' | 'subject' | 'detail'>;

/** Writes an event down; in a transaction, with the transaction as `database`, it stands or falls with it. */
export async function recordAudit(
  { database, now }: Pick<ApiContext, 'database' | 'now' | 'signer'>,
  { teamId, action, actor, subject, detail }: Audited,
): Promise<void> {
  const at = now();
  await database
    .insertInto('audit_event')
    .values({
      id: newId('aud', at.getTime()),
      team_id: teamId,
      at,
      ...{ action, actor, subject },
      detail: json(detail),
    })
    .execute();
}
