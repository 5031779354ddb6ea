import { recordAudit } from '../../audit/record-audit.ts';
import type { ApiContext } from '../../context.ts';
import { transact } from '../../db/transact.ts';
import { conflict, ProblemError } from '../../http/problem-error.ts';
import { queueMails } from '../../mail/outbox.ts';
import { membershipsOf } from '../../teams/member-store.ts';
import { requireLivePerson } from '../require-live-person.ts';
import type { SignedIn } from '../require-person.ts';
import { endOtherSessions } from '../session-store.ts';
import { deleteAccountOf, findAccountOf, insertAccount } from './account-store.ts';
import type { GithubAccount } from './github-account.ts';

type Who = Pick<SignedIn, 'personId' | 'email'>;

/**
 * Lets an account at GitHub open a person's account here, in the caller's transaction. Gives whether it did not yet. Throws 409
 * when the person has another one, or the account is somebody else's.
 */
export async function connectAccount(inside: ApiContext, who: Who, account: GithubAccount): Promise<boolean> {
  const { database } = inside;
  await requireLivePerson(database, who.personId);
  const before = await findAccountOf(database, who.personId);
  if (before?.site === account.site && before.github_id === account.id) return false;
  if (before) throw hasAnother(before.login);
  if (!(await insertAccount(database, who.personId, account, inside.now()))) throw isOfAnother(account);
  await auditEach(inside, who, 'team_member.github_connected', account.login);
  return true;
}

/** The same for who is signed in, and tells the address of it: a session in wrong hands must not become a way in for good. */
export async function connectAndTell(context: ApiContext, who: Who, account: GithubAccount): Promise<void> {
  await transact(context, async (inside) => {
    if (!(await connectAccount(inside, who, account))) return;
    const host = new URL(inside.publicUrl).host;
    const mail = {
      ...{ recipients: [who.email], subject: `GitHub is connected with your account at Ebb, ${host}` },
      body: `Whoever signs in at ${account.site} as ${account.login} signs in to Ebb at ${host} as ${who.email} from now on.\n\nIf that was not you, sign in by e-mail, disconnect GitHub, which ends all other sessions, and look at what was done.`,
    };
    await queueMails(inside.database, mail, inside.now());
  });
}

/**
 * Takes that back; every other session ends, since it may have been begun so. Throws 404 when nothing is connected and 409 when
 * there would be no way in.
 */
export async function disconnectAccount(context: ApiContext, who: SignedIn): Promise<void> {
  if (!context.mailer)
    throw conflict(
      'last_way_in',
      'This Ebb cannot send e-mail at the moment, so without GitHub you could not sign in any more. Nothing was changed.',
    );
  await transact(context, async (inside) => {
    const { database } = inside;
    await requireLivePerson(database, who.personId);
    const login = await deleteAccountOf(database, who.personId);
    if (login === undefined)
      throw new ProblemError(404, 'not_found', 'No account at GitHub is connected with yours.');
    await endOtherSessions(database, who);
    await auditEach(inside, who, 'team_member.github_disconnected', login);
  });
}

/** A way into a member's account is of interest to each of its teams. */
async function auditEach(inside: ApiContext, { personId, email }: Who, action: string, github: string) {
  for (const { id, team_id: teamId } of await membershipsOf(inside.database, personId)) {
    const about = { teamId, action, actor: id, subject: id };
    await recordAudit(inside, { ...about, detail: { email, github } });
  }
}

function hasAnother(login: string): ProblemError {
  const detail = `Your account is connected with ${login} at GitHub. Sign in by e-mail and disconnect that first. Nothing was changed.`;
  return conflict('github_already_connected', detail);
}

function isOfAnother({ login }: GithubAccount): ProblemError {
  const detail = `${login} at GitHub is connected with another account here. Disconnect it there first. Nothing was changed.`;
  return conflict('github_account_taken', detail);
}
