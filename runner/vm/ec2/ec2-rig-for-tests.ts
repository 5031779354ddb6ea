import { DescribeInstancesCommand } from '@aws-sdk/client-ec2';
import type { VmDriver } from '../driver.ts';
import { createEc2Api } from './ec2-api.ts';
import { createEc2Driver, type Ec2DriverOptions } from './ec2-driver.ts';
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { createGuests } from './guests-for-tests.ts';
import { type Instance, isEnding, tagNames, toInstance } from './instance.ts';
import { type Moto, startMoto } from './moto-for-tests.ts';
import { createPlaces } from './places.ts';

/** EC2 as far as it can be had on one machine: moto, guests that answer SSH, and drivers that reach it through faults. */
export async function openEc2Rig() {
  const moto: Moto = await startMoto();
  const templateId = await moto.createTemplate();
  const guests = createGuests((id) => moto.userData(id));
  const proxies: FaultProxy[] = [];
  const drivers: VmDriver[] = [];

  return {
    moto,
    templateId,
    /** A runner's driver. Its calls go through a proxy of its own. */
    async openDriver(change: Partial<Ec2DriverOptions> & { fault?: (action: string) => Fault } = {}) {
      const { fault = () => 'none' as const, ...rest } = change;
      const proxy = await startFaultProxy({ target: moto.url, fault });
      proxies.push(proxy);
      const options: Ec2DriverOptions = {
        api: createEc2Api({
          region: 'eu-central-1',
          endpoint: proxy.url,
          // Only where answers are held back on purpose may a slow emulator cost an attempt.
          requestTimeoutMs: change.fault ? 1_000 : 10_000,
          attempts: 2,
        }),
        region: 'eu-central-1',
        places: createPlaces({
          instanceTypes: [
            { name: 'c7i.large', memoryMib: 4096 },
            { name: 'm7i.large', memoryMib: 8192 },
          ],
          subnets: moto.subnets.slice(0, 2),
          market: 'on-demand',
        }),
        template: { id: templateId, version: '$Latest' },
        deployment: 'test',
        runner: 'runner-1',
        reach: guests.reach,
        bootTimeoutMs: 30_000,
        pollMs: 20,
        endPatienceMs: 10_000,
        graceMs: 0,
        isAlive: async () => true,
        onWarning: () => {},
        ...rest,
      };
      const driver = createEc2Driver(options);
      drivers.push(driver);
      return { driver, options, proxy };
    },
    /** All instances of a deployment that ever were, straight from the emulator. */
    async instances(deployment: string): Promise<Instance[]> {
      const command = new DescribeInstancesCommand({
        Filters: [{ Name: `tag:${tagNames.deployment}`, Values: [deployment] }],
      });
      const { Reservations = [] } = await moto.client.send(command);
      return Reservations.flatMap(({ Instances = [] }) => Instances.map(toInstance));
    },
    async alive(deployment: string): Promise<string[]> {
      const all = await this.instances(deployment);
      return all.filter((instance) => !isEnding(instance)).map(({ tags }) => tags[tagNames.vm] ?? '?');
    },
    async close() {
      await Promise.all(drivers.map((driver) => driver.close().catch(() => undefined)));
      await guests.close();
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await moto.close();
    },
  };
}

export type Ec2Rig = Awaited<ReturnType<typeof openEc2Rig>>;
