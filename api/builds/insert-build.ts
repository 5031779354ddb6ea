import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { BuildRow } from './state-machine.ts';

export interface NewBuild {
  projectId: string;
  teamId: string;
  trigger: 'push' | 'api';
  branch: string;
  commit: string;
  message: string;
}

/** Writes the row of a new build with the next number of its project; run it in a transaction. */
export async function insertBuild(transaction: Database, build: NewBuild, now: Date): Promise<BuildRow> {
  const { build_count } = await transaction
    .updateTable('project')
    .set({ build_count: sql`build_count + 1` })
    .where('id', '=', build.projectId)
    .returning('build_count')
    .executeTakeFirstOrThrow();
  return await transaction
    .insertInto('build')
    .values({
      id: newId('bld', now.getTime()),
      project_id: build.projectId,
      team_id: build.teamId,
      number: build_count,
      state: 'queued',
      trigger: build.trigger,
      branch: build.branch,
      commit: build.commit,
      message: build.message,
      queued_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}
