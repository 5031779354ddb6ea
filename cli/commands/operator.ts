import { Command, InvalidArgumentError } from 'commander';
import type { Fleet, FleetChange, TeamShare, TeamShareChange } from '../../contract/share.ts';
import { CliError } from '../cli-error.ts';
import { clientFromEnvironment } from '../client.ts';
import { everyItem } from '../every-page.ts';
import { printable } from '../printable.ts';

interface TeamOptions {
  weight?: number;
  limit?: number | 'none';
  pause?: string;
  resume?: true;
}

interface FleetOptions {
  limit?: number | 'none';
  drain?: true;
  resume?: true;
}

/** `ebb operator`: who may build how much; for a key with the scope operator. */
export function operatorCommand(): Command {
  const command = new Command('operator').description(
    'See and set what teams get of the machines, with an API key of the scope operator.',
  );
  command
    .command('teams')
    .description('What each team gets, a line each.')
    .action(async () => {
      const client = clientFromEnvironment(process.env);
      for await (const share of everyItem<TeamShare>(client, '/v1/operator/teams'))
        console.log(printable(describeTeam(share)));
    });
  command
    .command('team')
    .description('What a team gets. With options it is changed; builds that wait go by it at once.')
    .argument('<team>', 'name or id of the team')
    .option('--weight <number>', 'its share beside other teams, above 0; 1 at first', toWeight)
    .option('--limit <number>', 'how many of its builds may run at once, or none', toLimit)
    .option('--pause <reason>', 'let its builds wait; the team reads the reason')
    .option('--resume', 'let them go on')
    .action(async (team: string, { weight, limit, pause, resume }: TeamOptions) => {
      if (pause !== undefined && resume) throw new CliError('--pause and --resume: choose one of them.');
      const change: TeamShareChange = {
        ...(weight === undefined ? {} : { weight }),
        ...(limit === undefined ? {} : { limit: limit === 'none' ? null : limit }),
        ...(pause === undefined ? {} : { paused_by_operator: pause }),
        ...(resume ? { paused_by_operator: null } : {}),
      };
      const path = `/v1/operator/teams/${encodeURIComponent(team)}`;
      console.log(printable(describeTeam(await seeOrChange<TeamShare>(path, change))));
    });
  command
    .command('fleet')
    .description('What there is for all teams together. With options it is changed.')
    .option('--limit <number>', 'how many builds may run at once in all, or none', toLimit)
    .option('--drain', 'start no build any more, for a deployment; those that run go on')
    .option('--resume', 'start builds again')
    .action(async ({ limit, drain, resume }: FleetOptions) => {
      if (drain && resume) throw new CliError('--drain and --resume: choose one of them.');
      const change: FleetChange = {
        ...(limit === undefined ? {} : { limit: limit === 'none' ? null : limit }),
        ...(drain ? { drained: true } : {}),
        ...(resume ? { drained: false } : {}),
      };
      const fleet = await seeOrChange<Fleet>('/v1/operator/fleet', change);
      console.log(`limit ${fleet.limit ?? 'none'}  ${fleet.drained ? 'drained' : 'open'}`);
    });
  return command;
}

async function seeOrChange<T>(path: string, change: object): Promise<T> {
  const client = clientFromEnvironment(process.env);
  return Object.keys(change).length === 0
    ? await client.get<T>(path)
    : await client.change<T>('PATCH', path, change);
}

function describeTeam({ id, weight, limit, limit_by_team, ...pause }: TeamShare): string {
  const { paused_by_operator, paused_by_team } = pause;
  const own = limit_by_team === null ? [] : [`its own limit ${limit_by_team}`];
  const pauses = [
    ...(paused_by_operator === null ? [] : [`paused by the operator: ${paused_by_operator}`]),
    ...(paused_by_team ? ['paused by the team'] : []),
  ];
  return [id, `weight ${weight}`, `limit ${limit ?? 'none'}`, ...own, ...pauses].join('  ');
}

function toWeight(text: string): number {
  const weight = Number(text);
  if (weight > 0) return weight;
  throw new InvalidArgumentError('It must be a number above 0.');
}

function toLimit(text: string): number | 'none' {
  if (text === 'none') return text;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw new InvalidArgumentError('It must be a whole number from 1, or none.');
}
