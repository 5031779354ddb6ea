import type { BuildPredicate } from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { signReceipt } from './sign-receipt.ts';

// A runner that lives tells sooner than this that the VM of a build that is over is gone.
const vmReportMs = 30_000;

/**
 * Signs what happened to a build once it is over and its VM is gone. When nobody told that within half a minute, the
 * runner is lost, and the receipt says that nobody saw the VM end. Signing again answers the first receipt.
 * Throws 404, and 409 `build_not_over` when it is too early.
 */
export async function signBuildReceipt(
  context: Pick<ApiContext, 'database' | 'signer' | 'now'>,
  buildId: string,
): Promise<{ receiptId: string }> {
  const build = await buildWithNames(context, buildId);
  if (!build) throw notFound('build', buildId);
  const toldBy = context.now().getTime() - vmReportMs;
  const vmMayLive = build.vm !== null && !build.vm_gone_at;
  if (!build.finished_at || (vmMayLive && build.finished_at.getTime() > toldBy)) {
    const detail = `The build ${buildId} is not over or its VM is not gone; its receipt is signed after that.`;
    throw conflict('build_not_over', detail);
  }
  const receiptId = await signReceipt(context, context.database, {
    kind: 'build',
    subject: build.id,
    teamId: build.team_id,
    projectId: build.project_id,
    predicate: predicateOf(build, build.finished_at),
  });
  return { receiptId };
}

type BuildWithNames = NonNullable<Awaited<ReturnType<typeof buildWithNames>>>;

async function buildWithNames({ database }: Pick<ApiContext, 'database'>, id: string) {
  return await database
    .selectFrom('build')
    .innerJoin('project', 'project.id', 'build.project_id')
    .innerJoin('team', 'team.id', 'build.team_id')
    .selectAll('build')
    .select(['project.name as project_name', 'team.name as team_name'])
    .where('build.id', '=', id)
    .executeTakeFirst();
}

function predicateOf(build: BuildWithNames, finishedAt: Date): BuildPredicate {
  return {
    project: { id: build.project_id, name: build.project_name },
    team: { id: build.team_id, name: build.team_name },
    build: { number: build.number, branch: build.branch, commit: build.commit },
    state: build.state as BuildPredicate['state'],
    attempt: build.attempt,
    vm: build.vm,
    ramdisk_proof: build.proof ?? null,
    queued_at: build.queued_at.toISOString(),
    started_at: iso(build.started_at),
    vm_ready_at: iso(build.vm_ready_at),
    checkout_done_at: iso(build.checkout_done_at),
    first_step_at: iso(build.first_step_at),
    finished_at: finishedAt.toISOString(),
    vm_gone_at: iso(build.vm_gone_at),
  };
}

function iso(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
