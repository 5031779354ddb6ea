import { setTimeout as delay } from 'node:timers/promises';
import { type Vm, type VmDriver, VmError, type VmLaunch } from '../driver.ts';
import { createIdentity } from '../identity.ts';
import { createKeptVms } from '../kept-vms.ts';
import type { VmHandle } from '../vm-handle.ts';
import { bringUp } from './bring-up.ts';
import type { Ec2Context } from './ec2-context.ts';
import type { Instance } from './instance.ts';
import { vmOfInstance } from './instance-vm.ts';
import { instanceOf, launchInstance } from './launch-instance.ts';
import { createInstanceReaper } from './reap-instances.ts';
import { adoptInstance } from './take-over-instance.ts';

const defaultDeadmanSeconds = 60;
const consolePatienceMs = 10_000;
// Nothing runs on an EC2 runner's loopback that a build should reach.
const hostAddress = '127.0.0.1';

export interface Ec2DriverOptions extends Ec2Context {
  /** Whether the runner of this name lives; must throw when that is not known. */
  isAlive(runner: string): Promise<boolean>;
  /** How long is tried to end an instance; the reaper and its dead-man's switch end it later. */
  endPatienceMs: number;
  /** Instances younger than this are never reaped. */
  graceMs: number;
  onWarning(message: string): void;
  /** Milliseconds of a clock that never goes back; given by tests. */
  monotonicMs?: () => number;
}

/** VMs on Amazon EC2: one instance a VM, launched from the template of the platform stack, ended with the VM. */
export function createEc2Driver(options: Ec2DriverOptions): VmDriver {
  const running = createKeptVms();
  const comingUp = new Map<Promise<Vm>, string>();
  const closing = new AbortController();

  const bring = async (id: string, vm: Promise<Vm>): Promise<Vm> => {
    comingUp.set(vm, id);
    return await vm.finally(() => comingUp.delete(vm));
  };
  const isMine = (id: string) => running.has(id) || [...comingUp.values()].includes(id);
  const start = async (launch: VmLaunch): Promise<Vm> => {
    const signal = AbortSignal.any([launch.signal, closing.signal]);
    const identity = createIdentity({ deadmanSeconds: launch.deadmanSeconds ?? defaultDeadmanSeconds });
    try {
      const given = { ...launch, signal };
      const launchedAt = new Date();
      const instance = await launchInstance(options, given, identity.archive);
      const reached = await bringUp(options, instance, identity, given).catch(async (error) => {
        throw await withConsole(options, instance, error);
      });
      const { id, memoryMib, cpus, recipe = 'base' } = launch;
      const { clientKey } = identity;
      const known = { id, memoryMib, cpus, ...reached, clientKey, hostAddress, launchedAt };
      return running.keep(vmOfInstance(options, { known, recipe, instance, closing: closing.signal }));
    } catch (error) {
      identity.clientKey.fill(0);
      await endWhatIsThere(options, launch.id);
      if (signal.aborted) throw new VmError('aborted', 'The launch was given up.', { cause: error });
      throw error;
    } finally {
      identity.archive.fill(0);
    }
  };

  const adopt = async ({ image: { recipe }, driver: _, ...known }: VmHandle): Promise<Vm> => {
    try {
      const instance = await adoptInstance(options, known, closing.signal);
      return running.keep(vmOfInstance(options, { known, recipe, instance, closing: closing.signal }));
    } catch (error) {
      known.clientKey.fill(0);
      throw error;
    }
  };

  return {
    name: 'ec2',
    launch: (launch) => bring(launch.id, start(launch)),
    reap: createInstanceReaper(options, isMine),
    // Those who find the same instances by their tags; they are taken to be in one network.
    place: async () => `ec2:${options.region}:${options.deployment}`,
    adopt: (handle) => bring(handle.id, adopt(handle)),
    async close() {
      closing.abort(new Error('The driver is closing.'));
      await Promise.allSettled(comingUp.keys());
      try {
        await running.destroyAll();
      } finally {
        options.api.close();
      }
    },
  };
}

/** Nothing of a failed launch stays; where EC2 does not answer for minutes, the reaper finds the rest by its tags. */
async function endWhatIsThere(options: Ec2DriverOptions, vm: string): Promise<void> {
  const patience = AbortSignal.timeout(options.endPatienceMs);
  for (let pauseMs = options.pollMs; !patience.aborted; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      const instance = await instanceOf(options, vm, patience);
      if (instance) await options.api.terminate([instance.id], patience);
      return;
    } catch (error) {
      options.onWarning(`The instance of ${vm} could not be ended yet: ${String(error)}`);
      await delay(pauseMs, undefined, { signal: patience }).catch(() => undefined);
    }
  }
}

/** The console tells why a boot failed, while the instance is still there. */
async function withConsole({ api }: Ec2DriverOptions, { id }: Instance, error: unknown): Promise<unknown> {
  if (!(error instanceof VmError) || error.code === 'aborted') return error;
  const output = await api.consoleOutput(id, AbortSignal.timeout(consolePatienceMs)).catch(() => '');
  // Control characters of a hostile console must not reach a terminal.
  const tail = output.slice(-2_000).replace(/[^\n\x20-\x7e]/g, '');
  return tail === '' ? error : new VmError(error.code, `${error.message}\n${tail}`, { cause: error });
}
