import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiKey } from '../../api/auth/api-key.ts';
import type { Database } from '../../api/db/database.ts';
import { newId } from '../../api/db/new-id.ts';
import { commit } from '../../api/test-client.ts';
import { type Client, createClient } from '../../cli/client.ts';
import { createRepository } from '../../cli/dev/repository.ts';
import { teamScopes } from '../../contract/token.ts';
import type { ApiForTests } from '../api-for-tests.ts';
import type { Commands } from './commands.ts';

/** What its builds do, when nothing goes wrong. */
export interface ProjectUnderTest {
  id: string;
  client: Client;
  apiKey: string;
  /** Names and counts of the lines that a build prints, in their order. */
  prints: { name: string; lines: number }[];
  fails: boolean;
  deploys: boolean;
  /** How many of its builds may run at once. */
  concurrency: number;
}

/**
 * Declares projects for each team: of ten, two fail by a command, and four deploy. Their concurrency is from 1 to 4.
 */
export async function declareTeams(options: {
  api: Pick<ApiForTests, 'url' | 'repositories'>;
  database: Database;
  teams: number;
  projectsOfTeam: number;
  commands: Commands;
}): Promise<ProjectUnderTest[]> {
  const { api, database, teams, projectsOfTeam, commands } = options;
  const first = await createRepository(api.repositories, 'team-0');
  await commit(first);
  const projects: ProjectUnderTest[] = [];
  for (let team = 0; team < teams; team += 1) {
    const repository = `team-${team}`;
    if (team > 0) await cp(first, join(api.repositories, `${repository}.git`), { recursive: true });
    const id = newId('team');
    await database.insertInto('team').values({ id, name: repository, created_at: new Date() }).execute();
    const granted = { teamId: id, name: repository, scopes: [...teamScopes], now: new Date() };
    const apiKey = await createApiKey(database, granted);
    const client = createClient({ endpoint: api.url, apiKey });
    const connection = await client.post<{ id: string }>('/v1/connections', { name: 'local', kind: 'local' });
    for (let number = 0; number < projectsOfTeam; number += 1) {
      const index = team * projectsOfTeam + number;
      const about = { client, apiKey, ...describe(index) };
      const declared = { connection_id: connection.id, repository, name: `project-${index}` };
      const project = await client.post<{ id: string }>('/v1/projects', {
        ...declared,
        ...commandsOf(about, commands),
        concurrency: about.concurrency,
      });
      await client.post('/v1/deploy-keys', { project_id: project.id });
      projects.push({ id: project.id, ...about });
    }
  }
  return projects;
}

function describe(index: number): Pick<ProjectUnderTest, 'prints' | 'fails' | 'deploys' | 'concurrency'> {
  const fails = index % 5 === 3;
  const deploys = !fails && index % 2 === 0;
  const prints = [
    { name: 'install', lines: 5 },
    { name: 'compile', lines: 5 },
    { name: 'test', lines: 15 + (index % 3) * 15 },
    ...(deploys ? [{ name: 'deploy', lines: 10 }] : []),
  ];
  return { prints, fails, deploys, concurrency: 1 + (index % 4) };
}

function commandsOf({ prints, fails, deploys }: ReturnType<typeof describe>, commands: Commands) {
  const [install, compile, test, deploy] = prints;
  if (!install || !compile || !test) throw new Error('A project prints in its setup and its test.');
  return {
    // Two in a phase: from one to the next a runner asks nobody.
    setup: [install, compile].map(({ name, lines }) => commands.print(name, lines)),
    test: [commands.print(test.name, test.lines, fails ? 3 : 0)],
    deploy:
      deploys && deploy ? [{ branch: 'main', commands: [commands.deploy(deploy.name, deploy.lines)] }] : [],
  };
}
