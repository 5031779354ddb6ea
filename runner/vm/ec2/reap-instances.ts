import type { Ec2DriverOptions } from './ec2-driver.ts';
import { type Instance, isEnding, tagNames } from './instance.ts';

const timeoutMs = 60_000;
// A VM ends itself 60 s after its runner's last sign of life; half a minute more is for the shutdown.
const sharedMs = 90_000;

/**
 * Makes the reaper: each call ends instances of this deployment that nobody owns, because their runner is dead, or is this
 * one and knows nothing of them, and gives the ids of their VMs. Never one of a runner that lives; and one that was shared
 * only once nobody has taken it over for as long as somebody may, by the monotonic clock.
 *
 * @param isMine whether this process is using the VM, launching it or taking it over
 */
export function createInstanceReaper(
  options: Ec2DriverOptions,
  isMine: (vm: string) => boolean,
): () => Promise<string[]> {
  const { api, deployment, monotonicMs = () => performance.now() } = options;
  const orphans = new Map<string, { runner: string | undefined; since: number }>();
  const mayEnd = async (instance: Instance): Promise<boolean> => {
    if (isEnding(instance) || !(await isOrphan(options, instance, isMine))) {
      orphans.delete(instance.id);
      return false;
    }
    if (!instance.tags[tagNames.shared]) return true;
    const { [tagNames.runner]: runner } = instance.tags;
    const known = orphans.get(instance.id);
    const orphan = known && known.runner === runner ? known : { runner, since: monotonicMs() };
    orphans.set(instance.id, orphan);
    return monotonicMs() - orphan.since >= sharedMs;
  };
  return async () => {
    const signal = AbortSignal.timeout(timeoutMs);
    const found = await api.find({ [tagNames.deployment]: deployment }, signal);
    const reaped: string[] = [];
    const refusals: unknown[] = [];
    for (const instance of found) {
      if (!(await mayEnd(instance))) continue;
      // Another runner may have taken it over since it was found.
      const now = await api.describe(instance.id, signal);
      if (!now || !(await mayEnd(now))) continue;
      try {
        await api.terminate([instance.id], signal);
        reaped.push(instance.tags[tagNames.vm] ?? instance.id);
      } catch (error) {
        // One that may not be ended keeps none behind it alive.
        refusals.push(error);
      }
    }
    for (const id of orphans.keys()) if (!found.some((one) => one.id === id)) orphans.delete(id);
    // What was ended is told; the refusal is met again in the next round.
    if (refusals.length > 0 && reaped.length === 0) throw refusals[0];
    return reaped;
  };
}

async function isOrphan(
  options: Ec2DriverOptions,
  { launchedAt, tags }: Instance,
  isMine: (vm: string) => boolean,
): Promise<boolean> {
  if (Date.now() - launchedAt.getTime() < options.graceMs) return false;
  const { [tagNames.runner]: owner = '', [tagNames.vm]: vm = '' } = tags;
  return !isMine(vm) && (owner === options.runner || !(await options.isAlive(owner)));
}
