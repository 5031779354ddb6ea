import type { ApiContext } from '../../context.ts';
import { transact } from '../../db/transact.ts';
import { requireLivePerson } from '../require-live-person.ts';
import type { SignedIn } from '../require-person.ts';
import { replaceSession } from '../session-store.ts';
import { findPersonOf, noteLogin } from './account-store.ts';
import { takeAttempt } from './attempt-store.ts';
import { connectAndTell } from './connect-account.ts';
import type { GithubUser } from './github-account.ts';
import type { GithubLogin } from './github-login.ts';
import { loginNotGood } from './login-problem.ts';

/** What came of it: the account here is open, is now connected, or must still be shown to be the person's, by mail. */
export type ComeBack =
  | { said: 'signed_in'; session: string }
  | { said: 'connected' }
  | { said: 'to_be_mailed'; user: GithubUser };

/**
 * Deals with a browser that comes back from GitHub. `verifier` is its cookie, `who` is signed in there, `earlier` is its session's
 * token. Throws ProblemError; an attempt of another browser, of another session, or one that was used changes nothing.
 */
export async function comeBack(
  context: ApiContext & { github: GithubLogin },
  {
    parameters,
    verifier,
    who,
    earlier,
  }: {
    parameters: URLSearchParams;
    verifier: string | undefined;
    who: SignedIn | undefined;
    earlier: string | undefined;
  },
): Promise<ComeBack> {
  const { github, log } = context;
  const state = parameters.get('state');
  if (state === null || verifier === undefined) throw loginNotGood();
  const attempt = await takeAttempt(context, github.site, { state, verifier });
  if (!attempt) throw loginNotGood();
  const connecting = attempt.sessionId !== null;
  if (connecting && who?.sessionId !== attempt.sessionId) throw loginNotGood();
  const user = await github.identify({
    ...{ parameters, state, verifier, redirectUri: redirectUri(context), stopping: context.stopping },
    onTokenLeft: (problem) => log.warn({ problem }, 'a token of GitHub could not be ended there'),
  });
  if (connecting && who) {
    await connectAndTell(context, who, user);
    return { said: 'connected' };
  }
  const session = await openSession(context, user, earlier);
  return session === undefined ? { said: 'to_be_mailed', user } : { said: 'signed_in', session };
}

/** Where GitHub sends browsers back to, as the app there must have it. */
export function redirectUri({ publicUrl }: Pick<ApiContext, 'publicUrl'>): string {
  return `${publicUrl}/v1/sign-in/github/callback`;
}

/** A session of whose account GitHub's opens; undefined when it is nobody's. */
async function openSession(
  context: ApiContext,
  user: GithubUser,
  earlier: string | undefined,
): Promise<string | undefined> {
  return await transact(context, async (inside) => {
    const personId = await findPersonOf(inside.database, user);
    if (personId === undefined) return undefined;
    // The person before the account at GitHub, as who disconnects it locks them.
    await requireLivePerson(inside.database, personId);
    if (!(await noteLogin(inside.database, personId, user))) return undefined;
    return await replaceSession(inside, personId, earlier);
  });
}
