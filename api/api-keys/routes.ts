import { Type } from 'typebox';
import { ApiKey, ApiKeyCreation, CreatedApiKey } from '../../contract/api-key.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import { revokeApiKey } from '../auth/api-key.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject, requireTeamToken } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { createKey } from './create-key.ts';
import { findHeldKey, listHeldKeys, toApiKey } from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const Query = Type.Omit(PageQuery, ['natural_id'], { additionalProperties: false });
const tags = ['API keys'];

/** /v1/api-keys: the keys that a team makes for itself. */
export const apiKeyRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (principal: Principal, id: string) => {
    const row = await findHeldKey(database, principal.teamId, id);
    if (!row) throw notFound('API key', id);
    requireReach(principal, row.project_id);
    return row;
  };

  app.post(
    '/v1/api-keys',
    { schema: { tags, body: ApiKeyCreation, response: { 201: CreatedApiKey } } },
    async (request, reply) => {
      const { principal, body } = request;
      requireReach(principal, body.project_id ?? null);
      const create = () => createKey(context, principal, body);
      return await once(context, request, reply, create, ['secret']);
    },
  );

  app.get(
    '/v1/api-keys',
    { schema: { tags, querystring: Query, response: { 200: Page(ApiKey) } } },
    async ({ query, principal }) => {
      const page = pageRequest(query);
      const projectId = projectOfList(principal, query.project_id);
      return pageOf(await listHeldKeys(database, principal.teamId, page, projectId), page, toApiKey);
    },
  );

  app.get(
    '/v1/api-keys/:id',
    { schema: { tags, params: IdParams, response: { 200: ApiKey } } },
    async ({ principal, params }, reply) =>
      sendRepresentation(reply, toApiKey(await find(principal, params.id))),
  );

  app.delete(
    '/v1/api-keys/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params }, reply) => {
      const { id } = await find(principal, params.id);
      await revokeApiKey(context, id, principal.keyId);
      return reply.code(204).send();
    },
  );
};

/** A key for the whole team is none of a token's that is limited to a project. */
function requireReach(principal: Principal, projectId: string | null): void {
  if (projectId === null) requireTeamToken(principal);
  else requireProject(principal, projectId);
}
