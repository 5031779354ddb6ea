import type { DeployKey } from '../../contract/deploy-key.ts';
import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { SourceHostError, unlessGone } from '../source-hosts/errors.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type DeployKeyRow, deployKeyOfTeam } from './deploy-key-store.ts';
import { hostedDeployKey, settledKeyId } from './hosted-deploy-key.ts';

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
  if (!row) throw notFound('deploy key', id);
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  try {
    const hostedId = await settledKeyId(context.database, project, row, signal);
    if (hostedId === undefined) throw notFound('deploy key', id);
    const { find } = hostedDeployKey(project, hostedId);
    const found = await unlessGone(() => withDeadline(signal, driftCheckMs, find));
    if (found === undefined) throw notFound('deploy key', id);
    return { ...row, source_host_id: hostedId };
  } catch (error) {
    if (!(error instanceof SourceHostError) || row.source_host_id === null) throw sourceHostProblem(error);
    context.log.warn(
      { deploy_key: id, code: error.code },
      'the source host could not be asked for a deploy key',
    );
    return row;
  }
}

/** The key as the API answers it. */
export function representDeployKey(row: DeployKeyRow): DeployKey {
  return {
    id: row.id,
    project_id: row.project_id,
    public_key: row.public_key,
    fingerprint: row.fingerprint,
    source_host_id: row.source_host_id ?? '',
    ...(row.rotation === null ? {} : { rotation: row.rotation }),
    created_at: row.created_at.toISOString(),
  };
}
