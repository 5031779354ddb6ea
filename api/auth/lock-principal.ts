import type { ApiContext } from '../context.ts';
import { principalNow } from './authenticate.ts';
import type { Principal } from './principal.ts';

/**
 * Who asks, with what that may do now, for a transaction that gives others something of it: its key is revoked only after the
 * transaction ends. A role stays, too, when the team's members are locked before. Throws 401 when the key has ended.
 */
export async function lockPrincipal(
  inside: ApiContext,
  principal: Principal,
  { whileTeamIsRevoked = false } = {},
): Promise<Principal> {
  await inside.database
    .selectFrom('api_key')
    .select('id')
    .where('id', '=', principal.keyId)
    .forNoKeyUpdate()
    .execute();
  return await principalNow(inside, principal, whileTeamIsRevoked);
}
