import { createTransport, type NodemailerError } from 'nodemailer';
import { verifiedTls } from '../../contract/verified-tls.ts';
import { MailError, type Mailer } from './mailer.ts';
import { parseSmtpUrl } from './smtp-address.ts';

const answerMs = 10_000;

/** Mails by SMTP. Elsewhere than on this machine TLS is needed and the certificate verified, by `ca` (PEM) when given. */
export function createSmtpMailer(options: { url: string; from: string; ca?: string }): Mailer {
  const { host, port, tls, user, password } = parseSmtpUrl(options.url);
  const transport = createTransport({
    ...{ host, port, secure: tls === 'implicit', requireTLS: tls === 'required' },
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
    tls: { ...verifiedTls(options.ca) },
    // A server on this machine is spoken to in the clear unless TLS was asked for.
    ...(tls === 'none' ? { ignoreTLS: true } : {}),
    ...{ connectionTimeout: answerMs, greetingTimeout: answerMs, socketTimeout: answerMs },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  return {
    async send({ messageId, to, subject, text }, signal) {
      try {
        await transport.sendMail({
          messageId: `<${messageId}>`,
          from: { name: 'Ebb', address: options.from },
          // As an object it is one address, whatever is in it.
          to: { name: '', address: to },
          ...{ subject, text, signal },
          // No robot's answer to a robot (RFC 3834).
          headers: { 'auto-submitted': 'auto-generated' },
        });
      } catch (error) {
        throw toMailError(error as NodemailerError);
      }
    },
  };
}

/** A refused recipient is final; whatever the operator may mend or time may heal is tried again. */
function toMailError({ code, responseCode, command }: NodemailerError): MailError {
  const refused = code === 'EENVELOPE' && command === 'RCPT TO' && (responseCode ?? 0) >= 500;
  const where = [code, responseCode, command].filter(Boolean).join(', ');
  return new MailError(
    refused
      ? `The mail server does not take mail for this address (${where}).`
      : `The mail server did not take the mail (${where}). Check EBB_SMTP_URL and EBB_MAIL_FROM.`,
    refused,
  );
}
