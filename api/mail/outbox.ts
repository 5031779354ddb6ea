import type { ApiContext } from '../context.ts';
import { openBytes, sealBytes } from '../custody/aes-gcm.ts';
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
  }: { teamId?: string; recipients: string[]; subject: string; body: string },
  now: Date,
): Promise<void> {
  await transaction
    .insertInto('mail')
    .values(
      recipients.map((recipient) => ({
        id: newId('mail', now.getTime()),
        team_id: teamId ?? null,
        ...{ recipient, subject, body },
        created_at: now,
        due_at: now,
      })),
    )
    .execute();
}

/**
 * Puts a mail with a secret link into the outbox, which is sealed there until it is sent. After `expiresAt` it is not sent
 * any more.
 */
export async function queueLink(
  { custody, now }: Pick<ApiContext, 'custody' | 'now'>,
  transaction: Database,
  {
    link,
    expiresAt,
    teamId,
    ...mail
  }: { recipient: string; subject: string; body: string; link: string; expiresAt: Date; teamId?: string },
): Promise<void> {
  const at = now();
  const id = newId('mail', at.getTime());
  const key = custody.mailKey(id);
  const sealed = sealBytes(key, Buffer.from(link), id);
  key.fill(0);
  await transaction
    .insertInto('mail')
    .values({
      ...{ id, team_id: teamId ?? null, ...mail, sealed_link: sealed },
      ...{ created_at: at, due_at: at, expires_at: expiresAt },
    })
    .execute();
}

/** The link of a mail that is not sent yet. */
export function openLink({ custody }: Pick<ApiContext, 'custody'>, id: string, sealed: Uint8Array): string {
  const key = custody.mailKey(id);
  try {
    return openBytes(key, sealed, id).toString();
  } finally {
    key.fill(0);
  }
}
