import { hash } from 'node:crypto';
import { sql } from 'kysely';
import type { BuildSpecification } from '../../contract/runner.ts';
import { issueBuildToken } from '../auth/build-token.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { transact } from '../db/transact.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { logLimitBytes } from '../logs/append-log.ts';
import { parametersOf } from './build-parameters.ts';
import { releaseProjectKey } from './release-project-key.ts';
import { type BuildRow, transition } from './state-machine.ts';
import { grantEnded, supportOf } from './support-build.ts';
import { resumeOf, type TakenOver, takeOver, whyPoisonous } from './take-over.ts';

/**
 * Gives a queued build to who holds its lease: all that a runner needs, everything secret sealed. The same holder may
 * ask again until its VM is up, for an answer that got lost. With `taken` it gives what is needed to go on with a build that
 * runs; one that too many runners were lost with ends instead. Throws 409.
 */
export async function claimBuild(
  context: ApiContext,
  principal: Principal,
  buildId: string,
  leaseHolder: string,
  taken?: TakenOver,
): Promise<BuildSpecification> {
  const released = await transact(context, async (inside) => {
    const { build, repeated } =
      taken === undefined
        ? { build: await claim(inside, buildId, leaseHolder), repeated: false }
        : await takeOver(inside, buildId, leaseHolder, taken);
    const support = await supportOf(inside, build);
    if (support === 'grant_ended') return support;
    const poison = whyPoisonous(build);
    const released = poison ? { cannotBuild: poison } : await releaseProjectKey(inside, principal, build);
    if ('cannotBuild' in released)
      await transition(inside.database, buildId, 'end', 'errored', {
        reason: released.cannotBuild,
        finished_at: context.now(),
      });
    else if (taken !== undefined && build.given_digest !== givenDigest(released)) throw givenChanged();
    return {
      ...released,
      ...{ support, repeated },
      resume: taken === undefined ? undefined : await resumeOf(inside, build),
    };
  });
  if (released === 'grant_ended') {
    context.metrics?.buildEnded('cancelled');
    throw conflict('grant_ended', grantEnded);
  }
  if ('cannotBuild' in released) {
    context.metrics?.buildEnded('errored');
    throw conflict('cannot_build', released.cannotBuild);
  }
  const { build, project, host, wrappedKey, secrets, support, resume, repeated } = released;
  if (taken && !repeated) context.metrics?.takenOver(taken.handedOver ? 'handed_over' : 'runner_lost');
  if (!taken && build.attempt === 1 && build.started_at)
    context.metrics?.buildWaited((build.started_at.getTime() - build.queued_at.getTime()) / 1_000);
  const { user, host: address, port, path } = host.clone(project.repository);
  await context.queue.announce(buildId).catch(() => undefined);
  const specification: BuildSpecification = {
    build_id: build.id,
    project_id: project.id,
    attempt: build.attempt,
    log_offset: build.log_size,
    log_limit: logLimitBytes,
    token: await issueBuildToken(context, {
      buildId,
      attempt: build.attempt,
      leaseHolder,
      projectId: project.id,
      teamId: build.team_id,
      keyId: principal.keyId,
      timeoutSeconds: project.timeout_minutes * 60,
    }),
    branch: build.branch,
    ref: build.ref,
    commit: build.commit,
    clone: { kind: project.kind, user, host: address, port, path, host_keys: project.host_keys },
    wrapped_private_key: wrappedKey,
    deploy_key: { public_key: project.deploy_public_key, private_key: project.sealed_private_key },
    secrets,
    environment: support && !support.seesEnvironment ? {} : project.environment,
    steps: resume?.steps ?? support?.steps ?? stepsOf(project, build),
    timeout_seconds: project.timeout_minutes * 60,
    image: project.image,
    memory_mib: project.memory_mib,
    ...(resume && { resume: resume.from }),
  };
  if (!resume) await keepParameters(context.database, specification, givenDigest(released));
  return specification;
}

/** Of what a build's commands are run with, sealed as it is. */
function givenDigest(given: {
  secrets: BuildSpecification['secrets'];
  project: { environment: Record<string, string> };
}): string {
  return hash('sha256', JSON.stringify([given.secrets, Object.entries(given.project.environment).sort()]));
}

/** Who went on would run later commands with others, and could not mask what earlier ones still print. */
function givenChanged() {
  return conflict(
    'not_to_take_over',
    'Secrets or variables of the project have changed since the build began. It is begun again, where that can be.',
  );
}

/** The project may change while it is built; its provenance tells what this runner was given. */
async function keepParameters(
  database: Database,
  specification: BuildSpecification,
  given_digest: string,
): Promise<void> {
  await database
    .updateTable('build')
    .set({ parameters: json(parametersOf(specification)), given_digest })
    .where('id', '=', specification.build_id)
    .where('attempt', '=', specification.attempt)
    .execute();
}

async function claim(context: ApiContext, buildId: string, leaseHolder: string): Promise<BuildRow> {
  const claimed = await claimOnce(context, buildId, leaseHolder);
  const build = claimed ?? (await claimedBefore(context.database, buildId, leaseHolder));
  if (!build) throw await unclaimable(context, buildId, leaseHolder);
  return build;
}

/** A name is good for one claim: repeated once its attempt is over, it takes nothing from who has the build by then. */
async function claimOnce(
  { database, now }: ApiContext,
  buildId: string,
  leaseHolder: string,
): Promise<BuildRow | undefined> {
  const build = await database
    .selectFrom('build')
    .select('spent_leases')
    .where('id', '=', buildId)
    .forUpdate()
    .executeTakeFirst();
  if (!build || build.spent_leases.includes(leaseHolder)) return undefined;
  return await transition(database, buildId, 'claim', 'starting', {
    lease_holder: leaseHolder,
    spent_leases: json([...build.spent_leases, leaseHolder]),
    attempt: sql`attempt + 1`,
    started_at: sql`coalesce(started_at, ${now()})`,
    reason: null,
    vm_ready_at: null,
    checkout_done_at: null,
    first_step_at: null,
    vm_gone_at: null,
    proof: null,
    vm_report: null,
    vm_exit: null,
  });
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

async function unclaimable({ database }: ApiContext, buildId: string, leaseHolder: string) {
  const build = await database
    .selectFrom('build')
    .select(['state', 'spent_leases'])
    .where('id', '=', buildId)
    .executeTakeFirst();
  if (!build) return notFound('build', buildId);
  if (build.state === 'queued' && build.spent_leases.includes(leaseHolder)) {
    return conflict(
      'claim_spent',
      'This lease had the build before, and that attempt is over. Claim it under a new lease.',
    );
  }
  return conflict('not_claimable', `The build is ${build.state}; only a queued build can be claimed.`);
}
