import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { VmVerdict } from '../../contract/runner.ts';
import type { LiveVm } from '../vm/live-vm.ts';
import type { ControlPlane } from './control-plane.ts';

const pauseMs = 60_000;
const timeoutMs = 30_000;

interface CheckContext {
  controlPlane: Pick<ControlPlane, 'request'>;
  inUse: ReadonlyMap<string, LiveVm>;
  log: Logger;
}

/**
 * Asks the API now and then whether the builds of the VMs in use are over, and ends the VMs of those that are, until `stop`
 * aborts: a VM that its own build forgot would be kept alive by this runner for ever. Rejects never.
 */
export async function keepCheckingVms(context: CheckContext, stop: AbortSignal): Promise<void> {
  const check = createVmCheck(context);
  while (!stop.aborted) {
    await check(AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)])).catch((error) => {
      if (!stop.aborted) context.log.warn({ error: String(error) }, 'VMs could not be compared with builds');
    });
    await delay(pauseMs, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** Makes the check. It ends what was over at the call before too: what has just ended is being wound up. */
export function createVmCheck({ controlPlane, inUse, log }: CheckContext) {
  let overBefore = new Set<string>();
  return async (signal: AbortSignal): Promise<void> => {
    if (inUse.size === 0) return;
    const body = { vms: [...inUse.keys()] };
    const { ended } = await controlPlane.request<VmVerdict>('POST', '/v1/vm-checks', body, signal);
    const left = ended.filter((vm) => overBefore.has(vm));
    overBefore = new Set(ended);
    if (left.length === 0) return;
    log.warn({ vms: left }, 'ended VMs whose builds are over');
    await Promise.all(left.map((vm) => inUse.get(vm)?.end()));
  };
}
