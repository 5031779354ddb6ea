import { Type } from 'typebox';
import { Page } from '../../contract/page.ts';
import { Fleet, FleetChange, TeamShare, TeamShareChange } from '../../contract/share.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { changeFleet, changeTeamShare } from './change-share.ts';
import { findShare, listShares, readFleet, toTeamShare } from './share-store.ts';

const Item = Type.Object({ id: Type.String({ description: 'Id or name of the team.' }) });
const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);
const tags = ['operators'];

/** /v1/operator/teams and /v1/operator/fleet: who may build how much. Asking again for what is so changes nothing. */
export const operatorShareRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (id: string) => {
    const row = await findShare(database, id);
    if (!row) throw notFound('team', id);
    return row;
  };

  app.get(
    '/v1/operator/teams',
    { schema: { tags, querystring: Query, response: { 200: Page(TeamShare) } } },
    async ({ query }) => {
      const page = pageRequest(query);
      return pageOf(await listShares(database, page), page, toTeamShare);
    },
  );

  app.get(
    '/v1/operator/teams/:id',
    { schema: { tags, params: Item, response: { 200: TeamShare } } },
    async ({ params }, reply) => sendRepresentation(reply, toTeamShare(await find(params.id))),
  );

  app.patch(
    '/v1/operator/teams/:id',
    { schema: { tags, params: Item, body: TeamShareChange, response: { 200: TeamShare } } },
    async (request, reply) => {
      const { params, body, principal } = request;
      const row = await find(params.id);
      requireMatch(request, toTeamShare(row));
      const changed = await changeTeamShare(context, row.id, body, principal.keyId);
      return sendRepresentation(reply, toTeamShare(changed));
    },
  );

  app.get('/v1/operator/fleet', { schema: { tags, response: { 200: Fleet } } }, async (_request, reply) =>
    sendRepresentation(reply, await readFleet(database)),
  );

  app.patch(
    '/v1/operator/fleet',
    { schema: { tags, body: FleetChange, response: { 200: Fleet } } },
    async (request, reply) => {
      requireMatch(request, await readFleet(database));
      return sendRepresentation(reply, await changeFleet(context, request.body, request.principal));
    },
  );
};
