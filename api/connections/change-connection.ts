import { connection } from '../../contract/connection.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { ProblemError } from '../http/problem-error.ts';
import { checkConnection } from './check-connection.ts';
import { pinHostKeys } from './connect.ts';
import { sealCredential } from './credential.ts';
import { type ConnectionRow, toConnection, updateConnection } from './store.ts';

/** Changes credential, App or pinned keys of a connection, once the source host has taken them. Throws problems. */
export async function changeConnection(
  context: ApiContext,
  row: ConnectionRow,
  patch: Record<string, unknown>,
  keyId: string,
): Promise<void> {
  const { ssh_address, app_id, installation_id, ssh_host_keys } = applyPatch(
    connection.changeable,
    toConnection(row),
    patch,
  );
  const { token, private_key } = patch as { token?: string | null; private_key?: string | null };
  const usesApp = row.app_id !== null;
  checkConnection({
    ...{ kind: row.kind, url: row.url ?? undefined, ssh_address, app_id, installation_id, ssh_host_keys },
    token: token ? true : token === undefined && !usesApp && row.sealed_credential !== null,
    private_key: private_key ? true : private_key === undefined && usesApp && row.sealed_credential !== null,
  });
  const credential = token || private_key;
  const changed = {
    ...row,
    ssh_address: ssh_address ?? null,
    app_id: app_id ?? null,
    installation_id: installation_id ?? null,
    ssh_host_keys: ssh_host_keys ?? null,
    sealed_credential: credential
      ? await sealCredential(context.custody, row.id, credential)
      : row.sealed_credential,
  };
  const pinned = await pinHostKeys(context, { ...changed, connection_id: row.id }, ssh_host_keys);
  // Another credential is no reason to trust another host key.
  if ('ssh_host_keys' in patch) changed.host_keys = pinned;
  await transact(context, async (inside) => {
    if (!(await updateConnection(inside.database, changed))) throw changedMeanwhile();
    await recordAudit(inside, {
      ...{ teamId: row.team_id, action: 'connection.changed', actor: keyId, subject: row.id },
      detail: {
        name: row.name,
        changed: [
          ...changedFields<object>(toConnection(row), toConnection(changed)),
          ...['token', 'private_key'].filter((name) => patch[name] !== undefined),
        ],
      },
    });
  });
}

function changedMeanwhile(): ProblemError {
  return new ProblemError(
    409,
    'changed_meanwhile',
    'The connection was changed or deleted at the same moment. Read it again.',
  );
}
