import type { Database } from '../db/database.ts';
import { unlessGone } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { HostedThing } from '../source-hosts/remove-and-confirm.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type DeployKeyRow, setHostedKeyId } from './deploy-key-store.ts';

const callMs = 15_000;

/** What people see at the source host. */
export function deployKeyTitle({ teamName, name }: Pick<ProjectAtHost, 'teamName' | 'name'>): string {
  return `Ebb: ${teamName}/${name}`;
}

/** Adds the key at the source host; adding it again tells the same id. Throws a SourceHostError. */
export async function addAtHost(
  project: ProjectAtHost,
  publicKey: string,
  signal: AbortSignal,
): Promise<string> {
  const key = { title: deployKeyTitle(project), publicKey };
  const { id } = await withDeadline(signal, callMs, (inTime) =>
    project.host.addDeployKey(project.repository, key, inTime),
  );
  return id;
}

/** The key as something that can be removed at the source host. It is looked for by what it is: an id may be new. */
export function hostedDeployKey(
  { host, repository }: ProjectAtHost,
  key: Pick<DeployKeyRow, 'source_host_id' | 'public_key'>,
): HostedThing {
  return {
    what: 'deploy key',
    id: key.source_host_id,
    remove: (hostedId, signal) => host.removeDeployKey(repository, hostedId, signal),
    find: (signal) => host.lookUpDeployKey(repository, key.public_key, signal),
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
