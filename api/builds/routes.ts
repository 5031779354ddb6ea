import { Type } from 'typebox';
import { Build, BuildCreation, finalStates } from '../../contract/build.ts';
import { LogQuery } from '../../contract/log-offset.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject, stillGood, untilTokenEnds } from '../auth/require-scope.ts';
import type { Database } from '../db/database.ts';
import type { Routes } from '../http/app-type.ts';
import { once } from '../http/idempotency.ts';
import { textOf } from '../http/other-media.ts';
import { pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { sendShared } from '../http/send-shared.ts';
import { sendLog } from '../logs/send-log.ts';
import { approveBuild } from './approve-build.ts';
import { cancelBuild } from './cancel-build.ts';
import { createBuild } from './create-build.ts';
import { limitReaders } from './limit-readers.ts';
import { runnerRoutes } from './runner-routes.ts';
import { sendEvents } from './send-events.ts';
import type { BuildRow } from './state-machine.ts';
import { findBuild, listBuilds, toBuild, withoutPlace } from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['builds'];

export const buildRoutes: Routes = async (app, { context }) => {
  await app.register(runnerRoutes, { context });
  const countReader = limitReaders();

  const find = async (principal: Principal, id: string) => {
    const row = await findBuild(context.database, principal.teamId, id);
    if (!row) throw notFound('build', id);
    requireProject(principal, row.project_id);
    return row;
  };

  app.post(
    '/v1/builds',
    {
      schema: { tags, body: BuildCreation, response: { 201: Build } },
    },
    async (request, reply) => {
      requireProject(request.principal, request.body.project_id);
      return await once<Build>(context, request, reply, async (remember) => {
        const accept = (transaction: Database, row: BuildRow) => remember(transaction, withoutPlace(row));
        return await toBuild(context, await createBuild(context, request.principal, request.body, accept));
      });
    },
  );

  app.get(
    '/v1/builds',
    { schema: { tags, querystring: PageQuery, response: { 200: Page(Build) } } },
    async (request, reply) => {
      const page = pageRequest(request.query);
      const projectId = projectOfList(request.principal, request.query.project_id);
      const { teamId } = request.principal;
      return sendShared(reply, await listBuilds(context, { ...page, teamId, projectId }));
    },
  );

  app.get(
    '/v1/builds/:id',
    { schema: { tags, params: IdParams, response: { 200: Build } } },
    async (request) => toBuild(context, await find(request.principal, request.params.id)),
  );

  app.post(
    '/v1/builds/:id/cancel',
    { schema: { tags, params: IdParams, response: { 200: Build, 202: Build } } },
    async (request, reply) => {
      const row = await find(request.principal, request.params.id);
      if (finalStates.includes(row.state)) return await toBuild(context, row);
      await cancelBuild(context, row.id, 'Cancelled by request.', request.principal.keyId);
      reply.code(202);
      return await toBuild(context, await find(request.principal, row.id));
    },
  );

  app.post(
    '/v1/builds/:id/approve',
    {
      schema: { tags, params: IdParams, response: { 200: Build } },
    },
    async (request) => {
      const row = await find(request.principal, request.params.id);
      await approveBuild(context, row, request.principal.keyId);
      return await toBuild(context, await find(request.principal, row.id));
    },
  );

  app.get(
    '/v1/builds/:id/log',
    {
      schema: {
        tags,
        params: IdParams,
        querystring: LogQuery,
        response: textOf('text/plain'),
      },
    },
    async (request, reply) => {
      const row = await find(request.principal, request.params.id);
      countReader(request, reply);
      const mayGoOn = stillGood(context, request.principal, 'logs:read');
      return await sendLog(context, row, request.query.offset ?? 0, reply, mayGoOn);
    },
  );

  const events = { tags, params: IdParams, response: textOf('text/event-stream') };
  app.get('/v1/builds/:id/events', { schema: events }, async (request, reply) => {
    const row = await find(request.principal, request.params.id);
    countReader(request, reply);
    const good = stillGood(context, request.principal, 'logs:read');
    await sendEvents(context, row, request, reply, untilTokenEnds(context, request.principal, good));
  });
};
