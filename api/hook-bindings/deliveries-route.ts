import { Type } from 'typebox';
import { WebhookDelivery } from '../../contract/webhook-delivery.ts';
import { requireProject } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { notFound } from '../http/problem-error.ts';
import { hookBindingOfTeam } from './hook-binding-store.ts';

const Query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
});

/** /v1/hook-bindings/{id}/deliveries: what became of the newest deliveries of a hook. */
export const deliveriesRoute: Routes = async (app, { context }) => {
  app.get(
    '/v1/hook-bindings/:id/deliveries',
    {
      schema: {
        tags: ['hooks'],
        params: Type.Object({ id: Type.String() }),
        querystring: Query,
        response: { 200: Type.Object({ items: Type.Array(WebhookDelivery) }) },
      },
    },
    async ({ params: { id }, principal, query }) => {
      const hook = await hookBindingOfTeam(context.database, id, principal.teamId);
      if (!hook) throw notFound('hook binding', id);
      requireProject(principal, hook.project_id);
      const rows = await context.database
        .selectFrom('webhook_delivery')
        .select(['delivery', 'received_at', 'event_name', 'ref', 'commit', 'build_id', 'reason'])
        .where('hook_binding_id', '=', id)
        .orderBy('received_at', 'desc')
        .limit(query.limit ?? 50)
        .execute();
      return {
        items: rows.map(({ delivery, received_at, event_name, ref, commit, build_id, reason }) => ({
          ...{ delivery, received_at: received_at.toISOString(), event: event_name, ref, commit },
          ...{ build: build_id, reason },
        })),
      };
    },
  );
};
