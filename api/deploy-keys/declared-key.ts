import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../db/database.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import type { DeployKeyRow } from './deploy-key-store.ts';
import type { SealedKey } from './sealed-key.ts';

/** What a team says of a deploy key. */
export interface DeclaredKey {
  /** Null when nothing was said. */
  rotateWhen: Record<string, string> | null;
  /** PEM of a key that is brought along; null for one that Ebb makes, undefined to leave that as it is. */
  privateKey?: string | null | undefined;
}

/** Throws 422 when a key that was brought along is to be rotated by Ebb. */
export function checkDeclaredKey({ rotateWhen, privateKey }: DeclaredKey, before?: DeployKeyRow): void {
  const isBroughtAlong = privateKey ?? (privateKey === undefined && before?.made_by === 'team');
  if (!isBroughtAlong || rotateWhen === null) return;
  const fix =
    'Either remove it and send another private_key, or remove the private_key (null), so that Ebb makes the key.';
  throw invalidField('rotate_when', `rotate_when has no meaning for a key that you bring along. ${fix}`);
}

/** Whether a key that is there is what is declared, so that the one `made` of the declaration is not needed. */
export function isAsDeclared(
  row: DeployKeyRow,
  { rotateWhen, privateKey }: DeclaredKey,
  made: SealedKey,
): boolean {
  if (typeof privateKey === 'string') return row.fingerprint === made.fingerprint;
  if (privateKey === null && row.made_by === 'team') return false;
  return isDeepStrictEqual(row.rotate_when, rotateWhen);
}

/** Throws 409 when another project has the same key: revoking the one would take it from the other. */
export async function requireOwnKey(
  database: Database,
  { project_id, fingerprint }: { project_id: string; fingerprint: string },
): Promise<void> {
  const other = await database
    .selectFrom('deploy_key')
    .select('id')
    .where('fingerprint', '=', fingerprint)
    .where('project_id', '<>', project_id)
    .executeTakeFirst();
  if (!other) return;
  const detail = 'Another project has this key already. A deploy key is for one project: bring another one.';
  throw conflict('key_in_use', detail, 'private_key');
}
