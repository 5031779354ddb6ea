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
  shared: boolean;
}

const bootMs = 200;
// Longer than a lease, so that there is time to take a VM over, and shorter than the longest time that a runner of a long
// plan is stopped for.
const deadmanMs = 45_000;
// A longer call could be given up by who makes it.
const goneCallMs = 20_000;

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
    this.#vms.set(id, { vm, proxy, runner, shared: false });
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

  /** Whether the VM is gone; answers when it is, or after some time. */
  async gone(id: string): Promise<boolean> {
    const exited = this.#vms.get(id)?.vm.exited.then(() => true) ?? true;
    return await Promise.race([exited, sleep(goneCallMs, false, { ref: false })]);
  }

  /** From now on another runner may adopt it. Does nothing for who does not own it. */
  async share(id: string, runner: ProcessIdentity): Promise<void> {
    const found = this.#ofRunner(id, runner);
    if (found) found.shared = true;
  }

  /** Makes this runner the owner of a VM that was shared. False when it is not there any more. */
  async adopt(id: string, runner: ProcessIdentity): Promise<boolean> {
    const found = this.#vms.get(id);
    if (!found?.shared) return false;
    found.runner = runner;
    return true;
  }

  /** Ends a VM, but not one that another runner has adopted. Gives whether it did. */
  async destroy(id: string, runner: ProcessIdentity): Promise<boolean> {
    const found = this.#ofRunner(id, runner);
    await found?.vm.destroy();
    return found !== undefined;
  }

  #ofRunner(id: string, { pid, startedAt }: ProcessIdentity): StandIn | undefined {
    const found = this.#vms.get(id);
    return found?.runner.pid === pid && found.runner.startedAt === startedAt ? found : undefined;
  }

  /** Ends the VMs of runners that are dead, but for those that may be adopted still, and gives their ids. */
  async reap(): Promise<string[]> {
    const reaped = (await this.#ofDeadRunners()).filter((id) => !this.#vms.get(id)?.shared);
    await Promise.all(reaped.map((id) => this.#vms.get(id)?.vm.destroy()));
    return reaped;
  }

  /** Cuts the power of the VM at this part of their row, from 0 to 1. */
  async cutPower(part: number): Promise<void> {
    await [...this.#vms.values()][Math.floor(part * this.#vms.size)]?.vm.destroy();
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
