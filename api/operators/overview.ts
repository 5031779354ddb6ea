import { sql } from 'kysely';
import { buildStates } from '../../contract/build.ts';
import type { OperatorOverview } from '../../contract/operator.ts';
import type { ApiContext } from '../context.ts';

const windowHours = 24;

/** How the machinery does. Every value is a count or a duration, or the id of a team. */
export async function overview(context: ApiContext): Promise<OperatorOverview> {
  const since = new Date(context.now().getTime() - windowHours * 3_600_000);
  const [builds, queue, vms, teams] = await Promise.all([
    countByState(context, since),
    countQueue(context),
    countVms(context),
    durations(context, since),
  ]);
  return { window_hours: windowHours, builds, queue, vms, teams };
}

async function countByState({ database }: ApiContext, since: Date): Promise<Record<string, number>> {
  const rows = await database
    .selectFrom('build')
    .select(['state', sql<number>`count(*)::int`.as('count')])
    .where(({ or, eb }) => or([eb('finished_at', 'is', null), eb('finished_at', '>=', since)]))
    .groupBy('state')
    .execute();
  const counts = new Map<string, number>(rows.map(({ state, count }) => [state, count]));
  return Object.fromEntries(buildStates.map((state) => [state, counts.get(state) ?? 0]));
}

async function countQueue({ queue }: ApiContext): Promise<OperatorOverview['queue']> {
  return await queue.counts();
}

/** One that lost its runner is not counted once it must have ended itself, though nobody saw it end. */
async function countVms({ database }: ApiContext): Promise<number> {
  const { count } = await database
    .selectFrom('vm_use')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('gone_at', 'is', null)
    .where('left_at', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

async function durations({ database }: ApiContext, since: Date): Promise<OperatorOverview['teams']> {
  const seconds = (share: number, from: string, until: string) =>
    sql<number>`percentile_cont(${sql.lit(share)}) within group (order by extract(epoch from ${sql.ref(until)} - ${sql.ref(from)}))::float8`;
  return await database
    .selectFrom('build')
    .select(['team_id', sql<number>`count(*)::int`.as('builds')])
    .select([
      seconds(0.5, 'started_at', 'finished_at').as('duration_p50'),
      seconds(0.95, 'started_at', 'finished_at').as('duration_p95'),
      seconds(0.5, 'queued_at', 'started_at').as('wait_p50'),
      seconds(0.95, 'queued_at', 'started_at').as('wait_p95'),
    ])
    .where('finished_at', '>=', since)
    .where('started_at', 'is not', null)
    .groupBy('team_id')
    .orderBy('team_id')
    .execute();
}
