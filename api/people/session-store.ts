import type { Selectable } from 'kysely';
import type { Session } from '../../contract/person.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';
import { makeToken } from './one-time-token.ts';

type Context = Pick<ApiContext, 'database' | 'now'>;
export type SessionRow = Selectable<Schema['session']>;

const hourMs = 3_600_000;
const idleMs = 12 * hourMs;
const longestMs = 30 * 24 * hourMs;
/** As long as a cookie may be shown; the store judges. */
export const sessionCookieSeconds = longestMs / 1000;

/** When a session ends if it is not used any more. */
export function endOfSession({ created_at, seen_at }: Pick<SessionRow, 'created_at' | 'seen_at'>): Date {
  return new Date(Math.min(seen_at.getTime() + idleMs, created_at.getTime() + longestMs));
}

/** A new session; its token is given here and its hash kept. */
async function beginSession({ database, now }: Context, personId: string): Promise<string> {
  const at = now();
  const token = makeToken();
  const row = { id: newId('ses'), person_id: personId, token_hash: hashSecret(token) };
  await database
    .insertInto('session')
    .values({ ...row, created_at: at, seen_at: at })
    .execute();
  return token;
}

/** A session of a person who showed to be that person; the one that the browser had before ends. Gives the new one's token. */
export async function replaceSession(
  context: Context,
  personId: string,
  earlier: string | undefined,
): Promise<string> {
  if (earlier !== undefined)
    await context.database.deleteFrom('session').where('token_hash', '=', hashSecret(earlier)).execute();
  return await beginSession(context, personId);
}

/** The session of a cookie with its person, while it is good; that it was used is written down once a minute. */
export async function useSession({ database, now }: Context, token: string) {
  const found = await database
    .selectFrom('session')
    .innerJoin('person', 'person.id', 'session.person_id')
    .selectAll('session')
    .select('person.email')
    .where('token_hash', '=', hashSecret(token))
    .executeTakeFirst();
  const at = now();
  if (!found || found.email === null || endOfSession(found) <= at) return undefined;
  if (at.getTime() - found.seen_at.getTime() >= 60_000)
    await database.updateTable('session').set({ seen_at: at }).where('id', '=', found.id).execute();
  return { ...found, email: found.email };
}

/** Oldest first. */
export async function listSessions({ database, now }: Context, personId: string): Promise<SessionRow[]> {
  const rows = await database
    .selectFrom('session')
    .selectAll()
    .where('person_id', '=', personId)
    .orderBy('id')
    .execute();
  return rows.filter((row) => endOfSession(row) > now());
}

/** Ends one session of a person, or all of them; false when there was none. */
export async function endSessions(database: Database, personId: string, id?: string): Promise<boolean> {
  const { numDeletedRows } = await database
    .deleteFrom('session')
    .where('person_id', '=', personId)
    .$if(id !== undefined, (query) => query.where('id', '=', id ?? ''))
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Ends all sessions of a person but this one. */
export async function endOtherSessions(
  database: Database,
  { personId, sessionId }: { personId: string; sessionId: string },
): Promise<void> {
  await database
    .deleteFrom('session')
    .where('person_id', '=', personId)
    .where('id', '<>', sessionId)
    .execute();
}

/** Deletes sessions that have ended by themselves, and changes of address that nobody finished. */
export async function forgetSessions({ database, now }: Context): Promise<void> {
  const at = now().getTime();
  await database
    .deleteFrom('session')
    .where((is) =>
      is.or([is('seen_at', '<=', new Date(at - idleMs)), is('created_at', '<=', new Date(at - longestMs))]),
    )
    .execute();
  await database.deleteFrom('address_change').where('expires_at', '<=', new Date(at)).execute();
}

export function toSession(row: SessionRow, currentId: string): Session {
  return {
    id: row.id,
    created_at: row.created_at.toISOString(),
    seen_at: row.seen_at.toISOString(),
    ends_at: endOfSession(row).toISOString(),
    is_current: row.id === currentId,
  };
}
