import { Command, Option } from 'commander';
import type { Invitation } from '../../contract/invitation.ts';
import { roles } from '../../contract/role.ts';
import type { TeamMember } from '../../contract/team-member.ts';
import { clientFromEnvironment } from '../client.ts';
import { everyItem } from '../every-page.ts';
import { printable } from '../printable.ts';

/** `ebb member`: who is in a team, by the API and with the rights of EBB_API_KEY. */
export function memberCommand(): Command {
  const command = new Command('member').description(
    'Invite people to your team, list and remove its members, with the key in EBB_API_KEY.',
  );
  command
    .command('invite')
    .description('Mail an invitation; it is accepted by who signs in with the address, within a week.')
    .argument('<email>', 'address')
    .addOption(new Option('--role <role>', 'what the person may do').choices(roles).makeOptionMandatory())
    .action(async (email: string, { role }: { role: string }) => {
      const client = clientFromEnvironment(process.env);
      const made = await client.post<Invitation>('/v1/team/invitations', { email, role });
      console.log(`ebb: ${made.email} is invited as ${made.role} until ${made.expires_at} (${made.id})`);
    });
  command
    .command('list')
    .description('Show the members, and who is invited.')
    .action(async () => {
      const client = clientFromEnvironment(process.env);
      for await (const { id, role, email, status } of everyItem<TeamMember>(client, '/v1/team/members'))
        console.log(printable([id, role, email, ...(status === 'invited' ? ['(invited)'] : [])].join('  ')));
    });
  command
    .command('remove')
    .description('Take a member out of the team, or an invitation back, at once.')
    .argument('<id>', 'as list shows it: mem_… or inv_…')
    .action(async (id: string) => {
      const collection = id.startsWith('inv_') ? 'invitations' : 'members';
      await clientFromEnvironment(process.env).delete(`/v1/team/${collection}/${encodeURIComponent(id)}`);
      console.log(`ebb: ${id} is removed`);
    });
  return command;
}
