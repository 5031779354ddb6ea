import type { ApiContext } from '../context.ts';
import { findOperatorsId } from '../teams/operators.ts';
import type { ApiKeyRow } from './api-key.ts';
import { OAuthError } from './oauth-error.ts';

/** Runs what gives a token; where it refuses, that is recorded for the team of the key. */
export async function refusalsAudited<T>(
  context: ApiContext,
  key: ApiKeyRow | undefined,
  give: () => Promise<T>,
): Promise<T> {
  try {
    return await give();
  } catch (error) {
    if (error instanceof OAuthError) await auditTokenRefusal(context, key, error);
    throw error;
  }
}

/**
 * Records that no token was given: for the team of the key that was shown, or for the operators when nobody knows it.
 * What was asked for is left out, because anybody may write anything there.
 */
async function auditTokenRefusal(
  context: ApiContext,
  key: ApiKeyRow | undefined,
  { code }: OAuthError,
): Promise<void> {
  const teamId = key?.team_id ?? (await findOperatorsId(context.database));
  if (teamId === undefined) return;
  const who = key?.id ?? 'unknown';
  const detail = { code, ...(key?.revoked_at ? { revoked: true } : {}) };
  await context.auditRefusal({ teamId, action: 'token.refused', actor: who, subject: who, detail });
}
