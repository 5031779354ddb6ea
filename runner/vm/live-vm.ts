import { randomBytes } from 'node:crypto';
import { LetGo } from '../build/build-end.ts';
import { connect, type SshSession } from '../ssh/connection.ts';
import { type Vm, type VmDriver, VmError } from './driver.ts';
import { keepAlive } from './heartbeat.ts';
import type { VmHandle } from './vm-handle.ts';

/** A VM with the runner's connection to it, as root, over which it hears that its runner lives. */
export interface LiveVm {
  vm: Vm;
  connection: SshSession;
  /** Closes the connection and destroys the VM. May be called again. */
  end(): Promise<void>;
  /** Closes the connection and lets the VM go on, for another runner that adopts it. Only of a VM that was shared. */
  leave(): Promise<void>;
}

export interface VmShape {
  memoryMib: number;
  cpus: number;
  /** See `VmLaunch`. */
  recipe?: string;
}

const connectTimeoutMs = 30_000;

/** Boots a VM and logs in. Throws VmError or SshError; nothing of the VM is left then. */
export async function bootLiveVm(
  driver: VmDriver,
  { memoryMib, cpus, recipe = 'base' }: VmShape,
  signal: AbortSignal,
  onWait?: (reason: string) => void,
): Promise<LiveVm> {
  const id = `vm_${randomBytes(10).toString('hex')}`;
  const vm = await driver.launch({ id, memoryMib, cpus, recipe, signal, ...(onWait ? { onWait } : {}) });
  return await logIn(vm, signal);
}

/** Takes over a VM that another runner shared, and logs in. Throws VmError or SshError; nothing of the VM is left then. */
export async function adoptLiveVm(
  driver: Pick<VmDriver, 'name' | 'adopt'>,
  handle: VmHandle,
  signal: AbortSignal,
): Promise<LiveVm> {
  if (!driver.adopt || driver.name !== handle.driver)
    throw new VmError(
      'gone',
      `A VM of ${handle.driver} cannot be taken over by a runner with ${driver.name}.`,
    );
  const vm = await driver.adopt(handle);
  // Who is only asked to let go leaves it to the next.
  const giveUp = () => (vm.release && signal.reason instanceof LetGo ? vm.release() : vm.destroy());
  return await logIn(vm, signal, giveUp);
}

async function logIn(vm: Vm, signal: AbortSignal, giveUp = () => vm.destroy()): Promise<LiveVm> {
  try {
    const connection = await connect({
      host: vm.host,
      port: vm.port,
      username: 'root',
      privateKey: vm.clientKey,
      hostKey: vm.hostKey,
      signal,
      timeoutMs: connectTimeoutMs,
    });
    const heartbeat = keepAlive(connection);
    const end = async () => {
      heartbeat.stop();
      await vm.destroy();
      await connection.close();
    };
    const leave = async () => {
      heartbeat.stop();
      await vm.release?.();
      await connection.close();
    };
    return { vm, connection, end, leave };
  } catch (error) {
    await giveUp();
    throw error;
  }
}
