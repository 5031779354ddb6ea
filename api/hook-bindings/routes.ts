import { Type } from 'typebox';
import { hookBinding, hookEvents } from '../../contract/hook-binding.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Principal } from '../auth/principal.ts';
import { requireProject } from '../auth/require-scope.ts';
import type { ApiContext } from '../context.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { ProblemError } from '../http/problem-error.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { changeHookBinding } from './change-hook-binding.ts';
import { createHookBinding } from './create-hook-binding.ts';
import { deleteHookBinding } from './delete-hook-binding.ts';
import { type HookBindingRow, hookBindingOfTeam, listHookBindings } from './hook-binding-store.ts';
import { readHookBinding, representHookBinding } from './read-hook-binding.ts';

// A change goes on when its caller hangs up, so that it ends in a known state.
const changeMs = 60_000;
const path = '/v1/hook-bindings';
const Item = Type.Object({ id: Type.String() });
const tags = ['hooks'];

/** /v1/hook-bindings */
export const hookBindingRoutes: Routes = async (app, { context }) => {
  const response = { 200: hookBinding.representation };
  const represent = (row: HookBindingRow) => representHookBinding(context, row);

  app.post(
    path,
    { schema: { tags, body: hookBinding.creation, response: { 201: hookBinding.representation } } },
    async (request, reply) => {
      const { project_id: projectId, branches = ['**'], tags = [], events = [...hookEvents] } = request.body;
      const { teamId, keyId } = request.principal;
      requireProject(request.principal, projectId);
      const wanted = { projectId, teamId, keyId, binding: { branches, tags, events } };
      const hook = await once(context, request, reply, async () =>
        represent(await createHookBinding(context, wanted, AbortSignal.timeout(changeMs))),
      );
      return sendRepresentation(reply, hook);
    },
  );

  app.get(
    path,
    { schema: { tags, querystring: PageQuery, response: { 200: Page(hookBinding.representation) } } },
    async ({ query, principal }) => {
      if (query.project_id !== undefined) requireProject(principal, query.project_id);
      const page = pageRequest(query);
      const rows = await listHookBindings(context.database, {
        teamId: principal.teamId,
        projectId: query.project_id ?? principal.projectId,
        naturalId: query.natural_id,
        after: page.after,
        limit: page.limit + 1,
      });
      return pageOf(rows, page, represent);
    },
  );

  app.get(
    `${path}/:id`,
    { schema: { tags, params: Item, response } },
    async ({ params: { id }, principal }, reply) => {
      await ownHook(context, principal, id);
      const asker = { id, teamId: principal.teamId };
      return sendRepresentation(
        reply,
        represent(await readHookBinding(context, asker, AbortSignal.timeout(changeMs))),
      );
    },
  );

  app.patch(
    `${path}/:id`,
    { schema: { tags, params: Item, body: hookBinding.change, response } },
    async (request, reply) => {
      const row = await ownHook(context, request.principal, request.params.id);
      if (request.headers['if-match'] !== undefined) {
        // What was read may be what somebody made of it at the source host.
        const asker = { id: row.id, teamId: request.principal.teamId };
        const shown = await readHookBinding(context, asker, AbortSignal.timeout(changeMs));
        requireMatch(request, represent(shown));
      }
      const changed = await changeHookBinding(
        context,
        row,
        { patch: { ...request.body }, ...request.principal },
        AbortSignal.timeout(changeMs),
      );
      if (!changed) throw changedMeanwhile();
      return sendRepresentation(reply, represent(changed));
    },
  );

  app.delete(
    `${path}/:id`,
    { schema: { tags, params: Item } },
    async ({ params: { id }, principal }, reply) => {
      await ownHook(context, principal, id);
      const { teamId, keyId } = principal;
      await deleteHookBinding(context, { id, teamId, keyId }, AbortSignal.timeout(changeMs));
      return reply.code(204).send();
    },
  );
};

/** Before the source host is asked: 404 for another team's hook, 403 when the token is for another project. */
async function ownHook(context: ApiContext, principal: Principal, id: string): Promise<HookBindingRow> {
  const row = await hookBindingOfTeam(context.database, id, principal.teamId);
  if (!row)
    throw await goneOrBeingRevoked(context.database, 'hook_binding', { id, teamId: principal.teamId });
  requireProject(principal, row.project_id);
  return row;
}

function changedMeanwhile(): ProblemError {
  return new ProblemError(
    412,
    'changed_meanwhile',
    'Somebody changed this since you read it. Read it again and repeat your change.',
  );
}
