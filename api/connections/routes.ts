import { Type } from 'typebox';
import { connection } from '../../contract/connection.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import { requireScope, requireTeamToken } from '../auth/require-scope.ts';
import { newId } from '../db/new-id.ts';
import type { Routes } from '../http/app-type.ts';
import { sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, invalidField, notFound } from '../http/problem-error.ts';
import {
  deleteConnection,
  findConnection,
  insertConnection,
  listConnections,
  toConnection,
} from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['connections'];

export const connectionRoutes: Routes = async (app, { context }) => {
  const { database } = context;
  const read = requireScope(context, 'projects:read');
  const write = requireScope(context, 'projects:write');

  const find = async (teamId: string, id: string) => {
    const row = await findConnection(database, teamId, id);
    if (!row) throw notFound('connection', id);
    return toConnection(row);
  };

  app.post(
    '/v1/connections',
    {
      preHandler: write,
      schema: { tags, body: connection.creation, response: { 201: connection.representation } },
    },
    async (request, reply) => {
      requireTeamToken(request.principal);
      return await once(context, request, reply, async () => {
        const { name, kind } = request.body;
        const { teamId } = request.principal;
        const host = context.sourceHosts.get(kind);
        if (!host) throw invalidField('kind', `kind ${kind} is not served by this installation of Ebb.`);
        const id = newId('conn');
        // Where a host lists its keys does not depend on the repository.
        const host_keys = host.clone('any').hostKeys;
        const row = {
          id,
          team_id: teamId,
          name,
          kind,
          host_keys,
          created_at: context.now(),
          deleted_at: null,
        };
        if (!(await insertConnection(database, row))) {
          throw conflict(
            'name_taken',
            `The team has a connection ${name} already. Choose another name, or import it.`,
            'name',
          );
        }
        return await find(teamId, id);
      });
    },
  );

  app.get(
    '/v1/connections',
    {
      preHandler: read,
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
    { preHandler: read, schema: { tags, params: IdParams, response: { 200: connection.representation } } },
    async (request, reply) =>
      sendRepresentation(reply, await find(request.principal.teamId, request.params.id)),
  );

  app.delete(
    '/v1/connections/:id',
    { preHandler: write, schema: { tags, params: IdParams } },
    async (request, reply) => {
      requireTeamToken(request.principal);
      const { id, name } = await find(request.principal.teamId, request.params.id);
      if ((await deleteConnection(database, id, context.now())) === 'in_use') {
        throw conflict('connection_in_use', `The connection ${name} has projects. Destroy them first.`);
      }
      return reply.code(204).send();
    },
  );
};
