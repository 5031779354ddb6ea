import type { AuditEvent } from '../../contract/audit.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';

/** Writes down something that a team should be able to look up later. `detail` holds no secret. */
export async function recordAudit(
  database: Database,
  event: { teamId: string; now: Date } & Pick<AuditEvent, 'action' | 'actor' | 'subject' | 'detail'>,
): Promise<void> {
  const { teamId, now, action, actor, subject, detail } = event;
  await database
    .insertInto('audit_event')
    .values({
      id: newId('aud', now.getTime()),
      team_id: teamId,
      at: now,
      ...{ action, actor, subject },
      detail: json(detail),
    })
    .execute();
}
