import type { DiskImage } from '../../image/disk/disk-image.ts';
import type { VmDriver } from '../driver.ts';
import { openEc2Rig } from './ec2-rig-for-tests.ts';
import { type Instance, isEnding, tagNames } from './instance.ts';
import { type LabMachine, startLabMachine } from './lab-machine-for-tests.ts';

// What of a machine's memory the firmware keeps counts little beside this.
const memoryMib = 1024;
const watchMs = 200;

/**
 * The EC2 driver with machines behind it: each instance of the emulator is one that QEMU boots from a disk, with the user
 * data of its launch. An instance that ends takes its machine with it, and the other way round.
 */
export async function openEc2Lab(disk: DiskImage) {
  const machines = new Map<string, LabMachine | 'booting'>();
  const rig = await openEc2Rig();
  const boot = async (id: string) => {
    const userData = await rig.moto.userData(id);
    const machine = await startLabMachine({ diskPath: disk.diskPath, userData, memoryMib });
    machines.set(id, machine);
    void machine.exited.then(() => rig.moto.end(id).catch(() => undefined));
  };
  const reach = ({ id }: Instance) => {
    const machine = machines.get(id);
    if (typeof machine === 'object') return { host: machine.host, port: machine.port };
    if (machine === undefined) {
      machines.set(id, 'booting');
      boot(id).catch(() => machines.delete(id));
    }
    return undefined;
  };
  const deployment = 'lab';
  const watching = setInterval(async () => {
    const instances = await rig.instances(deployment).catch(() => []);
    for (const instance of instances) {
      const machine = machines.get(instance.id);
      if (isEnding(instance) && typeof machine === 'object') {
        machines.delete(instance.id);
        await machine.destroy();
      }
    }
  }, watchMs);
  /** The driver of a runner; all of them reach the same machines. */
  const openDriver = async (runner: string): Promise<VmDriver> => {
    const patience = { bootTimeoutMs: 180_000, pollMs: 200 };
    const { driver } = await rig.openDriver({ deployment, runner, reach, ...patience });
    return {
      ...driver,
      // On EC2 nothing on the runner's own loopback is of use to a build; here the source host is there.
      launch: async (launch) => Object.assign(await driver.launch(launch), { hostAddress: '169.254.169.2' }),
    };
  };
  return {
    driver: await openDriver('runner-1'),
    openDriver,
    rig,
    /** Who has the instance of a VM, or had it last. */
    async ownerOf(vm: string): Promise<string | undefined> {
      const instances = await rig.instances(deployment);
      return instances.find(({ tags }) => tags[tagNames.vm] === vm)?.tags[tagNames.runner];
    },
    /** Instances of a VM that have not ended. */
    async remains(vm: string): Promise<string[]> {
      const instances = await rig.instances(deployment);
      return instances
        .filter((instance) => instance.tags[tagNames.vm] === vm && !isEnding(instance))
        .map(({ id }) => id);
    },
    async close() {
      clearInterval(watching);
      await rig.close();
      await Promise.all([...machines.values()].map((machine) => machine !== 'booting' && machine.destroy()));
    },
  };
}

export type Ec2Lab = Awaited<ReturnType<typeof openEc2Lab>>;
