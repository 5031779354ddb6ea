import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { logsDestroyedAt } from '../logs/erase-logs.ts';

/**
 * Destroys what could open the project's secrets, and the secrets: after this, whatever backups hold of them is
 * sealed to a key that no longer exists here. The rest of the deploy key's row stays until the host has let it go.
 */
export async function destroySecrets(database: Database, projectId: string): Promise<number> {
  await database
    .updateTable('project')
    .set({ wrapped_private_key: null, wrapped_log_key: null, logs_destroyed_at: logsDestroyedAt })
    .where('id', '=', projectId)
    .execute();
  const { numDeletedRows } = await database
    .deleteFrom('secret')
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  await database
    .updateTable('deploy_key')
    .set({ sealed_private_key: '' })
    .where('project_id', '=', projectId)
    .execute();
  await database
    .updateTable('key_rotation')
    .set({ state: 'failed', reason: 'The project was revoked.', finished_at: sql<Date>`now()` })
    .where('project_id', '=', projectId)
    .where('state', '=', 'waiting')
    .execute();
  return Number(numDeletedRows);
}
