import { processIdentity } from '../../contract/process-identity.ts';
import { type Vm, type VmDriver, VmError, type VmExit, type VmLaunch } from '../../runner/vm/driver.ts';
import { imageForTests, seenWithoutDisk } from '../../runner/vm/driver-for-tests.ts';
import type { StandInLaunch } from './vm-host.ts';

/** Asks the process of `vm-host-process.ts` for something. */
export async function callVmHost<T>(url: string, call: string, body?: object): Promise<T> {
  const answer = await fetch(`${url}/${call}`, {
    method: 'POST',
    ...(body && { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as T;
}

/** A driver whose VMs are stand-ins in another process, which outlive this one as VMs of QEMU would. */
export async function createStandInDriver(url: string): Promise<VmDriver> {
  const runner = await processIdentity(process.pid);
  if (!runner) throw new Error('This process cannot be found in /proc.');
  const running = new Set<Vm>();
  return {
    name: 'tests',
    async launch(launch) {
      launch.signal.throwIfAborted();
      const { id, memoryMib, cpus } = launch;
      const wanted: StandInLaunch = { id, runner, memoryMib, cpus };
      const keys = await callVmHost<Keys>(url, 'launch', wanted);
      const vm = standIn(url, launch, keys);
      running.add(vm);
      void vm.exited.then(() => running.delete(vm));
      if (!launch.signal.aborted) return vm;
      await vm.destroy();
      throw new VmError('aborted', 'The boot was given up.');
    },
    reap: () => callVmHost(url, 'reap'),
    close: async () => void (await Promise.all([...running].map((vm) => vm.destroy()))),
  };
}

interface Keys {
  port: number;
  hostKey: string;
  clientKey: string;
}

function standIn(url: string, { id, memoryMib, cpus }: VmLaunch, keys: Keys): Vm {
  const exited = callVmHost(url, `gone/${id}`).then((): VmExit => ({ code: null, signal: 'SIGKILL' }));
  return {
    ...{ id, memoryMib, cpus, exited },
    driver: 'qemu',
    image: 'image-1',
    host: '127.0.0.1',
    port: keys.port,
    hostKey: Buffer.from(keys.hostKey, 'base64'),
    clientKey: Buffer.from(keys.clientKey, 'base64'),
    hostAddress: '127.0.0.1',
    launchedAt: new Date(),
    consoleTail: () => '',
    observe: async () => ({ image: imageForTests, outside: seenWithoutDisk }),
    async destroy() {
      await callVmHost(url, `destroy/${id}`);
      await exited;
    },
  };
}
