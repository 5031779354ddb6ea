import { Type } from 'typebox';
import { connection } from '../../contract/connection.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import { requireScope, requireTeamToken } from '../auth/require-scope.ts';
import { newId } from '../db/new-id.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { changeConnection } from './change-connection.ts';
import { checkConnection } from './check-connection.ts';
import { pinHostKeys } from './connect.ts';
import { sealCredential } from './credential.ts';
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
    return row;
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
        const { teamId } = request.principal;
        const { name, kind, url, ssh_address, app_id, installation_id, ssh_host_keys, token, private_key } =
          request.body;
        checkConnection({
          ...{ kind, url, ssh_address, app_id, installation_id, ssh_host_keys },
          token: token !== undefined,
          private_key: private_key !== undefined,
        });
        const id = newId('conn');
        const credential = token ?? private_key;
        const row = {
          ...{ id, team_id: teamId, name, kind },
          url: url ?? null,
          ssh_address: ssh_address ?? null,
          checked_at: context.now(),
          app_id: app_id ?? null,
          installation_id: installation_id ?? null,
          ssh_host_keys: ssh_host_keys ?? null,
          host_keys: ssh_host_keys ?? [],
          sealed_credential: credential ? await sealCredential(context.custody, id, credential) : null,
          created_at: context.now(),
          deleted_at: null,
        };
        row.host_keys = await pinHostKeys(context, { ...row, connection_id: id }, ssh_host_keys);
        if (!(await insertConnection(database, row))) {
          throw conflict(
            'name_taken',
            `The team has a connection ${name} already. Choose another name, or import it.`,
            'name',
          );
        }
        return toConnection(await find(teamId, id));
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
    async (request, reply) => {
      const row = await find(request.principal.teamId, request.params.id);
      return sendRepresentation(reply, toConnection(row), row.version);
    },
  );

  app.patch(
    '/v1/connections/:id',
    {
      preHandler: write,
      schema: {
        tags,
        params: IdParams,
        body: connection.change,
        response: { 200: connection.representation },
      },
    },
    async (request, reply) => {
      requireTeamToken(request.principal);
      const { teamId } = request.principal;
      const row = await find(teamId, request.params.id);
      requireMatch(request, toConnection(row), row.version);
      await changeConnection(context, row, request.body);
      const changed = await find(teamId, row.id);
      return sendRepresentation(reply, toConnection(changed), changed.version);
    },
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
