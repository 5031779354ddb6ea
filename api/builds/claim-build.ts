import { sql } from 'kysely';
import type { BuildSpecification } from '../../contract/runner.ts';
import { issueBuildToken } from '../auth/build-token.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';
import { logLimitBytes } from './append-log.ts';
import { type BuildRow, transition } from './state-machine.ts';

/**
 * Gives a queued build to who holds its lease: all that a runner needs, everything secret sealed. The same holder may
 * ask again until its VM is up, for an answer that got lost. Throws 409.
 */
export async function claimBuild(
  context: ApiContext,
  principal: Principal,
  buildId: string,
  leaseHolder: string,
): Promise<BuildSpecification> {
  const { database } = context;
  const claimed = await transition(database, buildId, 'claim', 'starting', {
    lease_holder: leaseHolder,
    attempt: sql`attempt + 1`,
    started_at: sql`coalesce(started_at, ${context.now()})`,
    reason: null,
    vm_ready_at: null,
    checkout_done_at: null,
    first_step_at: null,
    vm_gone_at: null,
  });
  const build = claimed ?? (await claimedBefore(database, buildId, leaseHolder));
  if (!build) throw await unclaimable(context, buildId);
  const project = await database
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
  const removedAt = project?.revoked_at_source_host_at;
  if (!project?.wrapped_private_key || !project.sealed_private_key || !host || removedAt) {
    const reason = removedAt
      ? `The deploy key ${project.fingerprint} of this project was removed at the source host; Ebb noticed it at ${removedAt.toISOString()}. Apply the declaration again to get a new one, then build again.`
      : 'The project has no deploy key any more, or was revoked. Declare an ebb_deploy_key and build again.';
    await transition(database, buildId, 'end', 'errored', { reason, finished_at: context.now() });
    throw conflict('cannot_build', reason);
  }
  const { user, host: address, port, path } = host.clone(project.repository);
  await context.queue.announce(buildId).catch(() => undefined);
  return {
    build_id: build.id,
    project_id: project.id,
    attempt: build.attempt,
    log_offset: build.log_size,
    log_limit: logLimitBytes,
    token: await issueBuildToken(context, {
      buildId,
      projectId: project.id,
      teamId: build.team_id,
      keyId: principal.keyId,
      timeoutSeconds: project.timeout_minutes * 60,
    }),
    branch: build.branch,
    ref: build.ref,
    commit: build.commit,
    clone: { kind: project.kind, user, host: address, port, path, host_keys: project.host_keys },
    wrapped_private_key: project.wrapped_private_key,
    deploy_key: { public_key: project.deploy_public_key, private_key: project.sealed_private_key },
    // Who wrote it may not push: no secret is his to read.
    secrets: build.from_fork ? [] : await sealedSecrets(context, project.id),
    environment: project.environment,
    steps: stepsOf(project, build),
    timeout_seconds: project.timeout_minutes * 60,
    image: project.image,
    memory_mib: project.memory_mib,
  };
}

async function claimedBefore(
  database: Database,
  buildId: string,
  leaseHolder: string,
): Promise<BuildRow | undefined> {
  return await database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', buildId)
    .where('state', '=', 'starting')
    .where('lease_holder', '=', leaseHolder)
    .executeTakeFirst();
}

/** Setup and test, then the deployments that name this very branch; of a tag or a pull request none. */
function stepsOf(
  project: { setup: string[]; test: string[]; deploy: { branch: string; commands: string[] }[] },
  build: BuildRow,
): BuildSpecification['steps'] {
  const deploy = project.deploy
    .filter(({ branch }) => build.ref === `refs/heads/${branch}` && build.pull_request === null)
    .flatMap(({ commands }) => commands);
  const steps: BuildSpecification['steps'] = [
    { phase: 'setup', commands: project.setup },
    { phase: 'test', commands: project.test },
    { phase: 'deploy', commands: deploy },
  ];
  return steps.filter(({ commands }) => commands.length > 0);
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

async function unclaimable({ database }: ApiContext, buildId: string) {
  const build = await database
    .selectFrom('build')
    .select('state')
    .where('id', '=', buildId)
    .executeTakeFirst();
  if (!build) return notFound('build', buildId);
  return conflict('not_claimable', `The build is ${build.state}; only a queued build can be claimed.`);
}
