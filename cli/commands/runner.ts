import { Command } from 'commander';
import { readRunnerConfiguration } from '../../runner/configuration.ts';
import { forbidCoreDumps } from '../no-core-dumps.ts';
import { runRunnerProcess } from '../runner-process.ts';
import { onStopRequest } from '../stop-request.ts';

/** `ebb runner`: claims builds and runs each on a fresh VM. */
export function runnerCommand(): Command {
  return new Command('runner')
    .description(
      'Run builds on fresh VMs of this machine. Configured by environment variables; it names what is missing.',
    )
    .action(async () => {
      const configuration = readRunnerConfiguration(process.env);
      await forbidCoreDumps();
      const { stop, handOver, kill } = onStopRequest();
      await runRunnerProcess({
        ...{ configuration, stop, handOver, kill, onReady: () => process.send?.({ ready: true }) },
        // Not SIGHUP: a terminal that is closed sends it, and should end what runs in it.
        onRenew: (renew) => process.on('SIGUSR2', renew),
      });
    });
}
