import type { BuildParameters } from '../../contract/provenance.ts';
import type { BuildRow } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { logDigest } from './log-digest.ts';
import { provenanceOf, sourceOf } from './provenance-of.ts';
import { ramdiskOf } from './ramdisk-of.ts';
import { signReceipt } from './sign-receipt.ts';

// A runner that lives tells sooner than this that the VM of a build that is over is gone.
const vmReportMs = 30_000;

/** A build that is over, with all that its statements tell of it. */
export interface BuildThatRan extends BuildRow {
  parameters: BuildParameters;
  started_at: Date;
  finished_at: Date;
  project_name: string;
  team_name: string;
}

/**
 * Signs the two statements of a build once it is over and its VM is gone: SLSA provenance, and what is known of its VM.
 * When nobody told within half a minute that the VM is gone, the runner is lost, and the statement says that nobody saw
 * it end. Both are stored or none; signing again answers the first ones. Throws 404, and 409 `build_not_over` when it is
 * too early or no runner was ever given the build.
 */
export async function signBuildReceipts(
  context: Pick<ApiContext, 'database' | 'custody' | 'signer' | 'now' | 'publicUrl'>,
  buildId: string,
): Promise<{ provenance: string; ramdisk: string }> {
  const row = await buildWithNames(context.database, buildId);
  if (!row) throw notFound('build', buildId);
  const signedAt = context.now();
  const build = asRun(row, signedAt);
  if (!build) {
    const detail = `The build ${buildId} was not run, is not over or its VM is not gone; it is attested after that.`;
    throw conflict('build_not_over', detail);
  }
  const log = await logDigest(context, build);
  const uses = await vmUses(context.database, build.vm);
  const about = {
    subject: build.id,
    source: sourceOf(build),
    teamId: build.team_id,
    projectId: build.project_id,
  };
  return await context.database.transaction().execute(async (transaction) => {
    const provenance = provenanceOf(build, { publicUrl: context.publicUrl, log, signedAt });
    const ramdisk = ramdiskOf(build, { uses, signedAt });
    return {
      provenance: await signReceipt(context, transaction, {
        ...about,
        kind: 'provenance',
        predicate: provenance,
      }),
      ramdisk: await signReceipt(context, transaction, { ...about, kind: 'ramdisk', predicate: ramdisk }),
    };
  });
}

type BuildWithNames = NonNullable<Awaited<ReturnType<typeof buildWithNames>>>;

async function buildWithNames(database: Database, id: string) {
  return await database
    .selectFrom('build')
    .innerJoin('project', 'project.id', 'build.project_id')
    .innerJoin('team', 'team.id', 'build.team_id')
    .selectAll('build')
    .select(['project.name as project_name', 'team.name as team_name'])
    .where('build.id', '=', id)
    .executeTakeFirst();
}

function asRun(build: BuildWithNames, now: Date): BuildThatRan | undefined {
  const { parameters, started_at, finished_at } = build;
  if (!parameters || !started_at || !finished_at) return undefined;
  const vmMayLive = build.vm !== null && !build.vm_gone_at;
  if (vmMayLive && finished_at.getTime() > now.getTime() - vmReportMs) return undefined;
  return { ...build, parameters, started_at, finished_at };
}

async function vmUses(database: Database, vm: string | null) {
  if (vm === null) return [];
  return await database
    .selectFrom('vm_use')
    .select(['build_id as build', 'attempt'])
    .where('vm', '=', vm)
    .execute();
}
