import { join } from 'node:path';
import { type Program, startProgram } from './program.ts';
import type { RunnerProcess } from './runners.ts';
import { callVmHost } from './stand-in-driver.ts';
import type { VmHost } from './vm-host.ts';
import type { RunnerSetting } from './world.ts';

/** The process with the stand-ins for VMs, as the test sees it. */
export interface StandInVms {
  startRunner(setting: RunnerSetting): Promise<RunnerProcess>;
  cut(): Promise<void>;
  delay(milliseconds: number): Promise<void>;
  census(): ReturnType<VmHost['census']>;
  close(): Promise<void>;
}

/** @param ledger file that gets a line for each deployment */
export async function startStandInVms(ledger: string, logFile: string): Promise<StandInVms> {
  const host: Program<{ port: number }> = await startProgram('vm-host-process.ts', ledger, logFile);
  const url = `http://127.0.0.1:${host.ready.port}`;
  return {
    async startRunner({ folder, ...setting }) {
      const argument = JSON.stringify({ ...setting, vmHostUrl: url });
      const runner = await startProgram('chaos-runner.ts', argument, join(folder, `${setting.name}.log`));
      return {
        pid: runner.pid,
        gone: runner.gone,
        async stop() {
          runner.child.kill('SIGTERM');
          await runner.gone;
        },
      };
    },
    cut: () => callVmHost(url, 'cut'),
    delay: (milliseconds) => callVmHost(url, `delay/${milliseconds}`),
    census: () => callVmHost(url, 'census'),
    async close() {
      host.child.kill();
      await host.gone;
    },
  };
}
