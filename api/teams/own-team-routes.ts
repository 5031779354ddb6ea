import { team } from '../../contract/team.ts';
import type { Principal } from '../auth/principal.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { nothing } from '../http/other-media.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { askToRevoke } from '../revocation/ask-to-revoke.ts';
import { changeTeam, type TeamRow, toTeam } from './own-team.ts';

const tags = ['teams'];

/** /v1/team: the team of who asks. */
export const ownTeamRoutes: Routes = async (app, { context }) => {
  const find = async ({ teamId }: Principal): Promise<TeamRow> =>
    await context.database.selectFrom('team').selectAll().where('id', '=', teamId).executeTakeFirstOrThrow();
  // While it is being revoked it is still there, so that Terraform goes on with that.
  const findLive = async (principal: Principal) => {
    const row = await find(principal);
    if (row.revoked_at) throw notFound('team', row.name);
    return toTeam(row);
  };

  app.get(
    '/v1/team',
    { schema: { tags, response: { 200: team.representation } } },
    async ({ principal }, reply) => sendRepresentation(reply, await findLive(principal)),
  );

  app.patch(
    '/v1/team',
    { schema: { tags, body: team.change, response: { 200: team.representation } } },
    async (request, reply) => {
      const { principal, body } = request;
      await findLive(principal);
      await changeTeam(context, principal, (before) => {
        requireMatch(request, before);
        return applyPatch(team.changeable, before, body);
      });
      return sendRepresentation(reply, await findLive(principal));
    },
  );

  app.delete(
    '/v1/team',
    {
      schema: { tags, response: { 202: nothing, 204: nothing } },
    },
    async ({ principal }, reply) => {
      const { id, name, deletion_protection, revoking_at } = await find(principal);
      if (deletion_protection && !revoking_at) throw isProtected(name);
      const asked = { kind: 'team', subject: id, by: principal.keyId } as const;
      const { receipt_id } = await askToRevoke(context, asked);
      if (!receipt_id) return reply.code(202).header('retry-after', '2').send();
      return reply.code(204).header('ebb-receipt', receipt_id).send();
    },
  );
};

function isProtected(name: string) {
  const detail = `Deleting the team ${name} would revoke its projects, connections and keys, and deletion_protection is on. To do it, set deletion_protection to false first (in Terraform: apply that); to stop managing it only, run terraform state rm.`;
  return conflict('deletion_protected', detail);
}
