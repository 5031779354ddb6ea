import type { Selectable } from 'kysely';
import { normalAddress } from '../../contract/mail-address.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';
import { queueLink } from '../mail/outbox.ts';
import { secondsAfter } from '../seconds-after.ts';
import type { GithubAccount } from './github/github-account.ts';
import { makeToken } from './one-time-token.ts';
import { maySignIn } from './sign-up.ts';

/** How long a link is good for. */
export const signInSeconds = 15 * 60;
const atOnce = 50;

/**
 * Notes that a browser asks to be signed in; gives the token for its cookie, without which the link opens nothing. All that
 * depends on the address is done later and elsewhere, so that the answer tells nothing of it, its time neither. The link
 * connects `github`, when it is given.
 */
export async function askToSignIn(
  { database, now }: Pick<ApiContext, 'database' | 'now'>,
  email: string,
  github?: GithubAccount,
): Promise<string> {
  const browser = makeToken();
  const at = now();
  await database
    .insertInto('sign_in')
    .values({
      ...{
        id: newId('sin'),
        email: normalAddress(email),
        browser_hash: hashSecret(browser),
        token_hash: null,
        ...(github && { github: { site: github.site, id: github.id, login: github.login } }),
      },
      ...{ created_at: at, expires_at: secondsAfter(at, signInSeconds), answered_at: null },
    })
    .execute();
  return browser;
}

/** Mails a link to each who asked and may sign in; resolves with how many. What is over is forgotten. */
export async function mailSignInLinks(context: ApiContext): Promise<number> {
  await context.database.deleteFrom('sign_in').where('expires_at', '<=', context.now()).execute();
  return await context.database.transaction().execute(async (transaction) => {
    const asked = await transaction
      .selectFrom('sign_in')
      .select(['id', 'email', 'expires_at', 'github'])
      .where('answered_at', 'is', null)
      .orderBy('id')
      .limit(atOnce)
      .forUpdate()
      .skipLocked()
      .execute();
    let mailed = 0;
    for (const row of asked) if (await answer(context, transaction, row)) mailed += 1;
    return mailed;
  });
}

async function answer(
  context: ApiContext,
  transaction: Database,
  {
    id,
    email,
    expires_at,
    github,
  }: Pick<Selectable<Schema['sign_in']>, 'id' | 'email' | 'expires_at' | 'github'>,
): Promise<boolean> {
  const isMailed = await maySignIn({ ...context, database: transaction }, email);
  const token = makeToken();
  const answered = { answered_at: context.now(), ...(isMailed && { token_hash: hashSecret(token) }) };
  await transaction.updateTable('sign_in').set(answered).where('id', '=', id).execute();
  if (!isMailed) return false;
  const host = new URL(context.publicUrl).host;
  await queueLink(context, transaction, {
    recipient: email,
    subject: `Sign in to Ebb at ${host}`,
    body: `Somebody, you we hope, asked to sign in to Ebb at ${host} with this address.${github ? connects(github) : ''}\n\nOpen the link in the browser in which you asked, within a quarter of an hour. It works once. Whoever did not ask can leave it: it opens nothing elsewhere.`,
    link: `${context.publicUrl}/sign-in#token=${token}`,
    expiresAt: expires_at,
  });
  return true;
}

function connects({ site, login }: GithubAccount): string {
  return ` It is the primary address of ${login} at ${site}, who signs in to the same account from then on, without a mail.`;
}
