import type { Build } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { gather } from '../db/gather.ts';
import { type PageRequest, pageOf } from '../http/page.ts';
import { shareReads } from '../share-reads.ts';
import type { BuildRow } from './state-machine.ts';
import { waitingReasons } from './waiting-reason.ts';

/** What of its row the API shows of a build. The rest is larger, and of no use in a list. */
const shownColumns = [
  ...(['id', 'project_id', 'team_id', 'number', 'state', 'reason', 'trigger', 'ref', 'branch'] as const),
  ...(['commit', 'message', 'attempt', 'phase', 'vm', 'priority', 'pull_request', 'from_fork'] as const),
  ...(['access_grant_id', 'failed_command', 'exit_code', 'queued_at', 'started_at', 'vm_ready_at'] as const),
  ...(['checkout_done_at', 'first_step_at', 'finished_at', 'vm_gone_at'] as const),
];
type ShownRow = Pick<BuildRow, (typeof shownColumns)[number]>;

/** What the API answers for at most 200 builds; those that wait say why. */
export async function toBuilds(context: ApiContext, rows: ShownRow[]): Promise<Build[]> {
  const waiting = rows.filter(({ state }) => state === 'queued');
  const words = await waitingReasons(context, waiting);
  const reasons = new Map(waiting.map(({ id }, index) => [id, words[index]]));
  return rows.map((row) => ({ ...withoutPlace(row), reason: reasons.get(row.id) ?? row.reason }));
}

/** The same for one. */
export async function toBuild(context: ApiContext, row: ShownRow): Promise<Build> {
  const [build] = await toBuilds(context, [row]);
  return build ?? withoutPlace(row);
}

/** The same without asking the queue. */
export function withoutPlace(row: ShownRow): Build {
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

interface ListRequest extends PageRequest {
  teamId: string;
  projectId?: string | undefined;
  accessGrantId?: string | undefined;
  /** Without the builds of projects that are being revoked. */
  liveProjects?: boolean;
}

/** One page of a team's builds, newest first. Many who ask for the same page at once, as those who watch it do, share one reading. */
export async function listBuilds(context: ApiContext, asked: ListRequest) {
  return await readPage(context.database, { context, asked });
}

const readPage = shareReads(
  async (database: Database, { context, asked }: { context: ApiContext; asked: ListRequest }) => {
    const rows = await pageQuery(database, asked).execute();
    const { items, next_cursor } = pageOf(rows, asked, (row) => row);
    return { items: await toBuilds(context, items), next_cursor };
  },
  ({ asked: { teamId, limit, after, projectId, accessGrantId, liveProjects } }) =>
    JSON.stringify([teamId, limit, after, projectId, accessGrantId, liveProjects]),
);

function pageQuery(
  database: Database,
  { teamId, limit, after, projectId, accessGrantId, liveProjects = false }: ListRequest,
) {
  return database
    .selectFrom('build')
    .select(shownColumns)
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
    .limit(limit + 1);
}
