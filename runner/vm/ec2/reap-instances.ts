import type { Ec2DriverOptions } from './ec2-driver.ts';
import { type Instance, isEnding, tagNames } from './instance.ts';

const timeoutMs = 60_000;

/**
 * Ends instances of this deployment that nobody owns: their runner is dead, or it is this one and knows nothing of them.
 * Never one of a runner that lives. Gives the ids of their VMs.
 *
 * @param isMine whether this process is using or launching the VM
 */
export async function reapInstances(
  options: Ec2DriverOptions,
  isMine: (vm: string) => boolean,
): Promise<string[]> {
  const signal = AbortSignal.timeout(timeoutMs);
  const found = await options.api.find({ [tagNames.deployment]: options.deployment }, signal);
  const reaped: string[] = [];
  for (const instance of found) {
    if (isEnding(instance) || !(await isOrphan(options, instance, isMine))) continue;
    await options.api.terminate([instance.id], signal);
    reaped.push(instance.tags[tagNames.vm] ?? instance.id);
  }
  return reaped;
}

async function isOrphan(
  options: Ec2DriverOptions,
  { launchedAt, tags }: Instance,
  isMine: (vm: string) => boolean,
): Promise<boolean> {
  if (Date.now() - launchedAt.getTime() < options.graceMs) return false;
  const { [tagNames.runner]: owner = '', [tagNames.vm]: vm = '' } = tags;
  return owner === options.runner ? !isMine(vm) : !(await options.isAlive(owner));
}
