import type { VmExit, VmImage, VmTemplate } from '../../contract/vm.ts';
import type { SshSession } from '../ssh/connection.ts';
import type { OutsideObservation } from './outside.ts';
import type { MeasuredBootVerdict } from './tpm/judge-quote.ts';
import type { VmHandle } from './vm-handle.ts';

export type { VmExit } from '../../contract/vm.ts';

/** What can be seen of a VM without asking it. */
export interface VmSighting {
  /** What it booted. */
  image: VmImage;
  /** Where it went on from instead of booting. */
  template?: VmTemplate;
  outside: OutsideObservation;
}

/** A running VM that answers SSH. It is used for one build and then destroyed. */
export interface Vm {
  readonly id: string;
  readonly driver: string;
  /** Where its SSH server is reached from this machine. */
  readonly host: string;
  readonly port: number;
  /** Its host key, a raw blob, known since before the VM existed. */
  readonly hostKey: Buffer;
  /** Private key (OpenSSH format) that logs in as `root` and `checkout`; wiped when the VM is destroyed. */
  readonly clientKey: Buffer;
  /** Address by which the VM reaches services on this machine's loopback. */
  readonly hostAddress: string;
  readonly memoryMib: number;
  readonly cpus: number;
  /** What it booted, by any name that changes with it: a digest, or the id of an AMI. */
  readonly image: string;
  /** By the runner's clock. */
  readonly launchedAt: Date;
  /** Resolves when it has ended; or when it was released, where it is on another machine. */
  readonly exited: Promise<VmExit>;
  /**
   * Has the VM prove by its TPM that it booted its image and nothing else; the connection is the runner's, as root.
   * Absent where VMs do not boot measured. Throws TpmError when there is no proof, SshError when the VM is lost.
   */
  attest?(connection: SshSession, signal: AbortSignal): Promise<MeasuredBootVerdict>;
  /** The end of what it printed on its console. */
  consoleTail(): string;
  /** Looks at the VM from outside, now. Throws when it cannot be seen. */
  observe(signal: AbortSignal): Promise<VmSighting>;
  /** Ends the VM at once; resolves when it is gone. May be called again. */
  destroy(): Promise<void>;
  /**
   * From now on another runner may adopt it, for a while also when this one is dead. Absent where none can; then
   * `release` is, too. Throws VmError when it cannot be arranged now.
   */
  share?(): Promise<void>;
  /** Lets go of it: it goes on without this runner, until another one adopts it or it ends itself. */
  release?(): Promise<void>;
}

export interface VmLaunch {
  id: string;
  memoryMib: number;
  cpus: number;
  /** Name of the recipe of its image; `base` when absent. */
  recipe?: string;
  /** Seconds without heartbeat after which the VM powers itself off. */
  deadmanSeconds?: number;
  /** Told each time when the launch has to wait for something, in a sentence for the team. */
  onWait?(reason: string): void;
  signal: AbortSignal;
}

/** A way to run VMs. A new one is a folder beside `qemu/` that passes `driver-conformance.ts`. */
export interface VmDriver {
  readonly name: string;
  /** Resolves when the VM's SSH server listens. Throws VmError; nothing of the VM is left then. */
  launch(launch: VmLaunch): Promise<Vm>;
  /** Ends VMs whose runner is dead, and gives their ids. Never touches a VM whose runner lives. */
  reap(): Promise<string[]>;
  /** Names the place that shared VMs can be adopted from: runners that give the same name reach the same VMs. */
  place?(): Promise<string>;
  /** Takes over a VM that was shared, whoever has it. Throws VmError `gone` when it is not there any more. */
  adopt?(handle: VmHandle): Promise<Vm>;
  /** Destroys all VMs of this driver but those that it let go of. */
  close(): Promise<void>;
}

/** A VM that did not come up, with the end of its console in the message; or one that is `gone`. */
export class VmError extends Error {
  override name = 'VmError';
  /** `setting`: no other VM of this kind will come up until somebody changes something. */
  readonly code: 'boot_failed' | 'boot_timeout' | 'aborted' | 'setting' | 'gone';

  constructor(code: VmError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
