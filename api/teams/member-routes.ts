import { Type } from 'typebox';
import { Page, PageQuery } from '../../contract/page.ts';
import { Invitation, InvitationCreation, TeamMember, TeamMemberChange } from '../../contract/team.ts';
import type { Routes } from '../http/app-type.ts';
import { once } from '../http/idempotency.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { changeRole, removeMember } from './change-member.ts';
import { findInvitation, listInvitations, toInvitation } from './invitation-store.ts';
import { invite, takeBack } from './invite.ts';
import { listMembers, toMember } from './member-store.ts';

const IdParams = Type.Object({ id: Type.String() });
const Query = Type.Pick(PageQuery, ['limit', 'cursor'], { additionalProperties: false });
const tags = ['teams'];

/** Who is in a team, and who is invited to it. */
export const memberRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  app.get(
    '/v1/team/members',
    { schema: { tags, querystring: Query, response: { 200: Page(TeamMember) } } },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      return pageOf(await listMembers(database, principal.teamId, page), page, toMember);
    },
  );

  app.patch(
    '/v1/team/members/:id',
    {
      schema: { tags, params: IdParams, body: TeamMemberChange, response: { 200: TeamMember } },
    },
    async ({ principal, params: { id }, body: { role } }) => {
      return await changeRole(context, principal, { id, role });
    },
  );

  app.delete(
    '/v1/team/members/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params: { id } }, reply) => {
      await removeMember(context, principal, id);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/team/invitations',
    { schema: { tags, body: InvitationCreation, response: { 201: Invitation } } },
    async (request, reply) => {
      if (!context.mailer)
        throw conflict(
          'mail_not_configured',
          'This Ebb cannot send e-mail, so nobody would get the invitation. Whoever operates it must set EBB_SMTP_URL and EBB_MAIL_FROM.',
        );
      await app.limitMail(request, request.body.email);
      return await once(context, request, reply, () => invite(context, request.principal, request.body));
    },
  );

  app.get(
    '/v1/team/invitations',
    { schema: { tags, querystring: Query, response: { 200: Page(Invitation) } } },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      return pageOf(await listInvitations(database, principal.teamId, page), page, toInvitation);
    },
  );

  app.delete(
    '/v1/team/invitations/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params: { id } }, reply) => {
      const row = await findInvitation(database, principal.teamId, id);
      if (!row) throw notFound('invitation', id);
      await takeBack(context, principal, id);
      return reply.code(204).send();
    },
  );
};
