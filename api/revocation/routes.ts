import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { Page } from '../../contract/page.ts';
import { Revocation, RevocationRequest, TeamRevocationRequest } from '../../contract/revocation.ts';
import { requireProject } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { invalidField, notFound } from '../http/problem-error.ts';
import { askToRevoke } from './ask-to-revoke.ts';
import type { Asked } from './open-revocation.ts';
import { representRevocation } from './represent-revocation.ts';
import { listRevocations, revocationOfTeam } from './revocation-store.ts';

const Item = Type.Object({ id: Type.String() });
const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
    within: Type.Optional(Type.String({ maxLength: 100, description: 'Parts of this revocation only.' })),
    open: Type.Optional(
      Type.Boolean({ description: 'True for those that are not finished, false for the rest.' }),
    ),
  },
  { additionalProperties: false },
);
const tags = ['revocations'];

/** Revoking, and /v1/revocations: how far each is. Both can be asked while a team is being revoked. */
export const revocationRoutes: Routes = async (app, { context }) => {
  const response = { 200: Revocation, 202: Revocation };

  const answer = async (reply: FastifyReply, asked: Asked) => {
    const revocation = await askToRevoke(context, asked);
    const { id, finished_at } = revocation;
    if (!finished_at) reply.code(202).header('retry-after', '2').header('location', `/v1/revocations/${id}`);
    return representRevocation(revocation);
  };

  app.post(
    '/v1/projects/:id/revoke',
    { schema: { tags, params: Item, body: Optional(RevocationRequest), response } },
    async ({ params: { id }, body, principal }, reply) => {
      requireProject(principal, id);
      await requireOwn('project', id, principal.teamId);
      return await answer(reply, { kind: 'project', subject: id, by: principal.keyId, ...wordOf(body) });
    },
  );

  app.post(
    '/v1/connections/:id/revoke',
    { schema: { tags, params: Item, body: Optional(RevocationRequest), response } },
    async ({ params: { id }, body, principal }, reply) => {
      await requireOwn('connection', id, principal.teamId);
      return await answer(reply, { kind: 'connection', subject: id, by: principal.keyId, ...wordOf(body) });
    },
  );

  app.post(
    '/v1/team/revoke',
    {
      schema: { tags, body: TeamRevocationRequest, response },
    },
    async ({ body, principal }, reply) => {
      const { teamId: subject, keyId: by } = principal;
      const team = await context.database
        .selectFrom('team')
        .select('name')
        .where('id', '=', subject)
        .executeTakeFirstOrThrow();
      if (body.name !== team.name) {
        const detail = `name is ${JSON.stringify(body.name)}, but this key belongs to the team ${team.name}. Nothing was revoked. Write the team's name to revoke all of it.`;
        throw invalidField('name', detail);
      }
      return await answer(reply, { kind: 'team', subject, by, ...wordOf(body) });
    },
  );

  app.get(
    '/v1/revocations',
    { schema: { tags, querystring: Query, response: { 200: Page(Revocation) } } },
    async ({ query, principal }) => {
      const page = pageRequest(query);
      const rows = await listRevocations(context.database, {
        teamId: principal.teamId,
        within: query.within,
        open: query.open,
        after: page.after,
        limit: page.limit + 1,
      });
      return pageOf(rows, page, representRevocation);
    },
  );

  app.get(
    '/v1/revocations/:id',
    { schema: { tags, params: Item, response: { 200: Revocation } } },
    async ({ params: { id }, principal }) => {
      const row = await revocationOfTeam(context.database, id, principal.teamId);
      if (!row) throw notFound('revocation', id);
      return representRevocation(row);
    },
  );

  /** 404 for what belongs to another team; what is revoked already is still there to be asked about. */
  async function requireOwn(table: 'project' | 'connection', id: string, teamId: string): Promise<void> {
    const row = await context.database
      .selectFrom(table)
      .select('id')
      .where('id', '=', id)
      .where('team_id', '=', teamId)
      .executeTakeFirst();
    if (!row) throw notFound(table, id);
  }
};

/** A body may be left out: Fastify takes no body for null. */
function Optional(body: typeof RevocationRequest) {
  return Type.Union([body, Type.Null()]);
}

function wordOf(body: RevocationRequest | null): Pick<Asked, 'removedByHand'> {
  return { removedByHand: body?.removed_by_hand };
}
