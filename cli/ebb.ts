import { Command } from 'commander';
import { SchemaError } from '../api/db/migrate.ts';
import { ConfigurationError } from '../contract/environment.ts';
import { FolderInUseError } from '../contract/folder-lock.ts';
import { UnreachableError } from '../contract/unreachable-error.ts';
import { ImageError } from '../runner/image/image-error.ts';
import { CliError } from './cli-error.ts';
import { apiCommand } from './commands/api.ts';
import { apiKeyCommand } from './commands/api-key.ts';
import { approveCommand } from './commands/approve.ts';
import { auditCommand } from './commands/audit.ts';
import { buildCommand } from './commands/build.ts';
import { buildsCommand } from './commands/builds.ts';
import { devCommand } from './commands/dev.ts';
import { doctorCommand } from './commands/doctor.ts';
import { firstTeamCommand } from './commands/first-team.ts';
import { imageCommand } from './commands/image.ts';
import { keyEncryptionCommand } from './commands/key-encryption.ts';
import { keysCommand } from './commands/keys.ts';
import { logsCommand } from './commands/logs.ts';
import { memberCommand } from './commands/member.ts';
import { migrateCommand } from './commands/migrate.ts';
import { operatorCommand } from './commands/operator.ts';
import { pauseCommand, resumeCommand } from './commands/pause.ts';
import { providerCommand } from './commands/provider.ts';
import { receiptsCommand } from './commands/receipts.ts';
import { revokeCommand } from './commands/revoke.ts';
import { rotateKeyCommand } from './commands/rotate-key.ts';
import { runnerCommand } from './commands/runner.ts';
import { teamKeyCommand } from './commands/team-key.ts';
import { tokenKeyCommand } from './commands/token-key.ts';
import { verifyCommand } from './commands/verify.ts';
import { printableLines } from './printable.ts';

const program = new Command('ebb')
  .description('Ebb: a CI control plane whose builds leave nothing behind.')
  // What comes after the name of a command is the command's.
  .enablePositionalOptions()
  .showHelpAfterError('(ebb --help, or ebb COMMAND --help, says more)')
  .addHelpText(
    'after',
    `
To look around on one machine:   ebb dev
To run Ebb for a team:           ebb api, and ebb runner on the machines that build
EBB_ENDPOINT and EBB_API_KEY tell build, builds, logs, approve, pause, resume, operator, receipts, revoke, team-key, member and audit where the API is and who asks.`,
  );
for (const command of [
  devCommand,
  apiCommand,
  migrateCommand,
  firstTeamCommand,
  keysCommand,
  keyEncryptionCommand,
  apiKeyCommand,
  tokenKeyCommand,
  teamKeyCommand,
  memberCommand,
  runnerCommand,
  doctorCommand,
  imageCommand,
  buildCommand,
  buildsCommand,
  logsCommand,
  approveCommand,
  pauseCommand,
  resumeCommand,
  operatorCommand,
  auditCommand,
  receiptsCommand,
  rotateKeyCommand,
  revokeCommand,
  verifyCommand,
  providerCommand,
]) {
  program.addCommand(command());
}

try {
  await program.parseAsync();
} catch (error) {
  const forPeople = [
    CliError,
    ConfigurationError,
    UnreachableError,
    SchemaError,
    FolderInUseError,
    ImageError,
  ].some((family) => error instanceof family);
  console.error(forPeople ? `ebb: ${printableLines((error as Error).message)}` : error);
  process.exitCode = 1;
} finally {
  // A parent that waits for word would keep a command alive that ended, or failed to start.
  if (process.connected) process.disconnect();
}
