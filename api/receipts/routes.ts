import { Type } from 'typebox';
import { Page } from '../../contract/page.ts';
import { Receipt, ReceiptQuery } from '../../contract/receipt.ts';
import { requireProject, requireTeamToken } from '../auth/require-scope.ts';
import { findBuild } from '../builds/store.ts';
import type { Routes } from '../http/app-type.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { notFound } from '../http/problem-error.ts';
import { listReceipts, receiptOfTeam, representReceipt } from './receipt-store.ts';

const tags = ['receipts'];

/** /v1/receipts: they can be read as long as the team exists, also when the project is revoked. */
export const receiptRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/receipts',
    { schema: { tags, querystring: ReceiptQuery, response: { 200: Page(Receipt) } } },
    async ({ query, principal }) => {
      if (query.project_id !== undefined) requireProject(principal, query.project_id);
      const page = pageRequest(query);
      const rows = await listReceipts(context.database, {
        teamId: principal.teamId,
        projectId: query.project_id ?? principal.projectId,
        subject: query.subject,
        kind: query.kind,
        after: page.after,
        limit: page.limit + 1,
      });
      return pageOf(rows, page, representReceipt);
    },
  );

  app.get(
    '/v1/receipts/:id',
    { schema: { tags, params: Type.Object({ id: Type.String() }), response: { 200: Receipt } } },
    async ({ params: { id }, principal }) => {
      const row = await receiptOfTeam(context.database, id, principal.teamId);
      if (!row) throw notFound('receipt', id);
      if (row.project_id === null) requireTeamToken(principal);
      else requireProject(principal, row.project_id);
      return representReceipt(row);
    },
  );

  // A build has two at the most, so that they are one page.
  app.get(
    '/v1/builds/:id/receipts',
    { schema: { tags, params: Type.Object({ id: Type.String() }), response: { 200: Page(Receipt) } } },
    async ({ params: { id }, principal }) => {
      const { teamId } = principal;
      const build = await findBuild(context.database, teamId, id);
      if (!build) throw notFound('build', id);
      requireProject(principal, build.project_id);
      const rows = await listReceipts(context.database, { teamId, subject: id, limit: 2 });
      return { items: rows.map(representReceipt), next_cursor: null };
    },
  );
};
