import type { ApiKeyCreation, CreatedApiKey } from '../../contract/api-key.ts';
import { makeApiKey, registerApiKey } from '../auth/api-key.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import { requireHeld } from '../auth/held-scopes.ts';
import { lockPrincipal } from '../auth/lock-principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { transact } from '../db/transact.ts';
import { invalidField, notFound } from '../http/problem-error.ts';
import { lockLiveProject, noLiveProject } from '../projects/lock-live-project.ts';
import { findHeldKey, toApiKey } from './store.ts';

/**
 * Makes an API key of the principal's team; its secret is in what this gives and nowhere else. Throws 422 for scopes that
 * the principal lacks, an end that is over, and a project that is not the team's.
 */
export async function createKey(
  context: ApiContext,
  principal: Principal,
  { name, scopes, project_id, expires_at }: ApiKeyCreation,
): Promise<CreatedApiKey> {
  const now = context.now();
  const endsAt = expires_at === undefined ? undefined : new Date(expires_at);
  // A leap second is in the form of a moment and is none to a Date.
  if (endsAt && !(endsAt > now))
    throw invalidField('expires_at', `expires_at is ${expires_at}, which is no moment to come. Choose one.`);
  const secret = makeApiKey();
  const { teamId, keyId: actor } = principal;
  return await transact(context, async (inside) => {
    if (project_id !== undefined) {
      const live = await lockLiveProject(inside.database, project_id);
      if (live?.team_id !== teamId) throw noLiveProject(project_id);
    }
    requireHeld(await lockPrincipal(inside, principal), scopes);
    await requireEndOfMaker(inside.database, actor, endsAt);
    const key = { teamId, name, scopes, now, endsAt, projectId: project_id };
    const id = await registerApiKey(inside, { key, secretHash: hashSecret(secret), actor });
    const row = await findHeldKey(inside.database, teamId, id);
    if (!row) throw notFound('API key', id);
    return { ...toApiKey(row), secret };
  });
}

/** What ends does not make what does not. */
async function requireEndOfMaker(database: Database, actor: string, endsAt: Date | undefined): Promise<void> {
  const maker = await database
    .selectFrom('api_key')
    .select('ends_at')
    .where('id', '=', actor)
    .executeTakeFirst();
  if (!maker?.ends_at || (endsAt && endsAt <= maker.ends_at)) return;
  const end = maker.ends_at.toISOString();
  throw invalidField('expires_at', `expires_at must be ${end} or earlier, when the key that you use ends.`);
}
