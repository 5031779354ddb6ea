import { Command } from 'commander';
import { listApiKeys, makeApiKey, registerApiKey, revokeApiKey } from '../../api/auth/api-key.ts';
import { hashSecret } from '../../api/auth/hash-secret.ts';
import { readDatabaseConfiguration } from '../../api/configuration.ts';
import type { Database } from '../../api/db/database.ts';
import { operators } from '../../api/teams/operators.ts';
import { operatorScopes, type Scope, teamScopes } from '../../contract/token.ts';
import { CliError } from '../cli-error.ts';
import { openMadeDatabase } from '../open-made-database.ts';
import { operator, withOperatorContext } from '../operator-context.ts';
import { printable } from '../printable.ts';

/** `ebb api-key`: for who operates Ebb, straight in the database. With PGlite the API must be stopped meanwhile. */
export function apiKeyCommand(): Command {
  const command = new Command('api-key').description(
    'Make, list and revoke API keys, in the database that EBB_DATABASE_URL or EBB_DATA_DIR names. What is made or revoked is audited, signed with the keys of EBB_KEYS_DIR or of the variables that the API has.',
  );
  command
    .command('create')
    .description('Make an API key and show it, once.')
    .option('--team <team>', 'team that it is for; EBB_TEAM when absent')
    .option('--runner', 'for a runner instead of a team')
    .option('--operators', 'for who operates Ebb instead of a team; --scopes is operator, core_crew or both')
    .option('--scopes <scopes>', 'what it may do, separated by commas; all that a team may when absent')
    .option(
      '--hash <hash>',
      'of a key that ebb api-key generate made elsewhere, so that nothing secret is shown here',
    )
    .option('--name <name>', 'what it is for, to tell it from others', 'made by ebb api-key')
    .action((options: CreateOptions) =>
      withOperatorContext(async (context, teamName) => {
        const team = options.runner || options.operators ? operators : (options.team ?? teamName);
        const row = await context.database
          .selectFrom('team')
          .select('id')
          .where('name', '=', team)
          .executeTakeFirst();
        if (!row) throw new CliError(`There is no team ${team}. The first start of ebb api makes the first.`);
        const granted = options.runner ? (['runner'] as Scope[]) : parseScopes(team, options.scopes);
        const key = { teamId: row.id, name: options.name, scopes: granted, now: new Date() };
        const secret = options.hash === undefined ? makeApiKey() : undefined;
        const secretHash = secret === undefined ? parseHash(options.hash ?? '') : hashSecret(secret);
        await registerApiKey(context, { key, secretHash, actor: operator });
        if (secret !== undefined) console.log(secret);
      }),
    );
  command
    .command('generate')
    .description('Make an API key without registering it, and show it with the hash to register.')
    .action(() => {
      const key = makeApiKey();
      console.log(`${key}\nhash: ${hashSecret(key).toString('hex')}`);
    });
  command
    .command('list')
    .description('Show the API keys that are good, without what they are.')
    .action(() =>
      withDatabase(async (database) => {
        for (const key of await listApiKeys(database)) {
          const { id, team, name, created_at } = key;
          console.log(printable([id, team, created_at.toISOString(), key.scopes.join(','), name].join('  ')));
        }
      }),
    );
  command
    .command('revoke')
    .description('End an API key, and every token that was made with it, at once.')
    .argument('<id>', 'as list shows it')
    .action((id: string) =>
      withOperatorContext(async (context) => {
        if (!(await revokeApiKey(context, id, operator)))
          throw new CliError(`There is no API key ${id} that is good. ebb api-key list shows them.`);
        console.log(`ebb: ${id} is revoked`);
      }),
    );
  return command;
}

interface CreateOptions {
  team?: string;
  runner?: true;
  operators?: true;
  scopes?: string;
  name: string;
  hash?: string;
}

function parseHash(text: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new CliError('--hash must be 64 hexadecimal digits, as ebb api-key generate shows them.');
  return Buffer.from(text, 'hex');
}

/** A team's key may do what a team may, the operators' what is theirs alone and read their own team's audit trail. */
function parseScopes(team: string, text: string | undefined): Scope[] {
  const allowed: readonly Scope[] = team === operators ? [...operatorScopes, 'audit:read'] : teamScopes;
  if (text === undefined && team === operators)
    throw new CliError(`--scopes is not given. Choose of ${allowed.join(', ')}.`);
  const asked = (text ?? allowed.join(',')).split(',').map((scope) => scope.trim());
  const refused = asked.filter((scope) => !allowed.includes(scope as Scope));
  if (refused.length > 0)
    throw new CliError(
      `The team ${team} cannot have the scope ${refused.join(', ')}. Choose of ${allowed.join(', ')}.`,
    );
  return asked as Scope[];
}

async function withDatabase(use: (database: Database) => Promise<void>): Promise<void> {
  const { location } = readDatabaseConfiguration(process.env);
  const database = await openMadeDatabase(location);
  try {
    await use(database);
  } finally {
    await database.destroy();
  }
}
