import { Value } from 'typebox/value';
import { MailAddress, normalAddress } from '../../../contract/mail-address.ts';
import { idOf, listOf, objectOf, textOf } from '../../source-hosts/rest/fields.ts';
import type { GithubUser } from './github-account.ts';
import type { GithubAt } from './github-at.ts';
import { apiProblem } from './login-problem.ts';

/**
 * Who a token is of. Throws ProblemError.
 *
 * @see https://docs.github.com/en/rest/users/users#get-the-authenticated-user
 * @see https://docs.github.com/en/rest/users/emails#list-email-addresses-for-the-authenticated-user
 */
export async function readUser({ site, client, signal }: GithubAt, token: string): Promise<GithubUser> {
  const authorize = async () => ({ authorization: `Bearer ${token}` });
  const get = (path: string) => client({ method: 'GET', path, authorize, signal });
  try {
    const [user, addresses] = await Promise.all([get('/user'), get('/user/emails?per_page=100')]);
    const about = objectOf(user);
    return {
      ...{ site, id: idOf(about), login: textOf(about, 'login') },
      email: primaryOf(listOf(addresses)),
    };
  } catch (error) {
    throw apiProblem(error);
  }
}

/** The one address that GitHub calls both primary and verified, when mail can be sent to it. */
function primaryOf(addresses: Record<string, unknown>[]): string | undefined {
  const { email } = addresses.find(({ primary, verified }) => primary === true && verified === true) ?? {};
  return Value.Check(MailAddress, email) ? normalAddress(email) : undefined;
}
