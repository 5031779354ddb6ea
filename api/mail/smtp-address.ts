import { isLoopback } from '../../contract/transport-security.ts';

/** A mail server and how it is spoken to. */
export interface SmtpAddress {
  host: string;
  port: number;
  /** `implicit`: TLS from the first byte (RFC 8314); `required`: by STARTTLS or not at all; `none`: on this machine. */
  tls: 'implicit' | 'required' | 'none';
  user?: string;
  password?: string;
}

/** Reads `smtps://user:password@host:port` or `smtp://…`; the values in it are percent-encoded. */
export function parseSmtpUrl(text: string): SmtpAddress {
  const { protocol, hostname, port, username, password } = new URL(text);
  const implicit = protocol === 'smtps:';
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (implicit ? 465 : 587),
    tls: implicit ? 'implicit' : isLoopback(hostname) ? 'none' : 'required',
    ...(username ? { user: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  };
}

/** What is wrong with the variable, for people and without its value; empty when nothing is. */
export function smtpUrlProblems(text: string): string[] {
  const form = 'Use smtps://user:password@host:port, or smtp:// for STARTTLS.';
  try {
    const { protocol, hostname, pathname, search, hash } = new URL(text);
    parseSmtpUrl(text);
    if (!['smtp:', 'smtps:'].includes(protocol) || hostname === '') throw new Error();
    // Where others read options from a URL, one of them switches off the check of the certificate.
    if ((pathname !== '' && pathname !== '/') || search !== '' || hash !== '')
      return [`EBB_SMTP_URL has something after the port, which is not read. ${form}`];
    return [];
  } catch {
    return [`EBB_SMTP_URL is no address of a mail server. ${form}`];
  }
}
