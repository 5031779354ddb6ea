import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

type Parts = Pick<ApiContext, 'database' | 'now'>;

/**
 * Keeps a VM for one attempt of one build, for ever: no other may say that it runs there. The same report again changes
 * nothing. Throws 409 `vm_used`.
 */
export async function useVm(
  { database, now }: Parts,
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

/** Keeps when the VM of an attempt was gone; the first word counts. Gives whether the attempt had one. */
export async function endVmUse(
  { database }: Pick<Parts, 'database'>,
  use: { build: string; attempt: number; at: Date },
): Promise<boolean> {
  const ofAttempt = database
    .updateTable('vm_use')
    .set(({ fn, val, ref }) => ({ gone_at: fn.coalesce(ref('gone_at'), val(use.at)) }))
    .where('build_id', '=', use.build)
    .where('attempt', '=', use.attempt);
  return (await ofAttempt.returning('vm').execute()).length > 0;
}
