import type { Build } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import type { PageRequest } from '../http/page.ts';
import type { BuildRow } from './state-machine.ts';
import { waitingReasons } from './waiting-reason.ts';

/** What the API answers for at most 200 builds; those that wait say why. */
export async function toBuilds(context: ApiContext, rows: BuildRow[]): Promise<Build[]> {
  const waiting = rows.filter(({ state }) => state === 'queued');
  const words = await waitingReasons(context, waiting);
  const reasons = new Map(waiting.map(({ id }, index) => [id, words[index]]));
  return rows.map((row) => ({ ...withoutPlace(row), reason: reasons.get(row.id) ?? row.reason }));
}

/** The same for one. */
export async function toBuild(context: ApiContext, row: BuildRow): Promise<Build> {
  const [build] = await toBuilds(context, [row]);
  return build ?? withoutPlace(row);
}

/** The same without asking the queue. */
export function withoutPlace(row: BuildRow): Build {
  const iso = (moment: Date | null) => moment?.toISOString() ?? null;
  const { id, project_id, number, state, reason, trigger, ref, branch, commit, message, attempt, phase, vm } =
    row;
  return {
    ...{ id, project_id, number, state, reason, trigger, ref, branch, commit, message, attempt, phase, vm },
    priority: row.priority,
    pull_request: row.pull_request === null ? null : { number: row.pull_request, from_fork: row.from_fork },
    access_grant_id: row.access_grant_id,
    failed_command: row.failed_command,
    exit_code: row.exit_code,
    queued_at: row.queued_at.toISOString(),
    started_at: iso(row.started_at),
    vm_ready_at: iso(row.vm_ready_at),
    checkout_done_at: iso(row.checkout_done_at),
    first_step_at: iso(row.first_step_at),
    finished_at: iso(row.finished_at),
    vm_gone_at: iso(row.vm_gone_at),
  };
}

export async function findBuild(
  database: Database,
  teamId: string,
  id: string,
): Promise<BuildRow | undefined> {
  const row = await findAnyBuild(database, id);
  return row?.team_id === teamId ? row : undefined;
}

/** Of whatever team, for who knows already that it may be read. */
export const findAnyBuild = gather(
  async (database, ids: string[]) => {
    const rows = await database.selectFrom('build').selectAll().where('id', 'in', ids).execute();
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  },
  (id) => id,
);

/** Newest first. */
export async function listBuilds(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  {
    projectId,
    accessGrantId,
    liveProjects = false,
  }: { projectId?: string | undefined; accessGrantId?: string | undefined; liveProjects?: boolean },
): Promise<BuildRow[]> {
  return await database
    .selectFrom('build')
    .selectAll()
    .where('team_id', '=', teamId)
    .$if(after !== undefined, (query) => query.where('id', '<', after ?? ''))
    .$if(projectId !== undefined, (query) => query.where('project_id', '=', projectId ?? ''))
    .$if(accessGrantId !== undefined, (query) => query.where('access_grant_id', '=', accessGrantId ?? ''))
    .$if(liveProjects, (query) =>
      query.where('project_id', 'in', (of) =>
        of.selectFrom('project').select('id').where('team_id', '=', teamId).where('revoking_at', 'is', null),
      ),
    )
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
}
