import { type Connection, connection } from '../../contract/connection.ts';
import type { Creation } from '../../contract/resource.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { howToImport } from '../http/how-to-import.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { teamName } from '../teams/team-name.ts';
import { checkConnection } from './check-connection.ts';
import { pinHostKeys } from './connect.ts';
import { sealCredential } from './credential.ts';
import { findConnection, insertConnection, toConnection } from './store.ts';

/** Makes a connection once the source host has taken its credential; a refusal is audited. Throws problems. */
export async function createConnection(
  context: ApiContext,
  { teamId, keyId }: Principal,
  body: Creation<typeof connection>,
): Promise<Connection> {
  const { name, kind, url, ssh_address, app_id, installation_id, ssh_host_keys, token, private_key } = body;
  checkConnection({
    ...{ kind, url, ssh_address, app_id, installation_id, ssh_host_keys },
    token: token !== undefined,
    private_key: private_key !== undefined,
  });
  const id = newId('conn');
  const credential = token ?? private_key;
  const row = {
    ...{ id, team_id: teamId, name, kind },
    url: url ?? null,
    ssh_address: ssh_address ?? null,
    checked_at: context.now(),
    app_id: app_id ?? null,
    installation_id: installation_id ?? null,
    ssh_host_keys: ssh_host_keys ?? null,
    host_keys: ssh_host_keys ?? [],
    sealed_credential: credential ? await sealCredential(context.custody, id, credential) : null,
    created_at: context.now(),
    deleted_at: null,
  };
  row.host_keys = await pinHostKeys(context, { ...row, connection_id: id }, ssh_host_keys).catch(
    async (error) => {
      if (error instanceof ProblemError) {
        const detail = { code: error.code, kind, url: url ?? null };
        const refused = { teamId, action: 'connection.refused', actor: keyId, subject: name, detail };
        await context.auditRefusal(refused);
      }
      throw error;
    },
  );
  await transact(context, async (inside) => {
    if (!(await insertConnection(inside.database, row)))
      throw nameTaken(await teamName(inside.database, teamId), name);
    const detail = { name, kind, url: row.url };
    await recordAudit(inside, { teamId, action: 'connection.created', actor: keyId, subject: id, detail });
  });
  const made = await findConnection(context.database, teamId, id);
  if (!made) throw new Error(`The connection ${id} vanished while it was made.`);
  return toConnection(made);
}

function nameTaken(team: string, name: string): ProblemError {
  const detail = `The team has a connection ${name} already. ${howToImport(connection, team, { name })} or choose another name.`;
  return conflict('name_taken', detail, 'name');
}
