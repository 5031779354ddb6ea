import { Type } from 'typebox';
import { Invitation, InvitationCreation } from '../../contract/invitation.ts';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Routes } from '../http/app-type.ts';
import { once } from '../http/idempotency.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { requireMailer } from '../mail/require-mailer.ts';
import { listInvitations, toInvitation } from './invitation-store.ts';
import { invite, noInvitation, takeBack } from './invite.ts';

const IdParams = Type.Object({ id: Type.String() });
const Query = Type.Pick(PageQuery, ['limit', 'cursor'], { additionalProperties: false });
const tags = ['teams'];

/** /v1/team/invitations: each that was made, those that are over too. */
export const invitationRoutes: Routes = async (app, { context }) => {
  app.post(
    '/v1/team/invitations',
    { schema: { tags, body: InvitationCreation, response: { 201: Invitation } } },
    async (request, reply) => {
      requireMailer(context, noInvitation);
      await app.limitInvitation(request, request.body.email);
      return await once(context, request, reply, async () =>
        toInvitation(await invite(context, request.principal, request.body)),
      );
    },
  );

  app.get(
    '/v1/team/invitations',
    { schema: { tags, querystring: Query, response: { 200: Page(Invitation) } } },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      return pageOf(await listInvitations(context.database, principal.teamId, page), page, toInvitation);
    },
  );

  app.delete(
    '/v1/team/invitations/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params: { id } }, reply) => {
      await takeBack(context, principal, id);
      return reply.code(204).send();
    },
  );
};
