import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import { noteAddition } from '../source-hosts/note-addition.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { type HostedThing, removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type DeployKeyRow, setHostedKeyId } from './deploy-key-store.ts';

const callMs = 15_000;

/** What people see at the source host. */
export function deployKeyTitle({ teamName, name }: Pick<ProjectAtHost, 'teamName' | 'name'>): string {
  return `Ebb: ${teamName}/${name}`;
}

/**
 * Brings the key to the source host and notes its id. When it was removed meanwhile it is taken back there. Throws a
 * SourceHostError where that brought nothing, else problems: 409.
 */
export async function hostDeployKey(
  context: ApiContext,
  project: ProjectAtHost,
  row: DeployKeyRow,
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  return await noteAddition(context, project.id, async () => {
    const hosted = { ...row, source_host_id: await addAtHost(project, row.public_key, signal) };
    if (await setHostedKeyId(context.database, row, hosted.source_host_id)) return hosted;
    await removeAndConfirm(hostedDeployKey(project, hosted), signal).catch((error) => {
      throw sourceHostProblem(error);
    });
    throw conflict(
      'deploy_key_removed',
      'The deploy key was removed, or its project revoked, at the same moment.',
    );
  });
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
