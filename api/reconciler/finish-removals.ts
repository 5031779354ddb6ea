import type { ApiContext } from '../context.ts';
import { deleteDeployKey } from '../deploy-keys/delete-deploy-key.ts';
import { deleteHookBinding } from '../hook-bindings/delete-hook-binding.ts';

const batch = 10;

/**
 * Removes the deploy keys and hooks that their source hosts did not let go when somebody deleted them; gives how many
 * went. What a host holds on to still waits five minutes more.
 */
export async function finishRemovals(context: ApiContext, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (const [table, remove] of [
    ['deploy_key', deleteDeployKey],
    ['hook_binding', deleteHookBinding],
  ] as const) {
    const rows = await context.database
      .selectFrom(table)
      .innerJoin('project', 'project.id', `${table}.project_id`)
      .select([`${table}.id`, 'project.team_id'])
      .where('remove_again_at', '<=', context.now())
      // A revocation removes them itself.
      .where('project.revoking_at', 'is', null)
      .orderBy('remove_again_at')
      .limit(batch)
      .execute();
    for (const { id, team_id: teamId } of rows) {
      try {
        await remove(context, { id, teamId, keyId: 'ebb' }, signal);
        removed += 1;
      } catch (error) {
        signal.throwIfAborted();
        context.log.info({ [table]: id, error: String(error) }, 'a source host holds on to what is to go');
      }
    }
  }
  return removed;
}
