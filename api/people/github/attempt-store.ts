import { hashSecret } from '../../auth/hash-secret.ts';
import type { ApiContext } from '../../context.ts';
import { newId } from '../../db/new-id.ts';
import { secondsAfter } from '../../seconds-after.ts';
import type { AttemptSecrets } from './github-login.ts';

/** GitHub's codes are good for as long. */
export const attemptSeconds = 10 * 60;

type Context = Pick<ApiContext, 'database' | 'now'>;

/** Notes an attempt by hashes of its secrets; `sessionId` is of who connects an account. What is over is forgotten. */
export async function noteAttempt(
  { database, now }: Context,
  site: string,
  { state, verifier }: AttemptSecrets,
  sessionId: string | null,
): Promise<void> {
  const at = now();
  await database.deleteFrom('github_attempt').where('expires_at', '<=', at).execute();
  await database
    .insertInto('github_attempt')
    .values({
      ...{ id: newId('gha'), site, session_id: sessionId },
      ...{ state_hash: hashSecret(state), browser_hash: hashSecret(verifier) },
      expires_at: secondsAfter(at, attemptSeconds),
    })
    .execute();
}

/**
 * Uses an attempt up, in the browser that began it and while it is good; undefined when there is none. In one statement, so
 * that of two that use it one does.
 */
export async function takeAttempt(
  { database, now }: Context,
  site: string,
  { state, verifier }: AttemptSecrets,
): Promise<{ sessionId: string | null } | undefined> {
  const taken = await database
    .deleteFrom('github_attempt')
    .where('state_hash', '=', hashSecret(state))
    .where('browser_hash', '=', hashSecret(verifier))
    .where('site', '=', site)
    .where('expires_at', '>', now())
    .returning('session_id')
    .executeTakeFirst();
  return taken && { sessionId: taken.session_id };
}
