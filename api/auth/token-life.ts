import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { secondsAfter } from '../seconds-after.ts';
import { OAuthError } from './oauth-error.ts';

/** How long a token is good for, or, if it is one to be renewed, until it must be. */
export const lifetimeSeconds = 15 * 60;
/** A token that is renewed again and again ends after a day all the same. */
export const longestLifetimeSeconds = 24 * 60 * 60;

type Context = Pick<ApiContext, 'database' | 'now'>;

/** Lets a token that is renewed be good for its first fifteen minutes. */
export async function beginRenewable({ database, now }: Context, id: string): Promise<void> {
  const end = {
    ends_at: secondsAfter(now(), lifetimeSeconds),
    forget_at: secondsAfter(now(), longestLifetimeSeconds),
  };
  await database
    .insertInto('token_end')
    .values({ id, ...end })
    .execute();
}

/**
 * Gives a token fifteen minutes from now, at most until it expires; resolves to the seconds that it has.
 *
 * @param counted is told of the key of a token that is good to be renewed; may reject
 */
export async function renewToken(
  context: ApiContext,
  token: string,
  counted: (keyId: string) => Promise<void>,
): Promise<number> {
  const claims = await context.tokens.verify(token);
  if (!claims?.renewed)
    throw new OAuthError('invalid_request', 'This is no token that can be renewed, or it has expired.');
  const now = context.now();
  if (!(await isAlive(context, claims.jti))) throw over();
  // Not before: whoever found a token that has ended must not use up what its key may ask.
  await counted(claims.sub);
  const endsAt = new Date(Math.min(secondsAfter(now, lifetimeSeconds).getTime(), claims.exp * 1000));
  const renewed = await context.database
    .updateTable('token_end')
    .set({ ends_at: endsAt })
    .where('id', '=', claims.jti)
    .where('ends_at', '>', now)
    .executeTakeFirst();
  if (renewed.numUpdatedRows === 0n) throw over();
  return Math.floor((endsAt.getTime() - now.getTime()) / 1000);
}

async function isAlive({ database, now }: Context, id: string): Promise<boolean> {
  const alive = await database
    .selectFrom('token_end')
    .select('id')
    .where('id', '=', id)
    .where('ends_at', '>', now())
    .executeTakeFirst();
  return alive !== undefined;
}

function over(): OAuthError {
  return new OAuthError('invalid_request', 'The token was revoked, or not renewed in time.');
}

/**
 * Ends an access token at once, on every API process. Idempotent; what is no token of ours, or has expired, is left
 * alone.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7009#section-2.2
 */
export async function revokeToken(context: ApiContext, token: string): Promise<void> {
  const claims = await context.tokens.verify(token);
  if (!claims) return;
  const { jti: id, exp, sub: keyId, team: teamId } = claims;
  const now = context.now();
  await context.database.transaction().execute(async (database) => {
    await database.deleteFrom('token_end').where('forget_at', '<', now).execute();
    const ended = await database
      .insertInto('token_end')
      .values({ id, ends_at: now, forget_at: new Date(exp * 1000) })
      .onConflict((on) => on.column('id').doUpdateSet({ ends_at: now }).where('token_end.ends_at', '>', now))
      .executeTakeFirst();
    if (ended.numInsertedOrUpdatedRows !== 1n) return;
    await recordAudit(
      { ...context, database },
      { teamId, action: 'token.revoked', actor: keyId, subject: keyId, detail: { token: id } },
    );
  });
}
