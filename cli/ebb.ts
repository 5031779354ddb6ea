import { Command } from 'commander';
import { ConfigurationError } from '../contract/environment.ts';
import { CliError } from './cli-error.ts';
import { apiCommand } from './commands/api.ts';
import { buildCommand } from './commands/build.ts';
import { devCommand } from './commands/dev.ts';
import { imageCommand } from './commands/image.ts';
import { logsCommand } from './commands/logs.ts';
import { runnerCommand } from './commands/runner.ts';
import { verifyCommand } from './commands/verify.ts';

const program = new Command('ebb')
  .description('Ebb: a CI control plane whose builds leave nothing behind.')
  .showHelpAfterError('(ebb --help, or ebb COMMAND --help, says more)')
  .addHelpText(
    'after',
    `
To look around on one machine:   ebb dev
To run Ebb for a team:           ebb api, and ebb runner on the machines that build
EBB_ENDPOINT and EBB_API_KEY tell build and logs where the API is and who asks.`,
  );
for (const command of [
  devCommand,
  apiCommand,
  runnerCommand,
  imageCommand,
  buildCommand,
  logsCommand,
  verifyCommand,
]) {
  program.addCommand(command());
}

try {
  await program.parseAsync();
} catch (error) {
  const forPeople = error instanceof CliError || error instanceof ConfigurationError;
  console.error(forPeople ? `ebb: ${error.message}` : error);
  process.exitCode = 1;
}
