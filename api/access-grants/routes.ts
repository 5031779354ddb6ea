import { Type } from 'typebox';
import { accessGrant } from '../../contract/access-grant.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject, requireTeamToken } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { takeBack } from './end-grant.ts';
import { giveGrant, moveEnd } from './give-grant.ts';
import { findGrant, listGrants, toGrant } from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['access grants'];

/** /v1/access-grants, for the team that gives them. */
export const accessGrantRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (principal: Principal, id: string) => {
    const row = await findGrant(database, principal.teamId, id);
    if (!row) throw notFound('access grant', id);
    requireReach(principal, row.project_id ?? undefined);
    return row;
  };

  app.post(
    '/v1/access-grants',
    {
      schema: { tags, body: accessGrant.creation, response: { 201: accessGrant.representation } },
    },
    async (request, reply) => {
      requireReach(request.principal, request.body.project_id);
      return await once(context, request, reply, () => giveGrant(context, request.principal, request.body));
    },
  );

  app.get(
    '/v1/access-grants',
    {
      schema: { tags, querystring: PageQuery, response: { 200: Page(accessGrant.representation) } },
    },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      const natural = splitNaturalId(query.natural_id, ['team', 'id']);
      const projectId = projectOfList(principal, query.project_id);
      return pageOf(
        await listGrants(database, principal.teamId, page, { natural, projectId }),
        page,
        toGrant,
      );
    },
  );

  app.get(
    '/v1/access-grants/:id',
    { schema: { tags, params: IdParams, response: { 200: accessGrant.representation } } },
    async (request, reply) =>
      sendRepresentation(reply, toGrant(await find(request.principal, request.params.id))),
  );

  app.patch(
    '/v1/access-grants/:id',
    {
      schema: {
        ...{ tags, params: IdParams, body: accessGrant.change },
        response: { 200: accessGrant.representation },
      },
    },
    async (request, reply) => {
      const row = await find(request.principal, request.params.id);
      const change = {
        id: row.id,
        endsAt: applyPatch(accessGrant.changeable, toGrant(row), request.body).ends_at,
        match: (current: object) => requireMatch(request, current),
      };
      return sendRepresentation(reply, await moveEnd(context, request.principal, change));
    },
  );

  app.delete('/v1/access-grants/:id', { schema: { tags, params: IdParams } }, async (request, reply) => {
    const { id } = await find(request.principal, request.params.id);
    await takeBack(context, id, request.principal.keyId);
    return reply.code(204).send();
  });
};

/** A grant for the whole team is none of a token's that is limited to a project. */
function requireReach(principal: Principal, projectId: string | undefined): void {
  if (projectId === undefined) requireTeamToken(principal);
  else requireProject(principal, projectId);
}
