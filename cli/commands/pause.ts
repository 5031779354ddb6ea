import { Command } from 'commander';
import type { OwnShare } from '../../contract/share.ts';
import { clientFromEnvironment } from '../client.ts';
import { printable } from '../printable.ts';

/** `ebb pause REASON`: the team's builds wait; those that run go on. */
export function pauseCommand(): Command {
  return new Command('pause')
    .description('Let all builds of the team wait, until ebb resume; those that run go on.')
    .argument('<reason>', 'a sentence that each waiting build shows')
    .action(async (reason: string) => {
      const client = clientFromEnvironment(process.env);
      tell(await client.change<OwnShare>('PUT', '/v1/team/pause', { reason }));
    });
}

/** `ebb resume`: ends what `ebb pause` began. */
export function resumeCommand(): Command {
  return new Command('resume')
    .description('Let the builds of the team go on that ebb pause holds back.')
    .action(async () => {
      tell(await clientFromEnvironment(process.env).change<OwnShare>('DELETE', '/v1/team/pause'));
    });
}

function tell({ paused_by_operator, paused_by_team }: OwnShare): void {
  if (paused_by_team !== null) console.log(printable(`The team is paused by itself: ${paused_by_team}`));
  if (paused_by_operator !== null)
    console.log(printable(`The team is paused by the operator: ${paused_by_operator}`));
  if (paused_by_team === null && paused_by_operator === null) console.log('The team is not paused.');
}
