import { Type } from 'typebox';
import { AuditEvent } from '../../contract/audit.ts';
import { Page } from '../../contract/page.ts';
import { requireScope, requireTeamToken } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { pageOf, pageRequest } from '../http/page.ts';

const Query = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  subject: Type.Optional(Type.String({ maxLength: 100, description: 'Events of this thing only.' })),
});

/** /v1/audit-events, newest first */
export const auditRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/audit-events',
    {
      preHandler: requireScope(context, 'audit:read'),
      schema: { tags: ['audit'], querystring: Query, response: { 200: Page(AuditEvent) } },
    },
    async ({ principal, query }) => {
      requireTeamToken(principal);
      const page = pageRequest(query);
      const rows = await context.database
        .selectFrom('audit_event')
        .selectAll()
        .where('team_id', '=', principal.teamId)
        .$if(page.after !== undefined, (q) => q.where('id', '<', page.after ?? ''))
        .$if(query.subject !== undefined, (q) => q.where('subject', '=', query.subject ?? ''))
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      return pageOf(rows, page, ({ id, at, action, actor, subject, detail }) => ({
        ...{ id, at: at.toISOString(), action, actor, subject, detail },
      }));
    },
  );
};
