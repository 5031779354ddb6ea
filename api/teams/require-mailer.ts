import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

/** Throws 409 where nobody would get an invitation. */
export function requireMailer({ mailer }: ApiContext): void {
  if (mailer) return;
  const detail =
    'This Ebb cannot send e-mail, so nobody would get the invitation. Whoever operates it must set EBB_SMTP_URL and EBB_MAIL_FROM.';
  throw conflict('mail_not_configured', detail);
}
