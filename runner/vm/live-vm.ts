import { randomBytes } from 'node:crypto';
import { connect, type SshSession } from '../ssh/connection.ts';
import type { Vm, VmDriver } from './driver.ts';
import { keepAlive } from './heartbeat.ts';

/** A VM with the runner's connection to it, as root, over which it hears that its runner lives. */
export interface LiveVm {
  vm: Vm;
  connection: SshSession;
  /** Closes the connection and destroys the VM. May be called again. */
  end(): Promise<void>;
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
    return { vm, connection, end };
  } catch (error) {
    await vm.destroy();
    throw error;
  }
}
