import { type Vm, VmError } from '../driver.ts';
import type { Console } from './console.ts';

const shellCannotFind = 127;

export interface BootingVm {
  vm: Vm;
  console: Console;
  /** What QEMU itself complained about. */
  complaint(): string;
}

/**
 * Resolves when the image says that its SSH server listens; connecting before that can stall for seconds.
 * Throws VmError with the end of the console.
 */
export async function whenReady(booting: BootingVm, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { vm, console } = booting;
  const done = new AbortController();
  const timeUp = AbortSignal.timeout(timeoutMs);
  const stopped = new Promise<never>((_, reject) => {
    const late = () => `${vm.id} did not come up within ${timeoutMs / 1000} s. ${lastWords(booting)}`;
    const once = { once: true, signal: done.signal };
    timeUp.addEventListener('abort', () => reject(new VmError('boot_timeout', late())), once);
    const giveUp = () =>
      reject(new VmError('aborted', `The boot of ${vm.id} was given up.`, { cause: signal.reason }));
    signal.addEventListener('abort', giveUp, once);
    if (signal.aborted) giveUp();
  });
  const ended = vm.exited.then(({ code }) => {
    const why =
      code === shellCannotFind ? 'QEMU is missing: install qemu-system-x86.' : 'It ended while it booted.';
    throw new VmError('boot_failed', `${vm.id} did not come up. ${why} ${lastWords(booting)}`);
  });
  // It ends one day, long after anybody asks.
  ended.catch(() => {});
  // The kernel goes on with half an image, and fails much later with something else.
  const cramped = console.saw('Initramfs unpacking failed: write error').then(() => {
    throw new VmError(
      'boot_failed',
      `${vm.id} did not come up: ${vm.memoryMib} MiB cannot hold the image. Raise the project's memory_mib.`,
    );
  });
  try {
    await Promise.race([console.saw('ebb: ready'), ended, stopped, cramped]);
  } finally {
    done.abort();
  }
}

function lastWords({ vm, complaint }: BootingVm): string {
  const said = vm.consoleTail().trim().split('\n').slice(-15).join('\n');
  return `${complaint()} ${said === '' ? 'It printed nothing.' : `Its console ended with:\n${said}`}`.trim();
}
