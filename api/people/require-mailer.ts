import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

/** 409 where nobody can be mailed a link. */
export function requireMailer({ mailer }: Pick<ApiContext, 'mailer'>): void {
  if (mailer) return;
  throw conflict(
    'mail_not_configured',
    'This Ebb cannot send e-mail, so nobody signs in by it. Whoever operates it must set EBB_SMTP_URL and EBB_MAIL_FROM.',
  );
}
