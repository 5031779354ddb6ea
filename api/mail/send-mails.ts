import type { Selectable } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import type { Schema } from '../db/schema.ts';
import { type Mail, MailError } from './mailer.ts';
import { openLink } from './outbox.ts';

const atOnce = 10;
const sendMs = 20_000;
// Longer than one round may take, so that no two processes send the same mail at once.
const claimMs = (atOnce + 1) * sendMs;
const firstPauseMs = 10_000;
const longestPauseMs = 3_600_000;
/** Within these, a mail is tried for about eight hours. */
const maxAttempts = 16;
const keptMs = 30 * 24 * 3_600_000;

type MailRow = Selectable<Schema['mail']>;

/**
 * Sends the mails of the outbox that are due. A mail is tried again, ever later, until it is accepted, refused for good or given
 * up, which the team's audit says. One that was accepted just before a crash is sent again under the same Message-ID. Resolves
 * with how many were accepted.
 */
export async function sendMails(context: ApiContext, signal: AbortSignal): Promise<number> {
  const due = await claimDue(context);
  let sent = 0;
  for (const mail of due) {
    signal.throwIfAborted();
    if (await send(context, mail, signal)) sent += 1;
  }
  return sent;
}

async function claimDue({ database, now }: ApiContext): Promise<MailRow[]> {
  const at = now();
  return await database
    .updateTable('mail')
    .set((is) => ({ due_at: new Date(at.getTime() + claimMs), attempts: is('attempts', '+', 1) }))
    .where('id', 'in', (query) =>
      query
        .selectFrom('mail')
        .select('id')
        .where('sent_at', 'is', null)
        .where('given_up_at', 'is', null)
        .where('due_at', '<=', at)
        .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', at)]))
        .orderBy('due_at')
        .limit(atOnce)
        .forUpdate()
        .skipLocked(),
    )
    .returningAll()
    .execute();
}

async function send(context: ApiContext, row: MailRow, signal: AbortSignal): Promise<boolean> {
  const { id, recipient: to, subject } = row;
  const messageId = `${id}@${new URL(context.publicUrl).hostname}`;
  try {
    if (!context.mailer) throw new MailError('No mail server is configured (EBB_SMTP_URL).', false);
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(sendMs)]);
    await context.mailer.send({ messageId, to, subject, ...contentOf(context, row) }, inTime);
  } catch (error) {
    signal.throwIfAborted();
    await putOff(context, row, error);
    return false;
  }
  const sent = { sent_at: context.now(), sealed_link: null };
  await context.database.updateTable('mail').set(sent).where('id', '=', id).execute();
  return true;
}

function contentOf(context: ApiContext, { id, body, sealed_link }: MailRow): Pick<Mail, 'text' | 'link'> {
  if (!sealed_link) return { text: body };
  const link = openLink(context, id, sealed_link);
  return { text: `${body}\n\n${link}\n`, link };
}

async function putOff(context: ApiContext, row: MailRow, error: unknown): Promise<void> {
  const { id, attempts, team_id: teamId } = row;
  const reason = error instanceof MailError ? error.message : 'The mail server did not answer in time.';
  const now = context.now();
  const isFinal = (error instanceof MailError && error.isFinal) || attempts >= maxAttempts;
  context.log.warn({ mail: id, attempts, reason, isFinal }, 'a mail was not accepted');
  if (!isFinal) {
    const pauseMs = Math.min(firstPauseMs * 2 ** (attempts - 1), longestPauseMs);
    const due_at = new Date(now.getTime() + pauseMs);
    await context.database.updateTable('mail').set({ due_at }).where('id', '=', id).execute();
    return;
  }
  await context.database.transaction().execute(async (transaction) => {
    const given_up = { given_up_at: now, sealed_link: null };
    await transaction.updateTable('mail').set(given_up).where('id', '=', id).execute();
    // What nobody's team sent, such as a link to sign in, is in nobody's trail.
    if (teamId === null) return;
    const about = { teamId, action: 'mail.given_up', actor: 'ebb', subject: id };
    const detail = { to: row.recipient, about: row.subject, attempts, reason };
    await recordAudit({ ...context, database: transaction }, { ...about, detail });
  });
}

/** Deletes mails that were sent or given up, or of no more use, a month ago; the audit keeps what they told. Links go at once. */
export async function forgetMails({ database, now }: ApiContext): Promise<void> {
  const before = new Date(now().getTime() - keptMs);
  await database
    .deleteFrom('mail')
    .where(({ or, eb }) =>
      or([eb('sent_at', '<', before), eb('given_up_at', '<', before), eb('expires_at', '<', before)]),
    )
    .execute();
  await database
    .updateTable('mail')
    .set({ sealed_link: null })
    .where('expires_at', '<', now())
    .where('sealed_link', 'is not', null)
    .execute();
}
