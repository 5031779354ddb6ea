import type { Selectable } from 'kysely';
import type { Project } from '../../contract/project.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';
import { conflict } from '../http/problem-error.ts';

export type ProjectRow = Selectable<Schema['project']> & { team: string };

export function toProject(row: ProjectRow): Project {
  return {
    id: row.id,
    team: row.team,
    created_at: row.created_at.toISOString(),
    connection_id: row.connection_id,
    name: row.name,
    repository: row.repository,
    default_branch: row.default_branch,
    setup: row.setup,
    test: row.test,
    deploy: row.deploy,
    environment: row.environment,
    timeout_minutes: row.timeout_minutes,
    concurrency: row.concurrency,
    cancel_intermediate_builds: row.cancel_intermediate_builds,
    image: row.image,
    memory_mib: row.memory_mib,
  };
}

/** Projects of a team that are not revoked. */
function select(database: Database, teamId: string) {
  return database
    .selectFrom('project')
    .innerJoin('team', 'team.id', 'project.team_id')
    .selectAll('project')
    .select('team.name as team')
    .where('project.team_id', '=', teamId)
    .where('project.revoked_at', 'is', null);
}

export async function findProject(
  database: Database,
  teamId: string,
  id: string,
): Promise<ProjectRow | undefined> {
  return await select(database, teamId).where('project.id', '=', id).executeTakeFirst();
}

export async function listProjects(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  filter: {
    natural?: { team: string; name: string } | undefined;
    projectId?: string | undefined;
  },
): Promise<ProjectRow[]> {
  const { natural, projectId } = filter;
  return await select(database, teamId)
    .$if(after !== undefined, (query) => query.where('project.id', '>', after ?? ''))
    .$if(projectId !== undefined, (query) => query.where('project.id', '=', projectId ?? ''))
    .$if(natural !== undefined, (query) =>
      query.where('team.name', '=', natural?.team ?? '').where('project.name', '=', natural?.name ?? ''),
    )
    .orderBy('project.id')
    .limit(limit + 1)
    .execute();
}

export interface NewProject extends Omit<Project, 'team' | 'created_at'> {
  team_id: string;
  repository_id: string | null;
  public_key: Schema['project']['public_key'];
  wrapped_private_key: string;
  created_at: Date;
}

/**
 * False when the team has a live project of this name. Run it in a transaction: its connection is locked against a
 * revocation that begins meanwhile and would miss the project: 409 then.
 */
export async function insertProject(transaction: Database, project: NewProject): Promise<boolean> {
  const connection = await transaction
    .selectFrom('connection')
    .select('id')
    .where('id', '=', project.connection_id)
    .where('revoking_at', 'is', null)
    .where('deleted_at', 'is', null)
    .forShare()
    .executeTakeFirst();
  if (!connection) {
    throw conflict('connection_revoked', 'The connection is being revoked.', 'connection_id');
  }
  const made = await transaction
    .insertInto('project')
    .values({
      ...project,
      setup: json(project.setup),
      test: json(project.test),
      deploy: json(project.deploy),
      environment: json(project.environment),
      public_key: json(project.public_key),
      revoking_at: null,
      revoked_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return made !== undefined;
}

/** Writes the changeable attributes unless somebody else did since `version`. */
export async function updateProject(database: Database, project: Project, version: number): Promise<boolean> {
  const result = await database
    .updateTable('project')
    .set({
      default_branch: project.default_branch,
      setup: json(project.setup),
      test: json(project.test),
      deploy: json(project.deploy),
      environment: json(project.environment),
      timeout_minutes: project.timeout_minutes,
      concurrency: project.concurrency,
      cancel_intermediate_builds: project.cancel_intermediate_builds,
      image: project.image,
      memory_mib: project.memory_mib,
      version: version + 1,
    })
    .where('id', '=', project.id)
    .where('version', '=', version)
    .where('revoking_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}
