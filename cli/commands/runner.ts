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
      const onReady = () => process.send?.({ ready: true });
      await runRunnerProcess({ configuration, stop, handOver, kill, onReady });
      process.disconnect?.();
    });
}
