import { sql } from 'kysely';
import { scopesOfRole } from '../../contract/role.ts';
import { withParts } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import { endOfSession } from '../people/session-store.ts';
import type { Principal } from './principal.ts';

/** What a principal's being good hangs on. */
type Asking = Pick<Principal, 'keyId' | 'tokenId' | 'isRenewed' | 'sessionId'>;

type Asked = Required<Pick<Principal, 'keyId' | 'tokenId' | 'sessionId'>>;

/** The API key behind a principal as it is now, with what else its being good hangs on. */
export async function findKey(
  { database }: Pick<ApiContext, 'database'>,
  { keyId, tokenId = '', isRenewed, sessionId = '' }: Asking,
) {
  const key = await readKey(database, { keyId, tokenId, sessionId });
  if (!key) return undefined;
  const { began_at, seen_at } = key;
  const sessionEndsAt = began_at && seen_at ? endOfSession({ created_at: began_at, seen_at }) : undefined;
  return {
    ...key,
    // A role is what it is now, also for memberships of an older release.
    scopes: withParts(key.role ? scopesOfRole[key.role] : key.scopes),
    isRenewed: isRenewed === true,
    // A membership is good with a session alone: nobody else holds its key.
    isSessionOver: (now: Date) => key.role !== null && (sessionEndsAt === undefined || sessionEndsAt <= now),
  };
}

const readKey = gather(
  async (database, asked: Asked[]) => {
    const rows = await readKeys(database, asked);
    const found = new Map(rows.map((row) => [row.place, row]));
    return asked.map((_, place) => found.get(place));
  },
  ({ keyId, tokenId, sessionId }) => JSON.stringify([keyId, tokenId, sessionId]),
);

async function readKeys(database: Database, asked: Asked[]) {
  const rows = asked.map(({ keyId, tokenId, sessionId }, place) => ({
    ...{ place, key_id: keyId, token_id: tokenId, session_id: sessionId },
  }));
  return await database
    .selectFrom(
      sql<(typeof rows)[number]>`jsonb_to_recordset(${json(rows)})`.as<'asked'>(
        sql`asked (place integer, key_id text, token_id text, session_id text)`,
      ),
    )
    .innerJoin('api_key', 'api_key.id', 'asked.key_id')
    .innerJoin('team', 'team.id', 'api_key.team_id')
    .select(['place', 'api_key.revoked_at', 'reads_only', 'api_key.ends_at', 'api_key.scopes'])
    .select(['api_key.project_id', 'api_key.team_id', 'team.name as team'])
    .select('team.revoking_at as team_revoking_at')
    .leftJoin('token_end', 'token_end.id', 'asked.token_id')
    .select('token_end.ends_at as token_ends_at')
    .leftJoin('team_member', 'team_member.id', 'api_key.id')
    .leftJoin('session', (on) =>
      on
        .onRef('session.person_id', '=', 'team_member.person_id')
        .onRef('session.id', '=', 'asked.session_id'),
    )
    .select(['team_member.role', 'session.created_at as began_at', 'session.seen_at'])
    .execute();
}

interface KeyState {
  revoked_at: Date | null;
  ends_at: Date | null;
  token_ends_at: Date | null;
  isRenewed: boolean;
  isSessionOver(now: Date): boolean;
}

/** Whether key, token and session may still be used. */
export function isGood(key: KeyState, now: Date): boolean {
  if (key.isSessionOver(now)) return false;
  if (key.token_ends_at ? key.token_ends_at <= now : key.isRenewed) return false;
  return key.revoked_at === null && (key.ends_at === null || key.ends_at > now);
}
