import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from '../../contract/process-identity.ts';
import type { Vm } from '../../runner/vm/driver.ts';
import { createDriverForTests } from '../../runner/vm/driver-for-tests.ts';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';
import { imagePrograms } from './image-programs.ts';

/** What a runner asks a VM of. */
export interface StandInLaunch {
  id: string;
  /** The process whose VM it is. */
  runner: ProcessIdentity;
  memoryMib: number;
  cpus: number;
}

interface StandIn {
  vm: Vm;
  proxy: TcpProxy;
  runner: ProcessIdentity;
}

const bootMs = 200;
// Shorter than the longest time that a runner is stopped for, so that both orders of things happen.
const deadmanMs = 15_000;

/** Runs stand-ins for VMs, which outlive the runners that launched them; the network to them can be disturbed. */
export class VmHost {
  #vms = new Map<string, StandIn>();
  #ledger: string;

  /** @param ledger file that gets a line for each deployment */
  constructor(ledger: string) {
    this.#ledger = ledger;
  }

  async launch({ id, runner, memoryMib, cpus }: StandInLaunch) {
    await sleep(bootMs);
    const driver = createDriverForTests();
    driver.commands = imagePrograms({
      id,
      runs: () => this.#vms.has(id),
      noteDeployment: (build) => appendFileSync(this.#ledger, `${build}\n`),
    });
    const vm = await driver.launch({ id, memoryMib, cpus, signal: new AbortController().signal });
    const proxy = await startTcpProxy(vm.port);
    this.#vms.set(id, { vm, proxy, runner });
    void vm.exited.then(() => {
      this.#vms.delete(id);
      return proxy.close();
    });
    void this.#endWithoutHeartbeat(vm, () => driver.heartbeats.get(id) ?? 0);
    const text = (key: Buffer) => key.toString('base64');
    return { port: proxy.port, hostKey: text(vm.hostKey), clientKey: text(vm.clientKey) };
  }

  async #endWithoutHeartbeat(vm: Vm, heartbeats: () => number): Promise<void> {
    let known = heartbeats();
    let at = performance.now();
    while (this.#vms.has(vm.id)) {
      await sleep(500);
      const now = heartbeats();
      if (now !== known) {
        known = now;
        at = performance.now();
      }
      if (performance.now() - at > deadmanMs) await vm.destroy();
    }
  }

  /** Resolves when the VM is gone. */
  async gone(id: string): Promise<void> {
    await this.#vms.get(id)?.vm.exited;
  }

  async destroy(id: string): Promise<void> {
    await this.#vms.get(id)?.vm.destroy();
  }

  /** Ends the VMs of runners that are dead, and gives their ids. */
  async reap(): Promise<string[]> {
    const reaped = await this.#ofDeadRunners();
    await Promise.all(reaped.map((id) => this.destroy(id)));
    return reaped;
  }

  /** All VMs that run, and those among them that no living runner owns. */
  async census(): Promise<{ running: string[]; ownerless: string[] }> {
    return { running: [...this.#vms.keys()], ownerless: await this.#ofDeadRunners() };
  }

  async #ofDeadRunners(): Promise<string[]> {
    const found = await Promise.all(
      [...this.#vms].map(async ([id, { runner }]) => ((await isAlive(runner)) ? [] : [id])),
    );
    return found.flat();
  }

  cutConnections(): void {
    for (const { proxy } of this.#vms.values()) proxy.cut();
  }

  delayConnections(milliseconds: number): void {
    for (const { proxy } of this.#vms.values()) proxy.delay(milliseconds);
  }
}
