import type { Build } from '../contract/build.ts';
import type { Project } from '../contract/project.ts';
import { CliError } from './cli-error.ts';
import type { Client } from './client.ts';

/** A project by its id or as team/project. */
export async function findProject(client: Client, name: string): Promise<Project> {
  if (name.startsWith('prj_')) return await client.get<Project>(`/v1/projects/${encodeURIComponent(name)}`);
  const [project] = await named<Project>(client, 'projects', name);
  if (!project)
    throw new CliError(`There is no project ${name}. Name it team/project, as terraform import does.`);
  return project;
}

/** A build by its id, or the last one of a project. */
export async function findBuild(client: Client, name: string): Promise<string> {
  if (name.startsWith('bld_')) return name;
  const [build] = await lastBuilds(client, (await findProject(client, name)).id, 1);
  if (!build) throw new CliError(`${name} has no build yet. Push to it, or start one: ebb build ${name}.`);
  return build.id;
}

/** Builds of a project, the newest first. */
export async function lastBuilds(client: Client, projectId: string, limit: number): Promise<Build[]> {
  const path = `/v1/builds?limit=${limit}&project_id=${encodeURIComponent(projectId)}`;
  return (await client.get<{ items: Build[] }>(path)).items;
}

/** The id of a project or connection: by its id, as team/name, or by its name alone. */
export async function findId(client: Client, kind: 'project' | 'connection', name: string): Promise<string> {
  if (/^(prj|conn)_[0-9a-z]{26}$/.test(name)) return name;
  if (name.includes('/')) {
    const [found] = await named<{ id: string }>(client, `${kind}s`, name);
    if (found) return found.id;
  }
  let cursor: string | null = name.includes('/') ? null : '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: { items: { id: string; name: string }[]; next_cursor: string | null } = await client.get(
      `/v1/${kind}s?limit=200${query}`,
    );
    const found = page.items.find((item) => item.name === name);
    if (found) return found.id;
    cursor = page.next_cursor;
  }
  throw new CliError(
    `There is no ${kind} ${name} in this team. Name it team/${kind}, by its name or by its id.`,
  );
}

async function named<T>(client: Client, collection: string, name: string): Promise<T[]> {
  const path = `/v1/${collection}?natural_id=${encodeURIComponent(name)}`;
  return (await client.get<{ items: T[] }>(path)).items;
}
