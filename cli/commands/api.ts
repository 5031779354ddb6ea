import { Command } from 'commander';
import { readApiConfiguration } from '../../api/configuration.ts';
import { type ApiReady, runApiProcess } from '../api-process.ts';
import { showFirstKeys } from '../first-keys.ts';
import { forbidCoreDumps } from '../no-core-dumps.ts';
import { onStopRequest } from '../stop-request.ts';

/** `ebb api`: the control plane. */
export function apiCommand(): Command {
  return new Command('api')
    .description('Run the control plane. Configured by environment variables; it names what is missing.')
    .option('--check', 'read the configuration, name what is wrong with it, and end')
    .action(async (options: { check?: true }) => {
      const configuration = readApiConfiguration(process.env);
      if (options.check) {
        console.log('ebb: the configuration is complete');
        return;
      }
      await forbidCoreDumps();
      const { stop } = onStopRequest();
      await runApiProcess({ configuration, stop, onReady: tell });
    });
}

/** A parent process gets the keys by IPC, so that they stand in no file and no log; a person sees them once. */
function tell(ready: ApiReady): void {
  if (process.send) {
    process.send(ready);
    return;
  }
  if (!ready.firstKeys) return;
  console.log(showFirstKeys(ready.firstKeys));
}
