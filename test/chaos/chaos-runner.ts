import { runRunnerProcess } from '../../cli/runner-process.ts';
import { onStopRequest } from '../../cli/stop-request.ts';
import { readRunnerConfiguration } from '../../runner/configuration.ts';
import { createStandInDriver } from './stand-in-driver.ts';

/* A runner that differs from `ebb runner` in its driver alone. */

const { environment, vmHostUrl } = JSON.parse(process.argv[2] ?? '{}');

await runRunnerProcess({
  configuration: readRunnerConfiguration(environment),
  driver: await createStandInDriver(vmHostUrl),
  ...onStopRequest(),
  onReady: () => process.send?.({ ready: true }),
});
process.disconnect?.();
