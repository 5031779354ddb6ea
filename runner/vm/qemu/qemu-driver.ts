import { join } from 'node:path';
import type { VmImage } from '../../../contract/vm.ts';
import type { Image } from '../../image/build-image.ts';
import { digestParts } from '../../image/image-parts.ts';
import type { MeasuredProgram } from '../../image/measured/measured-program.ts';
import { type Vm, type VmDriver, VmError, type VmLaunch } from '../driver.ts';
import { createKeptVms } from '../kept-vms.ts';
import { adoptVm } from './adopt-vm.ts';
import { launchVm, type QemuLaunch } from './launch-vm.ts';
import { placeOf } from './place.ts';
import { probeKvm } from './probe-kvm.ts';
import { createTemplates, isTemplateId, type TemplateEvent, type Templates } from './templates.ts';
import { createFolderReaper } from './vm-folder.ts';

export interface QemuDriverOptions {
  /** The image of the recipe `base`; read at each launch. */
  image: Image;
  /** Gives the image of another recipe; may take minutes the first time. Without it there is none. */
  otherImage?: (recipe: string, signal: AbortSignal) => Promise<Image>;
  /** Folder on a tmpfs: a VM's keys pass through it. */
  runtimeDir: string;
  /** Remembers whether KVM works. */
  cacheDir: string;
  /**
   * Gives the image as a program that firmware starts and measures into a TPM of each VM; without it VMs boot faster
   * and prove nothing of what they booted.
   */
  measuredProgram?: (image: Image, signal: AbortSignal) => Promise<MeasuredProgram>;
  /** Whether VMs go on from a template where they do not boot measured; `auto`, when absent, where the CPU is emulated. */
  template?: 'auto' | 'on' | 'off';
  /** Told of what becomes of templates. */
  onTemplate?: (event: TemplateEvent) => void;
  /** How long a VM may take to listen; 90 s when absent, 240 s where it boots measured. */
  bootTimeoutMs?: number;
}

const defaultBootTimeoutMs = { kernel: 90_000, measured: 240_000 };
const restoreTimeoutMs = 30_000;
const portAttempts = 3;
// An image that is built already is there sooner.
const toldAfterMs = 500;

/** VMs by QEMU on this machine: KVM where it works, else emulated; no disk in either case. */
export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const { runtimeDir, cacheDir, measuredProgram, template = 'auto', onTemplate } = options;
  const bootTimeoutMs =
    options.bootTimeoutMs ?? defaultBootTimeoutMs[measuredProgram ? 'measured' : 'kernel'];
  const running = createKeptVms();
  const booting = new Set<Promise<Vm>>();
  const closing = new AbortController();
  let kvm: Promise<boolean> | undefined;
  let place: Promise<string> | undefined;
  const parts = new Map<string, Promise<VmImage>>();
  const reapFolders = createFolderReaper(runtimeDir);
  const templates = createTemplates({ runtimeDir, ...(onTemplate && { onEvent: onTemplate }) });

  const imageOf = async ({ recipe = 'base', onWait }: VmLaunch, signal: AbortSignal): Promise<Image> => {
    if (recipe === 'base') return options.image;
    if (!options.otherImage) throw new VmError('setting', `This runner has no image ${recipe}.`);
    const building = setTimeout(
      () => onWait?.(`building the image ${recipe}, once on this runner`),
      toldAfterMs,
    );
    return await options.otherImage(recipe, signal).finally(() => clearTimeout(building));
  };
  /** Once for each image; what fails is tried again by the next VM. */
  const partsOf = (image: Image): Promise<VmImage> => {
    const known = parts.get(image.digest) ?? digestParts(image);
    parts.set(image.digest, known);
    known.catch(() => parts.delete(image.digest));
    return known;
  };
  /** Once for all VMs; what fails is tried again by the next. */
  const hasKvm = (): Promise<boolean> => {
    if (kvm) return kvm;
    kvm = probeKvm(options.image, cacheDir);
    kvm.catch(() => {
      kvm = undefined;
    });
    return kvm;
  };
  const start = async (launch: VmLaunch) => {
    const accelerator = (await hasKvm()) ? 'kvm' : 'tcg';
    const signal = AbortSignal.any([launch.signal, closing.signal]);
    const image = await imageOf(launch, signal);
    const program = await measuredProgram?.(image, signal);
    const qemuLaunch: QemuLaunch = {
      ...{ ...launch, signal, image, parts: partsOf(image) },
      ...{ runtimeDir, accelerator, bootTimeoutMs },
      ...(program && { program }),
    };
    const boots = program || template === 'off' || (template === 'auto' && accelerator === 'kvm');
    const vm = boots ? await launchOnFreePort(qemuLaunch) : await restoreOrBoot(templates, qemuLaunch);
    return running.keep(vm);
  };
  return {
    name: 'qemu',
    async launch(launch) {
      const boot = start(launch);
      booting.add(boot);
      return await boot.finally(() => booting.delete(boot));
    },
    reap: async () => (await reapFolders()).filter((id) => !isTemplateId(id)),
    place() {
      const known = place ?? placeOf(runtimeDir);
      place = known;
      known.catch(() => {
        place = undefined;
      });
      return known;
    },
    adopt: async (handle) => running.keep(await adoptVm(join(runtimeDir, handle.id), handle)),
    async close() {
      closing.abort(new Error('The driver is closing.'));
      await Promise.allSettled([...booting, templates.close()]);
      await running.destroyAll();
    },
  };
}

/**
 * A VM goes on from the template of its kind. While there is none it boots, and one is made once that is done. When it
 * does not go on it boots too, and that template is not used again.
 */
async function restoreOrBoot(templates: Templates, launch: QemuLaunch): Promise<Vm> {
  const template = templates.find(launch);
  if (template) {
    try {
      const bootTimeoutMs = Math.min(launch.bootTimeoutMs, restoreTimeoutMs);
      const vm = await launchOnFreePort({ ...launch, template, bootTimeoutMs });
      templates.worked(launch);
      return vm;
    } catch (error) {
      if (launch.signal.aborted) throw error;
      await templates.drop(launch, template, error);
    }
  }
  const vm = await launchOnFreePort(launch);
  templates.want(launch);
  return vm;
}

/** The port may be taken between asking for a free one and QEMU's using it. */
async function launchOnFreePort(launch: QemuLaunch): Promise<Vm> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchVm(launch);
    } catch (error) {
      const taken = error instanceof VmError && error.message.includes('Could not set up host forwarding');
      if (!taken || attempt === portAttempts) throw error;
    }
  }
}
