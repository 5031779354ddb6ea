import { OwnShare, TeamPause } from '../../contract/share.ts';
import type { Principal } from '../auth/principal.ts';
import type { Routes } from '../http/app-type.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { pauseTeam } from './change-share.ts';
import { findShare, toOwnShare } from './share-store.ts';

const tags = ['team'];
const response = { 200: OwnShare };

/** /v1/team/share and /v1/team/pause: what a team gets, and how it holds its own builds back. */
export const teamShareRoutes: Routes = async (app, { context }) => {
  const ownShare = async (principal: Principal) => {
    const row = await findShare(context.database, principal.teamId);
    // The operators' team builds nothing.
    if (!row) throw notFound('share of the team', principal.teamId);
    return row;
  };

  app.get('/v1/team/share', { schema: { tags, response } }, async ({ principal }) =>
    toOwnShare(await ownShare(principal)),
  );

  app.put('/v1/team/pause', { schema: { tags, body: TeamPause, response } }, async ({ principal, body }) => {
    const { id } = await ownShare(principal);
    return toOwnShare(await pauseTeam(context, id, body.reason, principal.keyId));
  });

  app.delete('/v1/team/pause', { schema: { tags, response } }, async ({ principal }) => {
    const { id, paused_by_team: own, paused_by_operator: foreign } = await ownShare(principal);
    if (own === null && foreign !== null) {
      const detail = `Who operates Ebb paused the team, and only they can resume it. Their reason: ${foreign}`;
      throw conflict('paused_by_operator', detail);
    }
    return toOwnShare(await pauseTeam(context, id, null, principal.keyId));
  });
};
