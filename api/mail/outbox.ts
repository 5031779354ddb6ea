import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';

/** Puts a mail for each address into the outbox; in a transaction it is sent if what it tells of happened. */
export async function queueMails(
  transaction: Database,
  {
    teamId,
    recipients,
    subject,
    body,
  }: { teamId: string; recipients: string[]; subject: string; body: string },
  now: Date,
): Promise<void> {
  await transaction
    .insertInto('mail')
    .values(
      recipients.map((recipient) => ({
        id: newId('mail', now.getTime()),
        team_id: teamId,
        ...{ recipient, subject, body },
        created_at: now,
        due_at: now,
      })),
    )
    .execute();
}
