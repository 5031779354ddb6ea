import { Type } from 'typebox';
import { LinkUse } from '../../contract/person.ts';
import { OwnTeam, TeamCreation } from '../../contract/team.ts';
import type { Routes } from '../http/app-type.ts';
import { accept } from './accept-invitation.ts';
import { createTeam } from './create-team.ts';

import { teamsOf } from './member-store.ts';

const tags = ['teams'];
const security = [{ session: [] }];

/** The teams of who is signed in. */
export const teamRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/teams',
    {
      schema: { tags, security, response: { 200: Type.Object({ items: Type.Array(OwnTeam) }) } },
    },
    async ({ person }) => ({ items: await teamsOf(context.database, person.personId, context.now()) }),
  );

  app.post(
    '/v1/teams',
    { schema: { tags, security, body: TeamCreation, response: { 201: OwnTeam } } },
    async ({ person, body }, reply) => reply.code(201).send(await createTeam(context, person, body.name)),
  );

  app.post(
    '/v1/invitations/accept',
    {
      schema: { tags, security, body: LinkUse, response: { 201: OwnTeam } },
    },
    async ({ person, body }, reply) => reply.code(201).send(await accept(context, person, body.token)),
  );
};
