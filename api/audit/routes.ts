import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { AuditEvent, SignedAuditHead } from '../../contract/audit.ts';
import { Page } from '../../contract/page.ts';
import type { Routes } from '../http/app-type.ts';
import { textOf } from '../http/other-media.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { ProblemError } from '../http/problem-error.ts';
import { currentAuditHead, listAuditEvents, toAuditEvent } from './audit-store.ts';
import { exportLines } from './export-lines.ts';

const tags = ['audit'];
const Query = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  subject: Type.Optional(Type.String({ maxLength: 100, description: 'Events of this thing only.' })),
});

/** /v1/audit-events, newest first; the whole chain to verify; and its signed head. For tokens of the whole team. */
export const auditRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  app.get(
    '/v1/audit-events',
    { schema: { tags, querystring: Query, response: { 200: Page(AuditEvent) } } },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      const rows = await listAuditEvents(database, principal.teamId, page, query.subject);
      return pageOf(rows, page, toAuditEvent);
    },
  );

  app.get(
    '/v1/audit-events/export',
    {
      schema: {
        tags,
        response: textOf('application/x-ndjson'),
      },
    },
    async ({ principal }, reply) => {
      const lines = Readable.from(exportLines(database, principal.teamId), { objectMode: false });
      return reply.type('application/x-ndjson').header('cache-control', 'no-store').send(lines);
    },
  );

  app.get(
    '/v1/audit-head',
    {
      schema: {
        tags,
        response: { 200: SignedAuditHead },
      },
    },
    async ({ principal }, reply) => {
      const head = await currentAuditHead(database, principal.teamId);
      if (!head) throw new ProblemError(404, 'not_found', 'Nothing was recorded for this team yet.');
      reply.header('cache-control', 'no-store');
      return head;
    },
  );
};
