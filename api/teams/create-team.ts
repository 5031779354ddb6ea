import type { OwnTeam } from '../../contract/team.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { requireLivePerson } from '../people/require-live-person.ts';
import { countTeams, insertMember } from './member-store.ts';

const mostTeams = 20;
/** Names that would be taken for those of who runs this Ebb. */
const reserved = /^ebb(-|$)/;

/** Makes a team whose owner is the person. Throws 409 when the name is taken or the person is in many teams, 422 for a reserved name. */
export async function createTeam(
  context: ApiContext,
  { personId, email }: { personId: string; email: string },
  name: string,
): Promise<OwnTeam> {
  if (reserved.test(name))
    throw invalidField('name', `name is ${name}; names that begin with ebb are reserved. Choose another.`);
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await requireLivePerson(database, personId);
    if ((await countTeams(database, personId)) >= mostTeams)
      throw conflict('too_many_teams', `You are in ${mostTeams} teams, which is the most. Leave one first.`);
    const team = await database
      .insertInto('team')
      .values({ id: newId('team'), name, created_at: now })
      .onConflict((clash) => clash.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (!team) throw conflict('name_taken', `There is a team ${name} already. Choose another name.`, 'name');
    const role = 'owner' as const;
    const id = await insertMember(database, { teamId: team.id, personId, role, now });
    const about = { teamId: team.id, action: 'team.created', actor: id, subject: team.id };
    await recordAudit(inside, { ...about, detail: { name, owner: id, email } });
    return { name, member_id: id, role };
  });
}
