import { Type } from 'typebox';
import { deployKey } from '../../contract/deploy-key.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Principal } from '../auth/principal.ts';
import { requireProject } from '../auth/require-scope.ts';
import type { ApiContext } from '../context.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { createDeployKey } from './create-deploy-key.ts';
import { deleteDeployKey } from './delete-deploy-key.ts';
import { type DeployKeyRow, deployKeyOfTeam, listDeployKeys } from './deploy-key-store.ts';
import { readDeployKey, representDeployKey } from './read-deploy-key.ts';
import { rotateDeployKey } from './rotate-deploy-key.ts';

// A change goes on when its caller hangs up, so that it ends in a known state.
const changeMs = 60_000;
const Item = Type.Object({ id: Type.String() });
const tags = ['deploy keys'];

/** /v1/deploy-keys */
export const deployKeyRoutes: Routes = async (app, { context }) => {
  app.post(
    '/v1/deploy-keys',
    { schema: { tags, body: deployKey.creation, response: { 201: deployKey.representation } } },
    async (request, reply) => {
      const { project_id: projectId, rotate_when, private_key } = request.body;
      const { teamId, keyId } = request.principal;
      requireProject(request.principal, projectId);
      const key = await once(context, request, reply, async () =>
        representDeployKey(
          await createDeployKey(
            context,
            { projectId, teamId, rotateWhen: rotate_when ?? null, privateKey: private_key ?? null, keyId },
            AbortSignal.timeout(changeMs),
          ),
        ),
      );
      return sendRepresentation(reply, key);
    },
  );

  app.get(
    '/v1/deploy-keys',
    { schema: { tags, querystring: PageQuery, response: { 200: Page(deployKey.representation) } } },
    async ({ query, principal }) => {
      if (query.project_id !== undefined) requireProject(principal, query.project_id);
      const page = pageRequest(query);
      const rows = await listDeployKeys(context.database, {
        teamId: principal.teamId,
        projectId: query.project_id ?? principal.projectId,
        naturalId: query.natural_id,
        after: page.after,
        limit: page.limit + 1,
      });
      return pageOf(rows, page, representDeployKey);
    },
  );

  app.get(
    '/v1/deploy-keys/:id',
    { schema: { tags, params: Item, response: { 200: deployKey.representation } } },
    async ({ params: { id }, principal }, reply) => {
      await requireOwn(context, principal, id);
      const row = await readDeployKey(
        context,
        { id, teamId: principal.teamId },
        AbortSignal.timeout(changeMs),
      );
      return sendRepresentation(reply, representDeployKey(row));
    },
  );

  app.patch(
    '/v1/deploy-keys/:id',
    {
      schema: { tags, params: Item, body: deployKey.change, response: { 200: deployKey.representation } },
    },
    async (request, reply) => {
      const row = await requireOwn(context, request.principal, request.params.id);
      requireMatch(request, representDeployKey(row));
      const { private_key: privateKey } = request.body as { private_key?: string | null };
      const { rotate_when } = applyPatch(deployKey.changeable, representDeployKey(row), { ...request.body });
      const changed = await rotateDeployKey(
        context,
        row,
        { rotateWhen: rotate_when ?? null, privateKey, keyId: request.principal.keyId },
        AbortSignal.timeout(changeMs),
      );
      return sendRepresentation(reply, representDeployKey(changed));
    },
  );

  app.delete(
    '/v1/deploy-keys/:id',
    { schema: { tags, params: Item } },
    async ({ params: { id }, principal }, reply) => {
      await requireOwn(context, principal, id);
      const { teamId, keyId } = principal;
      await deleteDeployKey(context, { id, teamId, keyId }, AbortSignal.timeout(changeMs));
      return reply.code(204).send();
    },
  );
};

/** Before the source host is asked: 404 for another team's key, 403 when the token is for another project. */
async function requireOwn(context: ApiContext, principal: Principal, id: string): Promise<DeployKeyRow> {
  const row = await deployKeyOfTeam(context.database, id, principal.teamId);
  if (!row) throw await goneOrBeingRevoked(context.database, 'deploy_key', { id, teamId: principal.teamId });
  requireProject(principal, row.project_id);
  return row;
}
