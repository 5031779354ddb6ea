import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

/**
 * Keeps a VM for one attempt of one build, for ever: no other may say that it runs there. The same report again changes
 * nothing. Throws 409 `vm_used`.
 */
export async function useVm(
  { database, now }: Pick<ApiContext, 'database' | 'now'>,
  use: { vm: string; build: string; attempt: number },
): Promise<void> {
  await database
    .insertInto('vm_use')
    .values({ vm: use.vm, build_id: use.build, attempt: use.attempt, at: now() })
    .onConflict((on) => on.column('vm').doNothing())
    .execute();
  const kept = await database
    .selectFrom('vm_use')
    .select(['build_id', 'attempt'])
    .where('vm', '=', use.vm)
    .executeTakeFirstOrThrow();
  if (kept.build_id === use.build && kept.attempt === use.attempt) return;
  throw conflict('vm_used', `The VM ${use.vm} was used before; each is used once. Start a new one.`);
}
