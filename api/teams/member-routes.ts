import { Type } from 'typebox';
import { Page, PageQuery } from '../../contract/page.ts';
import { teamMember } from '../../contract/team-member.ts';
import type { Principal } from '../auth/principal.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { once } from '../http/idempotency.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { requireMailer } from '../mail/require-mailer.ts';
import { changeRole, removeMember } from './change-member.ts';
import { declareMember } from './declare-member.ts';
import { invite, noInvitation, takeBack } from './invite.ts';
import { invitationIdOf } from './member-id.ts';
import { listRoster, readMember, toTeamMember } from './roster.ts';

const IdParams = Type.Object({ id: Type.String() });
const Query = Type.Omit(PageQuery, ['project_id'], { additionalProperties: false });
const tags = ['teams'];

/** /v1/team/members: who is in a team or invited to it. */
export const memberRoutes: Routes = async (app, { context }) => {
  const { database } = context;
  const find = ({ teamId }: Principal, id: string) =>
    readMember(database, { teamId, id, now: context.now() });

  app.post(
    '/v1/team/members',
    { schema: { tags, body: teamMember.creation, response: { 201: teamMember.representation } } },
    async (request, reply) => {
      const { principal, body } = request;
      requireMailer(context, noInvitation);
      await app.limitInvitation(request, body.email);
      return await once(context, request, reply, (remember) =>
        declareMember(context, principal, body, remember),
      );
    },
  );

  app.get(
    '/v1/team/members',
    { schema: { tags, querystring: Query, response: { 200: Page(teamMember.representation) } } },
    async ({ principal: { teamId }, query }) => {
      const page = pageRequest(query);
      const natural = splitNaturalId(query.natural_id, ['team', 'email']);
      const rows = await listRoster(database, { teamId, now: context.now() }, page, natural);
      return pageOf(rows, page, toTeamMember);
    },
  );

  app.get(
    '/v1/team/members/:id',
    { schema: { tags, params: IdParams, response: { 200: teamMember.representation } } },
    async ({ principal, params }, reply) =>
      sendRepresentation(reply, toTeamMember(await find(principal, params.id))),
  );

  app.patch(
    '/v1/team/members/:id',
    {
      schema: {
        ...{ tags, params: IdParams, body: teamMember.change },
        response: { 200: teamMember.representation },
      },
    },
    async (request, reply) => {
      const { principal, params } = request;
      const row = await find(principal, params.id);
      const before = toTeamMember(row);
      requireMatch(request, before);
      const { role } = applyPatch(teamMember.changeable, before, request.body);
      if (row.expires_at === null) await changeRole(context, principal, { id: row.id, role });
      else if (role !== row.role) {
        // The mail of before tells another role.
        requireMailer(context, noInvitation);
        await app.limitInvitation(request, row.email);
        await invite(context, principal, { email: row.email, role });
      }
      return sendRepresentation(reply, toTeamMember(await find(principal, row.id)));
    },
  );

  app.delete(
    '/v1/team/members/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params }, reply) => {
      const { id, expires_at } = await find(principal, params.id);
      // Who is invited may join before the invitation is taken back.
      const isMember =
        expires_at === null || (await takeBack(context, principal, invitationIdOf(id))).isAccepted;
      if (isMember) await removeMember(context, principal, id);
      return reply.code(204).send();
    },
  );
};
