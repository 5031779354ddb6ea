import { scopesOfRole } from '../../contract/role.ts';
import { withParts } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { endOfSession } from '../people/session-store.ts';
import type { Principal } from './principal.ts';

/** What a principal's being good hangs on. */
type Asking = Pick<Principal, 'keyId' | 'tokenId' | 'isRenewed' | 'sessionId'>;

/** The API key behind a principal as it is now, with what else its being good hangs on. */
export async function findKey(
  { database }: ApiContext,
  { keyId, tokenId = '', isRenewed, sessionId }: Asking,
) {
  const key = await database
    .selectFrom('api_key')
    .innerJoin('team', 'team.id', 'api_key.team_id')
    .select(['api_key.revoked_at', 'reads_only', 'api_key.ends_at', 'api_key.scopes', 'team.name as team'])
    .select(['api_key.project_id', 'api_key.team_id'])
    .select('team.revoking_at as team_revoking_at')
    .leftJoin('token_end', (on) => on.on('token_end.id', '=', tokenId))
    .select('token_end.ends_at as token_ends_at')
    .leftJoin('team_member', 'team_member.id', 'api_key.id')
    .leftJoin('session', (on) =>
      on.onRef('session.person_id', '=', 'team_member.person_id').on('session.id', '=', sessionId ?? ''),
    )
    .select(['team_member.role', 'session.created_at as began_at', 'session.seen_at'])
    .where('api_key.id', '=', keyId)
    .executeTakeFirst();
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
