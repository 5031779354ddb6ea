import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

/** Throws 409 where no mail can be sent; `consequence` says what that means for who asks, such as `nobody would get the invitation`. */
export function requireMailer({ mailer }: Pick<ApiContext, 'mailer'>, consequence: string): void {
  if (mailer) return;
  const detail = `This Ebb cannot send e-mail, so ${consequence}. Whoever operates it must set EBB_SMTP_URL and EBB_MAIL_FROM.`;
  throw conflict('mail_not_configured', detail);
}
