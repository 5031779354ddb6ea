import { sql } from 'kysely';
import type { Trigger } from '../../contract/build.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { conflict } from '../http/problem-error.ts';
import type { BuildRow } from './state-machine.ts';

export interface NewBuild {
  projectId: string;
  teamId: string;
  trigger: Trigger;
  /** Full ref, such as `refs/heads/main`. */
  ref: string;
  /** Short name of the branch or tag. */
  branch: string;
  commit: string;
  message: string;
  /** As in the contract; 0 when absent. */
  priority?: number;
  /** `at`: when it was changed so, by the source host's clock. */
  pullRequest?: { number: number; fromFork: boolean; at?: string };
  /** Commands that the core crew runs instead of the project's, and the grant that lets it. */
  support?: { accessGrantId: string; commands: string[] };
}

const awaitingApproval = {
  state: 'awaiting_approval' as const,
  reason:
    'This pull request comes from a fork. A maintainer may let it in: `ebb approve` and the id of this build.',
};

/**
 * Writes the row of a new build with the next number of its project; run it in a transaction. One from a fork awaits
 * a maintainer's approval, any other is queued. Throws 409 when the project is being revoked: no build may appear
 * after the revocation has cancelled them all.
 */
export async function insertBuild(transaction: Database, build: NewBuild, now: Date): Promise<BuildRow> {
  const project = await transaction
    .updateTable('project')
    .set({ build_count: sql`build_count + 1` })
    .where('id', '=', build.projectId)
    .where('revoking_at', 'is', null)
    .returning('build_count')
    .executeTakeFirst();
  if (!project) throw conflict('project_revoked', 'The project is being revoked; it is not built any more.');
  return await transaction
    .insertInto('build')
    .values({
      id: newId('bld', now.getTime()),
      project_id: build.projectId,
      team_id: build.teamId,
      number: project.build_count,
      ...(build.pullRequest?.fromFork ? awaitingApproval : { state: 'queued' as const }),
      trigger: build.trigger,
      ref: build.ref,
      pull_request: build.pullRequest?.number ?? null,
      pull_request_at: build.pullRequest?.at ? new Date(build.pullRequest.at) : null,
      from_fork: build.pullRequest?.fromFork ?? false,
      status_version: 1,
      access_grant_id: build.support?.accessGrantId ?? null,
      support_commands: build.support ? json(build.support.commands) : null,
      branch: build.branch,
      commit: build.commit,
      message: build.message,
      priority: build.priority ?? 0,
      queued_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}
