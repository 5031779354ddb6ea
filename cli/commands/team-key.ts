import { Command } from 'commander';
import type { ApiKey, CreatedApiKey } from '../../contract/api-key.ts';
import { clientFromEnvironment } from '../client.ts';
import { everyItem } from '../every-page.ts';
import { findId } from '../find-by-name.ts';
import { printable } from '../printable.ts';

interface CreateOptions {
  scopes: string;
  project?: string;
  expires?: string;
}

/** `ebb team-key`: a team's API keys, by the API and with the rights of EBB_API_KEY. */
export function teamKeyCommand(): Command {
  const command = new Command('team-key').description(
    'Make, list and revoke API keys of your own team, with the key in EBB_API_KEY. It gives no more than it has.',
  );
  command
    .command('create')
    .description('Make an API key and show it, once.')
    .argument('<name>', 'what it is for, to tell it from others')
    .requiredOption('--scopes <scopes>', 'what it may do, separated by commas')
    .option('--project <project>', 'the only project that it is good for: team/project, or an id')
    .option('--expires <time>', 'when it ends by itself, such as 2030-01-31T12:00:00Z')
    .action(async (name: string, { scopes, project, expires }: CreateOptions) => {
      const client = clientFromEnvironment(process.env);
      const { secret, id } = await client.post<CreatedApiKey>('/v1/api-keys', {
        name,
        scopes: scopes.split(',').map((scope) => scope.trim()),
        ...(project && { project_id: await findId(client, 'project', project) }),
        ...(expires && { expires_at: expires }),
      });
      console.error(`ebb: made ${id}; it is shown once:`);
      console.log(secret);
    });
  command
    .command('list')
    .description('Show the API keys that are good, without what they are.')
    .action(async () => {
      const keys = everyItem<ApiKey>(clientFromEnvironment(process.env), '/v1/api-keys');
      for await (const key of keys) if (isGood(key)) console.log(printable(lineOf(key)));
    });
  command
    .command('revoke')
    .description('End an API key, and every token that was made with it, at once.')
    .argument('<id>', 'as list shows it')
    .action(async (id: string) => {
      await clientFromEnvironment(process.env).delete(`/v1/api-keys/${encodeURIComponent(id)}`);
      console.log(`ebb: ${id} is revoked`);
    });
  return command;
}

function isGood({ revoked_at, expires_at }: ApiKey): boolean {
  return revoked_at === null && (expires_at === null || expires_at > new Date().toISOString());
}

function lineOf({ id, created_at, last_used_at, expires_at, project_id, scopes, name }: ApiKey): string {
  const used = last_used_at ? `used ${last_used_at}` : 'never used';
  const until = expires_at ? `until ${expires_at}` : 'no end';
  return [id, created_at, used, until, project_id ?? 'all projects', scopes.join(','), name].join('  ');
}
