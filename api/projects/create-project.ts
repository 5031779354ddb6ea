import { collectSoon } from '../../contract/collect-garbage.ts';
import { type Project, type ProjectCreation, project } from '../../contract/project.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import { findConnection } from '../connections/store.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { howToImport } from '../http/how-to-import.ts';
import { conflict, invalidField, type ProblemError } from '../http/problem-error.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { teamName } from '../teams/team-name.ts';
import { checkImage } from './check-image.ts';
import { checkEnvironment } from './environment-names.ts';
import { findProject, insertProject, toProject } from './store.ts';

const hostTimeoutMs = 10_000;

/** Makes a project with a key pair of its own, after the source host has shown the repository. */
export async function createProject(
  context: ApiContext,
  { teamId, keyId }: Principal,
  body: ProjectCreation,
): Promise<Project> {
  const declared = body as Required<ProjectCreation>;
  checkEnvironment(declared.environment);
  checkImage(declared);
  const repositoryId = await checkRepository(context, teamId, declared);
  const id = newId('prj');
  const key = await context.custody.createProjectKey(id);
  collectSoon();
  const made = {
    ...{ ...declared, id, team_id: teamId, repository_id: repositoryId ?? null, created_at: context.now() },
    ...{ public_key: key.publicKey, wrapped_private_key: key.wrappedPrivateKey },
  };
  await transact(context, async (inside) => {
    if (!(await insertProject(inside.database, made)))
      throw nameTaken(await teamName(inside.database, teamId), made.name);
    const { name, repository, connection_id: connection } = made;
    const detail = { name, repository, connection, environment: Object.keys(made.environment).sort() };
    await recordAudit(inside, { teamId, action: 'project.created', actor: keyId, subject: id, detail });
  });
  const row = await findProject(context.database, teamId, id);
  if (!row) throw new Error(`The project ${id} vanished while it was made.`);
  return toProject(row);
}

function nameTaken(team: string, name: string): ProblemError {
  const detail = `The team has a project ${name} already. ${howToImport(project, team, { name })} or choose another name.`;
  return conflict('name_taken', detail, 'name');
}

/** Gives the repository's id at the source host, where it has one. */
async function checkRepository(
  context: ApiContext,
  teamId: string,
  project: Required<ProjectCreation>,
): Promise<string | undefined> {
  const connection = await findConnection(context.database, teamId, project.connection_id);
  if (!connection)
    throw invalidField('connection_id', `There is no connection ${project.connection_id} in this team.`);
  const host = context.sourceHosts.of({ ...connection, connection_id: connection.id });
  if (!host)
    throw invalidField(
      'connection_id',
      `Its kind ${connection.kind} is not served by this installation of Ebb.`,
    );
  try {
    return (await host.inspect(project.repository, AbortSignal.timeout(hostTimeoutMs))).id;
  } catch (error) {
    if (error instanceof SourceHostError && error.code === 'repository_not_found')
      throw invalidField('repository', error.message);
    throw sourceHostProblem(error);
  }
}
