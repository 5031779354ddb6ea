import { setTimeout as delay } from 'node:timers/promises';
import { type Vm, type VmDriver, VmError, type VmExit, type VmLaunch } from '../driver.ts';
import { createIdentity, type VmIdentity } from '../identity.ts';
import { bringUp, type Reached } from './bring-up.ts';
import type { Ec2Context } from './ec2-context.ts';
import { type Instance, isEnding } from './instance.ts';
import { instanceOf, launchInstance } from './launch-instance.ts';
import { observeInstance } from './observe-instance.ts';
import { reapInstances } from './reap-instances.ts';

const defaultDeadmanSeconds = 60;
const consolePatienceMs = 10_000;

export interface Ec2DriverOptions extends Ec2Context {
  /** Whether the runner of this name lives; must throw when that is not known. */
  isAlive(runner: string): Promise<boolean>;
  /** How long is tried to end an instance; the reaper and its dead-man's switch end it later. */
  endPatienceMs: number;
  /** Instances younger than this are never reaped. */
  graceMs: number;
  onWarning(message: string): void;
}

/** VMs on Amazon EC2: one instance a VM, launched from the template of the platform stack, ended with the VM. */
export function createEc2Driver(options: Ec2DriverOptions): VmDriver {
  const running = new Map<string, Vm>();
  const launching = new Map<string, Promise<unknown>>();
  const closing = new AbortController();

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
      const parts = { launch, instance, identity, reached, launchedAt };
      const vm = describe(options, { ...parts, closing: closing.signal });
      running.set(vm.id, vm);
      void vm.exited.then(() => running.delete(vm.id));
      return vm;
    } catch (error) {
      identity.clientKey.fill(0);
      await endWhatIsThere(options, launch.id);
      if (signal.aborted) throw new VmError('aborted', 'The launch was given up.', { cause: error });
      throw error;
    } finally {
      identity.archive.fill(0);
    }
  };

  return {
    name: 'ec2',
    async launch(launch) {
      const started = start(launch);
      launching.set(launch.id, started);
      return await started.finally(() => launching.delete(launch.id));
    },
    reap: () => reapInstances(options, (vm) => running.has(vm) || launching.has(vm)),
    async close() {
      closing.abort(new Error('The driver is closing.'));
      await Promise.allSettled(launching.values());
      try {
        await Promise.all([...running.values()].map((vm) => vm.destroy()));
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

function describe(
  options: Ec2DriverOptions,
  parts: {
    launch: VmLaunch;
    instance: Instance;
    identity: VmIdentity;
    reached: Reached;
    launchedAt: Date;
    closing: AbortSignal;
  },
): Vm {
  const { launch, instance, identity, reached } = parts;
  const gone = Promise.withResolvers<VmExit>();
  const over = new AbortController();
  const settle = (exit: VmExit) => {
    over.abort();
    identity.clientKey.fill(0);
    gone.resolve(exit);
  };
  void watch(options, instance, AbortSignal.any([over.signal, parts.closing])).then(
    () => settle({ code: null, signal: null }),
    () => undefined,
  );
  return {
    id: launch.id,
    driver: 'ec2',
    ...reached,
    clientKey: identity.clientKey,
    // Nothing runs on an EC2 runner's loopback that a build should reach.
    hostAddress: '127.0.0.1',
    memoryMib: launch.memoryMib,
    cpus: launch.cpus,
    image: instance.image,
    launchedAt: parts.launchedAt,
    exited: gone.promise,
    consoleTail: () => '',
    observe: (signal) =>
      observeInstance(options, { id: instance.id, recipe: launch.recipe ?? 'base' }, signal),
    async destroy() {
      await endInstance(options, instance.id);
      settle({ code: null, signal: 'SIGKILL' });
    },
  };
}

/** Resolves when the instance has ended by itself, as after a spot interruption. */
async function watch(
  { api, pollMs }: Ec2DriverOptions,
  { id }: Instance,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await delay(pollMs * 10, undefined, { signal });
    const instance = await api.describe(id, signal).catch(() => 'unknown' as const);
    if (instance === undefined || (instance !== 'unknown' && isEnding(instance))) return;
  }
}

/** Ends an instance and looks that it ends. Rejects when patience ends; its dead-man's switch and the reaper remain. */
async function endInstance({ api, pollMs, endPatienceMs }: Ec2DriverOptions, id: string): Promise<void> {
  const patience = AbortSignal.timeout(endPatienceMs);
  for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      await api.terminate([id], patience);
      const instance = await api.describe(id, patience);
      if (!instance || isEnding(instance)) return;
    } catch (error) {
      if (patience.aborted) throw error;
    }
    await delay(pauseMs, undefined, { signal: patience });
  }
}
