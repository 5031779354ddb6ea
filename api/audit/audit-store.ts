import type { Selectable } from 'kysely';
import type { AuditEntry, AuditEvent, SignedAuditHead } from '../../contract/audit.ts';
import { signedHeadOfEntry } from '../../contract/audit-chain.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';

type AuditRow = Selectable<Schema['audit_event']>;

/** The signed head of a team's chain; undefined while the chain is empty. */
export async function currentAuditHead(
  database: Database,
  teamId: string,
): Promise<SignedAuditHead | undefined> {
  const last = await lastEntry(database, teamId);
  return last && signedHeadOfEntry(last);
}

/** The entry at the end of a team's chain. */
export async function lastEntry(database: Database, teamId: string): Promise<AuditEntry | undefined> {
  const row = await entries(database, teamId).orderBy('seq', 'desc').limit(1).executeTakeFirst();
  return row && toAuditEntry(row);
}

/** The next entries of a chain after `after` up to and with `last`, in order. */
export async function entriesAfter(
  database: Database,
  teamId: string,
  { after, last, limit }: { after: number; last: number; limit: number },
): Promise<AuditEntry[]> {
  const rows = await entries(database, teamId)
    .where('seq', '>', after)
    .where('seq', '<=', last)
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map(toAuditEntry);
}

/** A page of events, newest first, one more than its limit. */
export async function listAuditEvents(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  subject: string | undefined,
): Promise<AuditRow[]> {
  return await entries(database, teamId)
    .$if(after !== undefined, (query) =>
      query.where('seq', '<', (of) =>
        of
          .selectFrom('audit_event')
          .select('seq')
          .where('team_id', '=', teamId)
          .where('id', '=', after ?? ''),
      ),
    )
    .$if(subject !== undefined, (query) => query.where('subject', '=', subject ?? ''))
    .orderBy('seq', 'desc')
    .limit(limit + 1)
    .execute();
}

export function toAuditEvent({ id, seq, at, action, actor, subject, detail }: AuditRow): AuditEvent {
  return { id, seq, at: at.toISOString(), action, actor, subject, detail };
}

function toAuditEntry(row: AuditRow): AuditEntry {
  const { team_id: team, previous, hash, key_id: keyid, signature: sig } = row;
  return { ...toAuditEvent(row), team, previous, hash, signature: { keyid, sig } };
}

function entries(database: Database, teamId: string) {
  return database.selectFrom('audit_event').selectAll().where('team_id', '=', teamId);
}
