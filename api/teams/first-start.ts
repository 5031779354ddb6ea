import { teamScopes } from '../../contract/token.ts';
import { createApiKey } from '../auth/api-key.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { operators } from './operators.ts';

/**
 * Makes the first team, its admin API key and a runner key when there is no team yet. The keys are those of
 * `options.keys` or new ones; they are given here and never again. Undefined when there was a team.
 */
export async function firstStart(
  database: Database,
  options: {
    teamName: string;
    now: Date;
    keys?: { admin?: string | undefined; runner?: string | undefined };
  },
): Promise<{ admin: string; runner: string } | undefined> {
  return await database.transaction().execute(async (transaction) => {
    const made = await transaction
      .insertInto('team')
      .values({ id: newId('team'), name: operators, created_at: options.now })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (!made) return undefined;
    const team = { id: newId('team'), name: options.teamName, created_at: options.now };
    await transaction.insertInto('team').values(team).execute();
    const key = { now: options.now, name: 'first start' };
    return {
      admin: await createApiKey(transaction, {
        ...key,
        teamId: team.id,
        secret: options.keys?.admin,
        scopes: [...teamScopes],
      }),
      runner: await createApiKey(transaction, {
        ...key,
        teamId: made.id,
        secret: options.keys?.runner,
        scopes: ['runner'],
      }),
    };
  });
}
