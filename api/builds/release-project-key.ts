import type { BuildSpecification } from '../../contract/runner.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * What a runner needs of a build's project, the wrapped private key, the sealed deploy key and the sealed secrets
 * included; that they were handed out, and to whom, is audited. Why not, as a sentence, when the project has no deploy
 * key any more, here or at the source host, or is being revoked. Run it in the transaction of the claim.
 */
export async function releaseProjectKey(context: ApiContext, { keyId }: Principal, build: BuildRow) {
  // All that is read is sealed to one key pair: no rotation comes in between.
  await lockLiveProject(context.database, build.project_id);
  const project = await context.database
    .selectFrom('project')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .innerJoin('deploy_key', 'deploy_key.project_id', 'project.id')
    .selectAll('project')
    .select(hostColumns)
    .select(['deploy_key.public_key as deploy_public_key', 'deploy_key.sealed_private_key'])
    .select(['deploy_key.fingerprint', 'deploy_key.revoked_at_source_host_at'])
    .where('project.id', '=', build.project_id)
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
  const host = project && context.sourceHosts.of(project);
  const wrappedKey = project?.wrapped_private_key;
  const removedAt = project?.revoked_at_source_host_at;
  if (!wrappedKey || !project.sealed_private_key || !host || removedAt) {
    const cannotBuild = removedAt
      ? `The deploy key ${project.fingerprint} of this project was removed at the source host; Ebb noticed it at ${removedAt.toISOString()}. Apply the declaration again to get a new one, then build again.`
      : 'The project has no deploy key any more, or was revoked. Declare an ebb_deploy_key and build again.';
    return { cannotBuild };
  }
  // Who wrote it may not push, or is no member of the team: no secret is his to read.
  const secrets = build.from_fork || build.access_grant_id ? [] : await sealedSecrets(context, project.id);
  const detail = {
    ...{ build: build.id, attempt: build.attempt, deploy_key: project.fingerprint },
    secrets: secrets.map(({ name }) => name),
  };
  await recordAudit(context, {
    ...{ teamId: build.team_id, action: 'project_key.released', actor: keyId, subject: project.id },
    detail,
  });
  return { build, project, host, wrappedKey, secrets };
}

async function sealedSecrets(
  { database }: ApiContext,
  projectId: string,
): Promise<BuildSpecification['secrets']> {
  const rows = await database
    .selectFrom('secret')
    .select(['name', 'phases', 'sealed_value'])
    .where('project_id', '=', projectId)
    .orderBy('name')
    .execute();
  return rows.map(({ name, phases, sealed_value }) => ({ name, phases, value: sealed_value }));
}
