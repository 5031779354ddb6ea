import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SshSession } from '../../ssh/connection.ts';
import { VmError, type VmExit } from '../driver.ts';
import type { LiveVm, VmShape } from '../live-vm.ts';
import type { BootVm } from './pool-state.ts';

/** A VM that is only pretended, for tests in which time is pretended too. */
export interface PretendedVm extends LiveVm {
  shape: VmShape;
  state: 'runs' | 'frozen' | 'gone';
  /** Its power is cut. */
  die(): void;
}

export interface PretendedBoot {
  shape: VmShape;
  /** Whether it was given up. */
  stopped(): boolean;
  succeed(): PretendedVm;
  fail(error?: Error): void;
  wait(reason: string): void;
}

const mostBoots = 10_000;

/** Boots that go on when a test says so. */
export function createBootsForTests() {
  /** Under way, oldest first. */
  let boots: PretendedBoot[] = [];
  const vms: PretendedVm[] = [];
  const on = { started: 0, image: 'image-1' };
  const boot: BootVm = (shape, signal, onWait) => {
    const { promise, resolve, reject } = Promise.withResolvers<LiveVm>();
    on.started += 1;
    // A pool that begins and gives up without end leaves no turn to a timer that could end the test.
    if (on.started > mostBoots) throw new Error(`The pool began more than ${mostBoots} boots.`);
    const over = () => {
      boots = boots.filter((other) => other !== entry);
    };
    const entry: PretendedBoot = {
      ...{ shape, stopped: () => signal.aborted, wait: onWait },
      succeed() {
        over();
        const vm = pretendVm(shape, vms.length + 1, on.image);
        vms.push(vm);
        resolve(vm);
        return vm;
      },
      fail(error = new VmError('boot_failed', 'The boot failed.')) {
        over();
        reject(error);
      },
    };
    boots.push(entry);
    signal.addEventListener('abort', () => entry.fail(new VmError('aborted', 'The boot was given up.')));
    return promise;
  };
  return {
    ...{ boot, on, vms },
    boots: () => boots,
    running: () => vms.filter(({ state }) => state !== 'gone'),
  };
}

function pretendVm(shape: VmShape, number: number, image: string): PretendedVm {
  const exited = Promise.withResolvers<VmExit>();
  const closed = new AbortController();
  const connection: SshSession = {
    exec: (_, { signal } = {}) =>
      vm.state === 'runs'
        ? Promise.resolve({ code: 0, signal: null })
        : new Promise((_resolve, reject) => {
            for (const end of [signal, closed.signal]) {
              if (end?.aborted) reject(end.reason);
              end?.addEventListener('abort', () => reject(end.reason));
            }
          }),
    closed: closed.signal,
    close: async () => {},
  };
  const vm: PretendedVm = {
    ...{ shape, state: 'runs', connection },
    // Only what a pool looks at.
    vm: {
      ...{ id: `vm-${number}`, image, launchedAt: new Date(number), exited: exited.promise },
    } as LiveVm['vm'],
    die() {
      vm.state = 'gone';
      closed.abort();
      exited.resolve({ code: null, signal: 'SIGKILL' });
    },
    end: async () => vm.die(),
    leave: async () => {},
  };
  return vm;
}

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}
