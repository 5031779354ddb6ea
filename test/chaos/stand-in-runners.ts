import { type Program, startProgram } from './program.ts';
import type { RunnerProcess } from './runners.ts';
import { callVmHost } from './stand-in-driver.ts';
import type { VmHost } from './vm-host.ts';
import type { RunnerSetting } from './world.ts';

const idleOfRunner = 2;
const poolAndSlots = {
  EBB_SLOTS: '4',
  EBB_POOL_MIN: String(idleOfRunner),
  EBB_POOL_MAX: String(idleOfRunner),
  EBB_BOOTS_AT_ONCE: '8',
  // This machine's swap is none of this test's business: the VMs are none.
  EBB_ALLOW_HOST_SWAP: 'true',
};

/** The process with the stand-ins for VMs, as the test sees it. */
export interface StandInVms {
  /** How many of a runner wait for builds at most. */
  idleOfRunner: number;
  startRunner(setting: RunnerSetting): Promise<RunnerProcess>;
  cut(): Promise<void>;
  delay(milliseconds: number): Promise<void>;
  kill(part: number): Promise<void>;
  census(): ReturnType<VmHost['census']>;
  close(): Promise<void>;
}

/** @param ledger file that gets a line for each deployment */
export async function startStandInVms(ledger: string, logFile: string): Promise<StandInVms> {
  const host: Program<{ port: number }> = await startProgram('vm-host-process.ts', ledger, logFile);
  const url = `http://127.0.0.1:${host.ready.port}`;
  return {
    idleOfRunner,
    async startRunner({ environment, logFile }) {
      const argument = JSON.stringify({ vmHostUrl: url, environment: { ...environment, ...poolAndSlots } });
      const runner = await startProgram('chaos-runner.ts', argument, logFile);
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
    kill: (part) => callVmHost(url, `kill/${part}`),
    delay: (milliseconds) => callVmHost(url, `delay/${milliseconds}`),
    census: () => callVmHost(url, 'census'),
    async close() {
      host.child.kill();
      await host.gone;
    },
  };
}
