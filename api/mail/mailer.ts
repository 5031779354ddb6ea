/** A mail as it leaves: plain text to one address. */
export interface Mail {
  /** Of the mail and all its repetitions, without angle brackets (RFC 5322, section 3.6.4). */
  messageId: string;
  to: string;
  subject: string;
  text: string;
  /** The secret link that is in the text, if there is one. */
  link?: string;
}

/** Where mails go. */
export interface Mailer {
  /** Resolves when the mail was accepted. Throws MailError. */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** A mail was not accepted; `isFinal` when trying again cannot help. Its message holds neither address nor credential. */
export class MailError extends Error {
  override name = 'MailError';
  readonly code = 'mail_failed';
  readonly isFinal: boolean;
  constructor(message: string, isFinal: boolean) {
    super(message);
    this.isFinal = isFinal;
  }
}
