import { Type } from 'typebox';
import { connection } from '../../contract/connection.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { transact } from '../db/transact.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { changeConnection } from './change-connection.ts';
import { createConnection } from './create-connection.ts';
import { deleteConnection, findConnection, listConnections, toConnection } from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['connections'];

export const connectionRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (teamId: string, id: string) => {
    const row = await findConnection(database, teamId, id);
    if (!row) throw notFound('connection', id);
    return row;
  };

  app.post(
    '/v1/connections',
    {
      schema: { tags, body: connection.creation, response: { 201: connection.representation } },
    },
    async (request, reply) => {
      return await once(context, request, reply, () =>
        createConnection(context, request.principal, request.body),
      );
    },
  );

  app.get(
    '/v1/connections',
    {
      schema: { tags, querystring: PageQuery, response: { 200: Page(connection.representation) } },
    },
    async (request) => {
      const page = pageRequest(request.query);
      const natural = splitNaturalId(request.query.natural_id, ['team', 'name']);
      return pageOf(
        await listConnections(database, request.principal.teamId, page, natural),
        page,
        toConnection,
      );
    },
  );

  app.get(
    '/v1/connections/:id',
    { schema: { tags, params: IdParams, response: { 200: connection.representation } } },
    async (request, reply) => {
      const row = await find(request.principal.teamId, request.params.id);
      return sendRepresentation(reply, toConnection(row), row.version);
    },
  );

  app.patch(
    '/v1/connections/:id',
    {
      schema: {
        tags,
        params: IdParams,
        body: connection.change,
        response: { 200: connection.representation },
      },
    },
    async (request, reply) => {
      const { teamId } = request.principal;
      const row = await find(teamId, request.params.id);
      requireMatch(request, toConnection(row), row.version);
      await changeConnection(context, row, request.body, request.principal.keyId);
      const changed = await find(teamId, row.id);
      return sendRepresentation(reply, toConnection(changed), changed.version);
    },
  );

  app.delete('/v1/connections/:id', { schema: { tags, params: IdParams } }, async (request, reply) => {
    const { teamId, keyId } = request.principal;
    const { id, name } = await find(teamId, request.params.id);
    await transact(context, async (inside) => {
      const outcome = await deleteConnection(inside.database, id, context.now());
      if (outcome === 'in_use') {
        throw conflict('connection_in_use', `The connection ${name} has projects. Destroy them first.`);
      }
      if (outcome === 'being_revoked') {
        const detail = `The connection ${name} is being revoked, which deletes it. GET /v1/revocations?open=true tells how far that is.`;
        throw conflict('connection_revoked', detail);
      }
      const entry = { teamId, action: 'connection.deleted', actor: keyId, subject: id, detail: { name } };
      await recordAudit(inside, entry);
    });
    return reply.code(204).send();
  });
};
