import { Type } from 'typebox';
import { Page, PageQuery } from '../../contract/page.ts';
import { project } from '../../contract/project.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { nothing } from '../http/other-media.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { askToRevoke } from '../revocation/ask-to-revoke.ts';
import { changeProject } from './change-project.ts';
import { createProject } from './create-project.ts';
import { findProject, listProjects, toProject } from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['projects'];

export const projectRoutes: Routes = async (app, { context }) => {
  const find = async (principal: Principal, id: string) => {
    requireProject(principal, id);
    const row = await findProject(context.database, principal.teamId, id);
    if (!row) throw notFound('project', id);
    return row;
  };

  app.post(
    '/v1/projects',
    {
      schema: { tags, body: project.creation, response: { 201: project.representation } },
    },
    async (request, reply) => {
      return await once(context, request, reply, () =>
        createProject(context, request.principal, request.body),
      );
    },
  );

  app.get(
    '/v1/projects',
    {
      schema: { tags, querystring: PageQuery, response: { 200: Page(project.representation) } },
    },
    async (request) => {
      const page = pageRequest(request.query);
      const natural = splitNaturalId(request.query.natural_id, ['team', 'name']);
      const projectId = projectOfList(request.principal, request.query.project_id);
      const rows = await listProjects(context.database, request.principal.teamId, page, {
        natural,
        projectId,
      });
      return pageOf(rows, page, toProject);
    },
  );

  app.get(
    '/v1/projects/:id',
    { schema: { tags, params: IdParams, response: { 200: project.representation } } },
    async (request, reply) =>
      sendRepresentation(reply, toProject(await find(request.principal, request.params.id))),
  );

  app.patch(
    '/v1/projects/:id',
    {
      schema: { tags, params: IdParams, body: project.change, response: { 200: project.representation } },
    },
    async (request, reply) => {
      const row = await find(request.principal, request.params.id);
      const current = toProject(row);
      requireMatch(request, current);
      const changed = await changeProject(context, row, request.body, request.principal.keyId);
      // Builds that wait already go by the new number at once; where Redis is away the sweeper sets it.
      await context.queue.setConcurrency(current.id, changed.concurrency).catch(() => undefined);
      return sendRepresentation(reply, toProject(await find(request.principal, current.id)));
    },
  );

  const ended = { 202: nothing, 204: nothing };
  app.delete(
    '/v1/projects/:id',
    { schema: { tags, params: IdParams, response: ended } },
    async (request, reply) => {
      const { id } = await find(request.principal, request.params.id);
      const asked = { kind: 'project', subject: id, by: request.principal.keyId } as const;
      const revocation = await askToRevoke(context, asked);
      if (!revocation.receipt_id) return reply.code(202).header('retry-after', '2').send();
      return reply.code(204).header('ebb-receipt', revocation.receipt_id).send();
    },
  );
};
