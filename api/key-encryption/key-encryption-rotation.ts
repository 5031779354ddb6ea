import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { countByWrappingKey, teamsOfOthers } from './wrapped-key-store.ts';

// Any number that nobody else locks; of API processes that start at once only one may note the change.
const lockNumber = 3_202_612;

/**
 * Notes that another key-encryption key wraps from now on, and tells the teams whose keys have to be wrapped anew.
 * Called at the start of each process, which does not change its key until its end.
 */
export async function beginKeyEncryptionRotation(context: ApiContext): Promise<void> {
  const wrappingKey = context.custody.wrappingKey;
  await context.database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(lockNumber)})`.execute(transaction);
    const last = await lastKeyEncryptionRotation(transaction);
    if (last?.wrapping_key === wrappingKey) return;
    const teamIds = await teamsOfOthers(transaction, wrappingKey);
    const began_at = context.now();
    const rotation = {
      ...{ id: newId('ker', began_at.getTime()), wrapping_key: wrappingKey, began_at },
      finished_at: teamIds.length === 0 ? began_at : null,
    };
    await transaction
      .insertInto('key_encryption_rotation')
      .values({ ...rotation, team_ids: json(teamIds) })
      .execute();
    const detail = { from: last?.wrapping_key ?? 'unnamed', to: wrappingKey };
    await tell({ ...context, database: transaction }, 'began', { ...rotation, team_ids: teamIds }, detail);
  });
}

/** Ends the rotation, and tells the same teams, once no key is left that another one wrapped. Logs how many are. */
export async function finishKeyEncryptionRotation(context: ApiContext): Promise<void> {
  const wrappingKey = context.custody.wrappingKey;
  await context.database.transaction().execute(async (transaction) => {
    const last = await lastKeyEncryptionRotation(transaction);
    // A process of before still runs beside one that has the new key: the end is for that one to see.
    if (!last || last.finished_at || last.wrapping_key !== wrappingKey) return;
    const keys = await countByWrappingKey(transaction);
    const others = keys.filter((key) => key.wrapping_key !== wrappingKey);
    if (others.length > 0) {
      context.log.info({ wrapping_key: wrappingKey, others }, 'keys of projects wait to be wrapped anew');
      return;
    }
    const { numUpdatedRows } = await transaction
      .updateTable('key_encryption_rotation')
      .set({ finished_at: context.now() })
      .where('id', '=', last.id)
      .where('finished_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    await tell({ ...context, database: transaction }, 'ended', last, { to: wrappingKey });
    context.log.info(
      { wrapping_key: wrappingKey },
      'all keys are wrapped anew; runners need no older key any more',
    );
  });
}

export async function lastKeyEncryptionRotation(database: Database) {
  return await database
    .selectFrom('key_encryption_rotation')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

async function tell(
  context: ApiContext,
  what: 'began' | 'ended',
  { id, team_ids }: { id: string; team_ids: string[] },
  detail: Record<string, unknown>,
): Promise<void> {
  // In order, as whatever locks several teams has to.
  for (const teamId of team_ids.toSorted())
    await recordAudit(context, {
      ...{ teamId, action: `key_encryption_key.rotation_${what}`, actor: 'ebb', subject: id, detail },
    });
}
