import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import type { SourceHost } from '../source-hosts/source-host.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { commitStatus } from './commit-status.ts';

const callMs = 15_000;
// Longer than all calls of one claim may take, so that no two processes report the same build at once.
const claimMs = 120_000;
const perConnection = 5;
const longestPauseMs = 600_000;
const triedForMs = 3 * 86_400_000;

/**
 * Tells source hosts the states of builds that changed since they were last told; resolves with how many were told.
 * Each connection's are sent one after the other, those of different connections at once. What a host refuses for good
 * is not tried again, what it may take later is.
 */
export async function reportStatuses(context: ApiContext, signal: AbortSignal): Promise<number> {
  const due = await claimDue(context);
  const byConnection = Map.groupBy(due, ({ connection_id }) => connection_id);
  const told = await Promise.all(
    [...byConnection.values()].map((builds) => reportOf(context, builds, signal)),
  );
  return told.reduce((sum, count) => sum + count, 0);
}

type Due = Awaited<ReturnType<typeof claimDue>>[number];

async function claimDue({ database, now }: ApiContext) {
  const at = now();
  const due = database
    .selectFrom('build')
    .innerJoin('project', 'project.id', 'build.project_id')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .select('build.id')
    .select(sql<number>`row_number() over (partition by project.connection_id order by build.id)`.as('turn'))
    .where('connection.deleted_at', 'is', null)
    // What the crew tries says nothing of the commit.
    .where('build.trigger', '<>', 'support')
    .whereRef('build.status_reported', '<', 'build.status_version')
    .where(({ or, eb }) => or([eb('status_retry_at', 'is', null), eb('status_retry_at', '<=', at)]));
  const claimed = await database
    .updateTable('build')
    .set({ status_retry_at: new Date(at.getTime() + claimMs) })
    .where('id', 'in', (query) =>
      query.selectFrom(due.as('due')).select('id').where('turn', '<=', perConnection),
    )
    // Once more, because another process may have claimed it meanwhile.
    .where(({ or, eb }) => or([eb('status_retry_at', 'is', null), eb('status_retry_at', '<=', at)]))
    .returning('id')
    .execute();
  if (claimed.length === 0) return [];
  return await database
    .selectFrom('build')
    .innerJoin('project', 'project.id', 'build.project_id')
    .innerJoin('connection', 'connection.id', 'project.connection_id')
    .selectAll('build')
    .select(['project.name as project_name', 'project.repository', 'project.repository_id'])
    .select(hostColumns)
    .where(
      'build.id',
      'in',
      claimed.map(({ id }) => id),
    )
    .orderBy('build.id')
    .execute();
}

async function reportOf(context: ApiContext, builds: Due[], signal: AbortSignal): Promise<number> {
  let told = 0;
  let pauseMs: number | undefined;
  for (const build of builds) {
    if (signal.aborted) return told;
    if (pauseMs !== undefined) {
      await settle(context, build, { status_retry_at: new Date(context.now().getTime() + pauseMs) });
      continue;
    }
    const host = context.sourceHosts.of(build);
    const outcome = host?.reportStatus ? await report(context, host, build, signal) : 'told';
    if (outcome === 'told') {
      const done = { status_reported: build.status_version, status_retry_at: null, status_failures: 0 };
      await settle(context, build, done);
      told += 1;
    } else {
      ({ pauseMs } = outcome);
      const fields = { status_retry_at: new Date(context.now().getTime() + pauseMs) };
      await settle(context, build, { ...fields, status_failures: build.status_failures + outcome.failures });
    }
  }
  return told;
}

async function settle(
  { database }: ApiContext,
  { id }: Due,
  fields: { status_reported?: number; status_retry_at: Date | null; status_failures?: number },
): Promise<void> {
  await database.updateTable('build').set(fields).where('id', '=', id).execute();
}

/** `told` also when it never can be, or was tried for days. */
async function report(
  context: ApiContext,
  host: SourceHost,
  build: Due,
  signal: AbortSignal,
): Promise<'told' | { pauseMs: number; failures: number }> {
  const status = commitStatus(build, build.project_name, context.publicUrl);
  try {
    await withDeadline(
      signal,
      callMs,
      async (inTime) => await host.reportStatus?.(build.repository, status, inTime),
    );
    return 'told';
  } catch (error) {
    signal.throwIfAborted();
    const verdict = judgeFailure(build, error, context.now());
    if (verdict !== 'given up') return verdict;
    const reason = error instanceof Error ? error.message : String(error);
    context.log.warn({ build: build.id, reason }, 'a source host was not told of a build');
    await context.auditRefusal({
      ...{ teamId: build.team_id, action: 'commit_status.refused', actor: 'source host' },
      ...{ subject: build.project_id, detail: { build: build.id, commit: build.commit, reason } },
    });
    return 'told';
  }
}

function judgeFailure(
  { status_failures, queued_at, finished_at }: Due,
  error: unknown,
  now: Date,
): 'given up' | { pauseMs: number; failures: number } {
  const code = error instanceof SourceHostError ? error.code : undefined;
  if (error instanceof SourceHostError && code === 'rate_limited')
    return { pauseMs: (error.retryAfterSeconds ?? 60) * 1000, failures: 0 };
  const isOld = now.getTime() - (finished_at ?? queued_at).getTime() > triedForMs;
  if (isOld) return 'given up';
  // Somebody may give the connection another credential.
  if (code === 'unauthorized') return { pauseMs: longestPauseMs, failures: 0 };
  const mayHelp = code === undefined || code === 'unreachable' || code === 'timeout';
  if (!mayHelp) return 'given up';
  return { pauseMs: Math.min(2_000 * 2 ** status_failures, longestPauseMs), failures: 1 };
}
