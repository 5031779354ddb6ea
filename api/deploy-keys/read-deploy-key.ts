import type { DeployKey } from '../../contract/deploy-key.ts';
import type { ApiContext } from '../context.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { SourceHostError, unlessGone } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { stateAtHost } from '../source-hosts/state-at-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type DeployKeyRow, deployKeyOfTeam, setHostedKeyId } from './deploy-key-store.ts';

const driftCheckMs = 3_000;

/**
 * A deploy key as it stands at the source host: one that was deleted there is 404, so that Terraform plans it anew.
 * When the host cannot be asked, the answer is what Ebb last knew.
 */
export async function readDeployKey(
  context: ApiContext,
  { id, teamId }: { id: string; teamId: string },
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  const row = await deployKeyOfTeam(context.database, id, teamId);
  if (!row) throw await goneOrBeingRevoked(context.database, 'deploy_key', { id, teamId });
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  try {
    const found = await findKey(project, row, signal);
    if (found === undefined)
      throw row.source_host_id === null ? notFound('deploy key', id) : removedThere(row);
    if (found !== row.source_host_id) await setHostedKeyId(context.database, row, found);
    return { ...row, source_host_id: found };
  } catch (error) {
    if (!(error instanceof SourceHostError) || row.source_host_id === null) throw sourceHostProblem(error);
    context.log.warn(
      { deploy_key: id, code: error.code },
      'the source host could not be asked for a deploy key',
    );
    return row;
  }
}

/** Its id at the source host; another one when somebody removed it there and added it again. */
async function findKey(
  { host, repository }: ProjectAtHost,
  { source_host_id: id, public_key }: DeployKeyRow,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await unlessGone(() =>
    withDeadline(
      signal,
      driftCheckMs,
      async (inTime) =>
        (id && (await host.findDeployKey(repository, id, inTime))) ||
        (await host.lookUpDeployKey(repository, public_key, inTime)),
    ),
  );
  return found?.id;
}

function removedThere({ fingerprint, revoked_at_source_host_at: at }: DeployKeyRow): ProblemError {
  const noticed = at ? ` Ebb noticed it at ${at.toISOString()}.` : '';
  const detail = `The deploy key ${fingerprint} was removed at the source host.${noticed} Declare it again to get a new one.`;
  return new ProblemError(404, 'revoked_at_source_host', detail);
}

/** The key as the API answers it. */
export function representDeployKey(row: DeployKeyRow): DeployKey {
  return {
    id: row.id,
    project_id: row.project_id,
    public_key: row.public_key,
    fingerprint: row.fingerprint,
    source_host_id: row.source_host_id ?? '',
    state: stateAtHost(row),
    made_by: row.made_by,
    ...(row.rotate_when && { rotate_when: row.rotate_when }),
    created_at: row.created_at.toISOString(),
  };
}
