import { teamScopes } from '../../contract/token.ts';
import type { AuditContext } from '../audit/record-audit.ts';
import { makeApiKey, type NewApiKey, registerApiKey } from '../auth/api-key.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { operators } from './operators.ts';

/**
 * Makes the first team, its admin API key and a runner key when there is no team yet. The keys are those of
 * `options.keys` or new ones; they are given here and never again. Undefined when there was a team.
 */
export async function firstStart(
  context: AuditContext,
  options: {
    teamName: string;
    keys?: { admin?: string | undefined; runner?: string | undefined };
  },
): Promise<{ admin: string; runner: string } | undefined> {
  return await transact(context, async (inside) => {
    const { database, now } = inside;
    const at = now();
    const made = await database
      .insertInto('team')
      .values({ id: newId('team'), name: operators, created_at: at })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (!made) return undefined;
    const team = { id: newId('team'), name: options.teamName, created_at: at };
    await database.insertInto('team').values(team).execute();
    const register = async (key: Pick<NewApiKey, 'teamId' | 'scopes'>, secret = makeApiKey()) => {
      const named = { ...key, name: 'first start', now: at };
      await registerApiKey(inside, { key: named, secretHash: hashSecret(secret), actor: 'ebb' });
      return secret;
    };
    return {
      admin: await register({ teamId: team.id, scopes: [...teamScopes] }, options.keys?.admin),
      runner: await register({ teamId: made.id, scopes: ['runner'] }, options.keys?.runner),
    };
  });
}
