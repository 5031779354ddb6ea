import { normalAddress } from '../../contract/mail-address.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { queueLink } from '../mail/outbox.ts';
import { membershipsOf } from '../teams/member-store.ts';
import { makeToken } from './one-time-token.ts';
import type { SignedIn } from './require-person.ts';
import { endOtherSessions } from './session-store.ts';

const linkMs = 3_600_000;
/** @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const uniqueViolation = '23505';

/** Mails a link to the old and to the new address; with both the change is made. It takes the place of one before. */
export async function askForAddress(context: ApiContext, person: SignedIn, email: string): Promise<void> {
  const wanted = normalAddress(email);
  const [oldToken, newToken] = [makeToken(), makeToken()];
  const expiresAt = new Date(context.now().getTime() + linkMs);
  await transact(context, async ({ database }) => {
    await database
      .deleteFrom('address_change')
      .where((is) => is.or([is('person_id', '=', person.personId), is('expires_at', '<=', context.now())]))
      .execute();
    await database
      .insertInto('address_change')
      .values({
        ...{ id: newId('adc'), person_id: person.personId, email: wanted, expires_at: expiresAt },
        ...{ old_hash: hashSecret(oldToken), new_hash: hashSecret(newToken) },
      })
      .execute();
    for (const [recipient, token] of [
      [person.email, oldToken],
      [wanted, newToken],
    ] as const)
      await queueLink(context, database, {
        ...{ recipient, expiresAt, subject: `Change of address at Ebb, ${new URL(context.publicUrl).host}` },
        body: `${person.email} is to sign in as ${wanted} from now on. Both addresses must agree within an hour: open the link in a browser in which you are signed in. If you did not ask for it, leave it, and end your sessions.`,
        link: `${context.publicUrl}/email-change#token=${token}`,
      });
  });
}

/**
 * Takes one address's yes; with the second the address is changed and every other session ended. Gives whether it was. Throws 404
 * for a link that is not good for this person, and 409 when the address is somebody's.
 */
export async function confirmAddress(
  context: ApiContext,
  person: SignedIn,
  token: string,
): Promise<{ isChanged: boolean }> {
  const hash = hashSecret(token);
  return await transact(context, async (inside) => {
    const { database, now } = inside;
    const change = await database
      .selectFrom('address_change')
      .selectAll()
      .where('person_id', '=', person.personId)
      .where((is) => is.or([is('old_hash', '=', hash), is('new_hash', '=', hash)]))
      .where('expires_at', '>', now())
      .forUpdate()
      .executeTakeFirst();
    if (!change) throw new ProblemError(404, 'link_not_good', 'The link is for somebody else, or is over.');
    const isOld = Buffer.from(change.old_hash).equals(hash);
    const confirmed = {
      old_confirmed: change.old_confirmed || isOld,
      new_confirmed: change.new_confirmed || !isOld,
    };
    if (confirmed.old_confirmed && confirmed.new_confirmed) {
      await setAddress(inside, person, change.email);
      return { isChanged: true };
    }
    await database.updateTable('address_change').set(confirmed).where('id', '=', change.id).execute();
    return { isChanged: false };
  });
}

async function setAddress(inside: ApiContext, person: SignedIn, email: string) {
  const { database } = inside;
  const { personId, email: old } = person;
  await database
    .updateTable('person')
    .set({ email })
    .where('id', '=', personId)
    .execute()
    .catch((error: { code?: string }) => {
      throw error.code === uniqueViolation ? addressTaken(email) : error;
    });
  await database.deleteFrom('address_change').where('person_id', '=', personId).execute();
  await database.deleteFrom('sign_in').where('email', '=', old).execute();
  await endOtherSessions(database, person);
  for (const { id, team_id: teamId } of await membershipsOf(database, personId)) {
    const about = { teamId, action: 'team_member.address_changed', actor: id, subject: id };
    await recordAudit(inside, { ...about, detail: { email, before: old } });
  }
}

function addressTaken(email: string) {
  return conflict('address_taken', `${email} is the address of another account. Delete that first.`);
}
