import { processIdentity } from '../../contract/process-identity.ts';
import type { VmImage } from '../../contract/vm.ts';
import { type Vm, type VmDriver, VmError, type VmExit } from '../../runner/vm/driver.ts';
import { imageForTests, seenWithoutDisk } from '../../runner/vm/driver-for-tests.ts';
import { createKeptVms } from '../../runner/vm/kept-vms.ts';
import type { StandInLaunch } from './vm-host.ts';

/** Asks the process of `vm-host-process.ts` for something. */
export async function callVmHost<T>(url: string, call: string, body?: object): Promise<T> {
  const answer = await fetch(`${url}/${call}`, {
    method: 'POST',
    ...(body && { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as T;
}

/**
 * A driver whose VMs are stand-ins in another process: they outlive this one as VMs of QEMU would, and another runner may
 * take them over.
 */
export async function createStandInDriver(url: string): Promise<VmDriver> {
  const runner = await processIdentity(process.pid);
  if (!runner) throw new Error('This process cannot be found in /proc.');
  const kept = createKeptVms();
  const standIn = (about: Omit<Described, 'driver'>) =>
    kept.keep(createStandIn(url, runner, { ...about, driver }));
  // The kinds of VMs are few; see `contract/vm.ts`.
  const driver = 'qemu';
  return {
    name: driver,
    async launch(launch) {
      launch.signal.throwIfAborted();
      const { id, memoryMib, cpus } = launch;
      const wanted: StandInLaunch = { id, runner, memoryMib, cpus };
      const keys = await callVmHost<Keys>(url, 'launch', wanted);
      const vm = standIn({
        ...{ id, memoryMib, cpus, host: '127.0.0.1', port: keys.port, hostAddress: '127.0.0.1' },
        hostKey: Buffer.from(keys.hostKey, 'base64'),
        clientKey: Buffer.from(keys.clientKey, 'base64'),
        launchedAt: new Date(),
        image: imageForTests,
      });
      if (!launch.signal.aborted) return vm;
      await vm.destroy();
      throw new VmError('aborted', 'The boot was given up.');
    },
    reap: () => callVmHost(url, 'reap'),
    place: async () => url,
    async adopt(handle) {
      if (await callVmHost<boolean>(url, `adopt/${handle.id}`, runner)) return standIn(handle);
      handle.clientKey.fill(0);
      throw new VmError('gone', `The VM ${handle.id} is not there any more.`);
    },
    close: () => kept.destroyAll(),
  };
}

interface Keys {
  port: number;
  hostKey: string;
  clientKey: string;
}

type Described = Pick<
  Vm,
  | 'id'
  | 'driver'
  | 'host'
  | 'port'
  | 'hostKey'
  | 'clientKey'
  | 'hostAddress'
  | 'memoryMib'
  | 'cpus'
  | 'launchedAt'
> & { image: VmImage };

function createStandIn(url: string, runner: object, { image, ...described }: Described): Vm {
  const { id, clientKey } = described;
  const released = new AbortController();
  const { promise: exited, resolve: exit } = Promise.withResolvers<VmExit>();
  void (async () => {
    while (!released.signal.aborted && !(await callVmHost<boolean>(url, `gone/${id}`)));
    // One that was let go of goes on with another runner: nobody here is told of its end.
    if (!released.signal.aborted) exit({ code: null, signal: 'SIGKILL' });
  })();
  const release = async () => {
    released.abort();
    clientKey.fill(0);
  };
  return {
    ...described,
    image: image.recipe,
    exited,
    consoleTail: () => '',
    observe: async () => ({ image, outside: seenWithoutDisk }),
    async destroy() {
      const own = await callVmHost<boolean>(url, `destroy/${id}`, runner);
      if (!own) exit({ code: null, signal: null });
      await exited;
      clientKey.fill(0);
    },
    share: () => callVmHost(url, `share/${id}`, runner),
    release,
  };
}
