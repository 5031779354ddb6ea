import type { Database } from '../db/database.ts';
import { unlessGone } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { HostedThing } from '../source-hosts/remove-and-confirm.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type DeployKeyRow, setHostedKeyId } from './deploy-key-store.ts';

const callMs = 15_000;

/** Adds the key at the source host; adding it again tells the same id. Throws a SourceHostError. */
export async function addAtHost(
  project: ProjectAtHost,
  publicKey: string,
  signal: AbortSignal,
): Promise<string> {
  const key = { title: `Ebb: ${project.teamName}/${project.name}`, publicKey };
  const { id } = await withDeadline(signal, callMs, (inTime) =>
    project.host.addDeployKey(project.repository, key, inTime),
  );
  return id;
}

/** The key as something that can be removed at the source host. */
export function hostedDeployKey(project: ProjectAtHost, hostedId: string): HostedThing {
  return {
    what: 'deploy key',
    remove: (signal) => project.host.removeDeployKey(project.repository, hostedId, signal),
    find: (signal) => project.host.findDeployKey(project.repository, hostedId, signal),
  };
}

/**
 * The key's id at the source host. When a crash or a timeout kept it from us, adding the same key again tells it.
 * Undefined when the repository is gone, and the key with it.
 */
export async function settledKeyId(
  database: Database,
  project: ProjectAtHost,
  key: DeployKeyRow,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (key.source_host_id !== null) return key.source_host_id;
  const id = await unlessGone(() => addAtHost(project, key.public_key, signal));
  if (id !== undefined) await setHostedKeyId(database, key.id, id);
  return id;
}
