import type { Logger } from 'pino';
import type { Mailer } from './mailer.ts';

/** For development: says in the log that a mail would have gone, to nobody by name, and where its link leads. */
export function createLogMailer(log: Logger): Mailer {
  return {
    async send({ messageId, subject, link }) {
      log.info(
        { mail: messageId, subject, addresses: 1, ...(link && { link }) },
        'a mail would have gone to 1 address',
      );
    },
  };
}
