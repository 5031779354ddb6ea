import type { Introspection } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { findGood, toPrincipal } from './authenticate.ts';
import type { Principal } from './principal.ts';

const inactive: Introspection = { active: false };

/**
 * Tells a team of a token of its own. Whatever else it is asked of looks the same: a token of another team, of a
 * runner, one that has ended, and none at all.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7662#section-2
 */
export async function introspectToken(
  context: ApiContext,
  asker: Principal,
  token: string,
): Promise<Introspection> {
  const claims = await context.tokens.verify(token);
  if (!claims) return inactive;
  const claimed = toPrincipal(claims);
  if (claimed.teamId !== asker.teamId || claimed.buildId !== undefined) return inactive;
  const good = await findGood(context, claimed);
  if (!good) return inactive;
  const { key, principal } = good;
  const { projectId } = principal;
  return {
    ...{ active: true, token_type: 'Bearer', scope: principal.scopes.join(' ') },
    ...{ client_id: claimed.keyId, sub: claimed.keyId, jti: claims.jti },
    ...{ iss: claims.iss, aud: claims.aud, iat: claims.iat },
    exp: Math.min(claims.exp, ...[key.token_ends_at, key.ends_at].flatMap(toSeconds)),
    ...(projectId !== undefined && { project_id: projectId }),
  };
}

function toSeconds(at: Date | null): number[] {
  return at === null ? [] : [Math.floor(at.getTime() / 1000)];
}
