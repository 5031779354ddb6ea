import { Command } from 'commander';
import { readApiConfiguration } from '../../api/configuration.ts';
import { type ApiReady, runApiProcess } from '../api-process.ts';
import { onStopRequest } from '../stop-request.ts';

/** `ebb api`: the control plane. */
export function apiCommand(): Command {
  return new Command('api')
    .description('Run the control plane. Configured by environment variables; it names what is missing.')
    .action(async () => {
      const configuration = readApiConfiguration(process.env);
      const { stop } = onStopRequest();
      await runApiProcess({ configuration, stop, onReady: tell });
      process.disconnect?.();
    });
}

/** A parent process gets the keys by IPC, so that they stand in no file and no log; a person sees them once. */
function tell(ready: ApiReady): void {
  if (process.send) {
    process.send(ready);
    return;
  }
  if (!ready.firstKeys) return;
  console.log(`ebb: the first start made a team. Keep these keys, they are not shown again:
  admin API key:  ${ready.firstKeys.admin}
  runner API key: ${ready.firstKeys.runner}`);
}
