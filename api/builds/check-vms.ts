import type { ApiContext } from '../context.ts';
import { attemptIsOver } from './watch-vms.ts';

/**
 * Which of the VMs were given to an attempt that is over, so that nothing of theirs counts any more and their runner should
 * end them. One that no build was given yet is none of them, nor one whose build runs.
 */
export async function endedAmong(
  { database }: Pick<ApiContext, 'database'>,
  vms: string[],
): Promise<string[]> {
  if (vms.length === 0) return [];
  const rows = await database
    .selectFrom('vm_use')
    .innerJoin('build', 'build.id', 'vm_use.build_id')
    .select('vm_use.vm')
    .where('vm_use.vm', 'in', vms)
    .where(attemptIsOver)
    .orderBy('vm_use.vm')
    .execute();
  return rows.map(({ vm }) => vm);
}
