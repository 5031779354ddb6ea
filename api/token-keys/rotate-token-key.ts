import type { JsonWebKey } from 'node:crypto';
import { type AuditContext, recordAudit } from '../audit/record-audit.ts';
import type { Database } from '../db/database.ts';
import { transact } from '../db/transact.ts';
import { secondsAfter } from '../seconds-after.ts';
import { findOperatorsId } from '../teams/operators.ts';
import { keyAtWork } from './key-at-work.ts';
import { keptAfterSeconds, oldAfterSeconds, privateHalfKeptSeconds, publishedAheadSeconds } from './times.ts';
import {
  insertTokenKey,
  listTokenKeys,
  lockTokenKeys,
  openPrivateHalf,
  type TokenKeyRow,
  type TokenKeySealing,
} from './token-key-store.ts';

/** What keys are changed with: the database, what an audit entry is signed with, and what seals their private halves. */
export interface RotationContext extends AuditContext {
  sealing: TokenKeySealing;
}

export interface Rotation {
  kid: string;
  signsFrom: Date;
}

/** Makes the key of the configuration the first one, unless there is one. Called at each start, by every process. */
export async function ensureTokenKey(
  context: Pick<RotationContext, 'database' | 'now' | 'sealing'>,
  first: JsonWebKey,
): Promise<void> {
  const { sealing, now } = context;
  await transact(context, async ({ database }) => {
    await lockTokenKeys(database);
    const keys = await listTokenKeys(database);
    const atWork = keyAtWork(keys, now());
    if (atWork) openPrivateHalf(sealing, atWork);
    else await insertTokenKey(database, sealing, { now: now(), signsFrom: now(), jwk: first });
  });
}

/**
 * Publishes the next key, which signs once nobody keeps the published keys of before. Of a rotation that is under way it
 * tells again, and begins no other. One transaction: killed at any line it has begun or has not.
 *
 * @param actor who asks, for the audit trail of the operators
 */
export async function rotateTokenKey(context: RotationContext, actor: string): Promise<Rotation> {
  return await transact(context, async (inside) => {
    await lockTokenKeys(inside.database);
    return await addSuccessor(inside, actor);
  });
}

/** Rotates the key that was the last to begin, when it is a month old. Every process asks at any time. */
export async function rotateOldTokenKey(context: RotationContext): Promise<Rotation | undefined> {
  const isOld = (keys: TokenKeyRow[]) => {
    const began = keys.at(-1)?.signs_from.getTime() ?? Number.POSITIVE_INFINITY;
    return began <= context.now().getTime() - oldAfterSeconds * 1000;
  };
  if (!isOld(await listTokenKeys(context.database))) return undefined;
  return await transact(context, async (inside) => {
    await lockTokenKeys(inside.database);
    // Another process may have done it a moment before.
    return isOld(await listTokenKeys(inside.database)) ? await addSuccessor(inside, 'ebb') : undefined;
  });
}

async function addSuccessor(inside: RotationContext, actor: string): Promise<Rotation> {
  const { database, sealing } = inside;
  const now = inside.now();
  const last = (await listTokenKeys(database)).at(-1);
  if (last && last.signs_from > now) return { kid: last.kid, signsFrom: last.signs_from };
  if (last) openPrivateHalf(sealing, last);
  const signsFrom = secondsAfter(now, publishedAheadSeconds);
  const kid = await insertTokenKey(database, sealing, { now, signsFrom });
  if (last)
    await database
      .updateTable('token_key')
      .set({ signs_until: signsFrom })
      .where('kid', '=', last.kid)
      .execute();
  const detail = { from: last?.kid ?? null, to: kid, signs_from: signsFrom.toISOString() };
  await audit(inside, 'token_key.rotated', actor, detail);
  return { kid, signsFrom };
}

/**
 * For a key that others may know: drops every key and makes a new one that signs at once. Every token of before ends, on
 * every process, within a second.
 */
export async function replaceTokenKeys(
  context: RotationContext,
  actor: string,
): Promise<Rotation & { dropped: string[] }> {
  return await transact(context, async (inside) => {
    const { database, sealing } = inside;
    await lockTokenKeys(database);
    const now = inside.now();
    const gone = await database.deleteFrom('token_key').returning('kid').execute();
    const kid = await insertTokenKey(database, sealing, { now, signsFrom: now });
    const dropped = gone.map((key) => key.kid);
    await audit(inside, 'token_key.replaced', actor, { dropped, to: kid });
    return { kid, signsFrom: now, dropped };
  });
}

/** Forgets private halves that sign no more, and keys whose last token has expired. */
export async function forgetTokenKeys({ database, now }: Pick<RotationContext, 'database' | 'now'>) {
  const before = (seconds: number) => secondsAfter(now(), -seconds);
  await database
    .updateTable('token_key')
    .set({ sealed_private_key: null })
    .where('signs_until', '<', before(privateHalfKeptSeconds))
    .where('sealed_private_key', 'is not', null)
    .execute();
  await database.deleteFrom('token_key').where('signs_until', '<', before(keptAfterSeconds)).execute();
}

/** In the trail of the operators, whose key it is. Before the first start there are none. */
async function audit(
  context: AuditContext & { database: Database },
  action: string,
  actor: string,
  detail: { to: string } & Record<string, unknown>,
): Promise<void> {
  const teamId = await findOperatorsId(context.database);
  if (teamId !== undefined) await recordAudit(context, { teamId, action, actor, subject: detail.to, detail });
}
