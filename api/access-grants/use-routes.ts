import { Type } from 'typebox';
import { Build } from '../../contract/build.ts';
import { LogQuery } from '../../contract/log-offset.ts';
import { Page } from '../../contract/page.ts';
import { BuildEnvironment, SourceRun } from '../../contract/support-access.ts';
import { untilTokenEnds } from '../auth/require-scope.ts';
import { enqueueBuild } from '../builds/enqueue-build.ts';
import { limitReaders } from '../builds/limit-readers.ts';
import { requireRoom } from '../builds/queue-room.ts';
import { sendEvents } from '../builds/send-events.ts';
import type { BuildRow } from '../builds/state-machine.ts';
import { findBuild, listBuilds, toBuild } from '../builds/store.ts';
import type { Routes } from '../http/app-type.ts';
import { once } from '../http/idempotency.ts';
import { textOf } from '../http/other-media.ts';
import { pageRequest } from '../http/page.ts';
import { sendLog } from '../logs/send-log.ts';
import { findProject, toProject } from '../projects/store.ts';
import { insertSourceRun } from './source-run.ts';
import type { GrantRow } from './store.ts';
import { stillGranted, type Use, useGrant } from './use-grant.ts';

const GrantParams = Type.Object({ id: Type.String() });
const BuildParams = Type.Object({ id: Type.String(), build: Type.String() });
const ProjectParams = Type.Object({ id: Type.String(), project: Type.String() });
const BuildsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
    project_id: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false },
);
const tags = ['support access'];

/** What the core crew may do under a grant. Each request is one use, checked anew and told to the team. */
export const grantUseRoutes: Routes = async (app, { context }) => {
  const { database } = context;
  const countReader = limitReaders();

  app.get(
    '/v1/access-grants/:id/builds',
    {
      schema: { tags, params: GrantParams, querystring: BuildsQuery, response: { 200: Page(Build) } },
    },
    async (request) => {
      const { project_id: projectId, ...query } = request.query;
      const page = pageRequest(query);
      const use = { grantId: request.params.id, what: 'builds.list', scopes: anyBuild, projectId };
      const { grant } = await useGrant(context, request, use);
      return await listBuilds(context, {
        ...page,
        teamId: grant.team_id,
        projectId: projectId ?? grant.project_id ?? undefined,
        accessGrantId: opensAllBuilds(grant) ? undefined : grant.id,
        liveProjects: true,
      });
    },
  );

  /** A build of a run under this very grant is opened by the scope that let it run. */
  const useOfBuild = async (what: string, { id, build }: { id: string; build: string }): Promise<Use> => {
    const row = await database
      .selectFrom('build')
      .select('access_grant_id')
      .where('id', '=', build)
      .executeTakeFirst();
    return { grantId: id, what, buildId: build, scopes: row?.access_grant_id === id ? anyBuild : ['logs'] };
  };
  const found = async (grant: GrantRow, id: string): Promise<BuildRow> => {
    const row = await findBuild(database, grant.team_id, id);
    if (!row) throw new Error(`The build ${id} vanished while it was looked at.`);
    return row;
  };

  app.get(
    '/v1/access-grants/:id/builds/:build',
    { schema: { tags, params: BuildParams, response: { 200: Build } } },
    async (request) => {
      const { grant } = await useGrant(context, request, await useOfBuild('build.read', request.params));
      return await toBuild(context, await found(grant, request.params.build));
    },
  );

  app.get(
    '/v1/access-grants/:id/builds/:build/log',
    {
      schema: {
        ...{ tags, params: BuildParams },
        querystring: LogQuery,
        response: textOf('text/plain'),
      },
    },
    async (request, reply) => {
      countReader(request, reply);
      const { grant } = await useGrant(context, request, await useOfBuild('build.log', request.params));
      const row = await found(grant, request.params.build);
      const mayGoOn = stillGranted(context, grant.id, request.principal);
      return await sendLog(context, row, request.query.offset ?? 0, reply, mayGoOn);
    },
  );

  app.get(
    '/v1/access-grants/:id/builds/:build/events',
    { schema: { tags, params: BuildParams, response: textOf('text/event-stream') } },
    async (request, reply) => {
      countReader(request, reply);
      const { grant } = await useGrant(context, request, await useOfBuild('build.events', request.params));
      const row = await found(grant, request.params.build);
      const granted = stillGranted(context, grant.id, request.principal);
      await sendEvents(context, row, request, reply, untilTokenEnds(context, request.principal, granted));
    },
  );

  app.get(
    '/v1/access-grants/:id/projects/:project/environment',
    { schema: { tags, params: ProjectParams, response: { 200: BuildEnvironment } } },
    async (request) => {
      const { id: grantId, project: projectId } = request.params;
      const use: Use = { grantId, what: 'project.environment', scopes: ['environment'], projectId };
      const { grant } = await useGrant(context, request, use);
      const row = await findProject(database, grant.team_id, projectId);
      if (!row) throw new Error(`The project ${projectId} vanished while it was looked at.`);
      return { ...toProject(row), project_id: row.id };
    },
  );

  app.post(
    '/v1/access-grants/:id/projects/:project/source-runs',
    {
      schema: {
        tags,
        params: ProjectParams,
        body: SourceRun,
        response: { 201: Build },
      },
    },
    async (request, reply) => {
      const { id: grantId, project: projectId } = request.params;
      const { body: run } = request;
      const use: Use = {
        ...{ grantId, what: 'source.run', scopes: ['source'], projectId },
        detail: { commit: run.commit, commands: run.commands },
      };
      const build = await once(context, request, reply, async () => {
        await requireRoom(context);
        const { result } = await useGrant(context, request, use, (transaction, grant) =>
          insertSourceRun(context, transaction, { grant, projectId, run }),
        );
        if (!result) throw new Error('A support run was told and not made.');
        await enqueueBuild(context, result);
        return await toBuild(context, result);
      });
      reply.header('location', `/v1/access-grants/${grantId}/builds/${build.id}`);
      return build;
    },
  );
};

const anyBuild: Use['scopes'] = ['logs', 'source'];

function opensAllBuilds({ scope }: GrantRow): boolean {
  return scope.includes('logs');
}
