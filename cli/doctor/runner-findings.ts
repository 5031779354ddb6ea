import { resolve } from 'node:path';
import type { RunnerConfiguration } from '../../runner/configuration.ts';
import { imageBuiltAt } from '../../runner/image/build-image.ts';
import { findRecipe } from '../../runner/image/recipes.ts';
import { isInMemory } from '../memory-folder.ts';
import type { Finding } from './finding.ts';

const oldDays = 30;
const dayMs = 24 * 3600_000;

/** What a runner with VMs on its own machine leaves open. */
export async function qemuFindings(
  configuration: RunnerConfiguration,
  { runtimeDir, swaps, now }: { runtimeDir: string; swaps: string[]; now: Date },
): Promise<Finding[]> {
  return [
    ...swapChoiceFindings(configuration, swaps),
    ...((await isInMemory(runtimeDir)) ? [] : [runtimeOnDisk(runtimeDir)]),
    ...(configuration.EBB_QEMU_MEASURED_BOOT === 'off' ? [notMeasured] : []),
    ...(await imageFindings(configuration, now)),
  ];
}

function swapChoiceFindings(
  { EBB_ALLOW_HOST_SWAP: allowed }: RunnerConfiguration,
  swaps: string[],
): Finding[] {
  if (allowed) {
    return [
      {
        ...{ code: 'swap_is_allowed', severity: swaps.length > 0 ? 'high' : 'low' },
        what: `EBB_ALLOW_HOST_SWAP is true${swaps.length > 0 ? '' : ', though this machine has no swap'}.`,
        why: 'Memory of VMs, with source and secrets, may reach a disk; receipts say so.',
        fix: 'swapoff --all, and take EBB_ALLOW_HOST_SWAP away.',
      },
    ];
  }
  if (swaps.length === 0) return [];
  return [
    {
      ...{ code: 'builds_refused_for_swap', severity: 'high' },
      what: 'This machine has swap, and EBB_ALLOW_HOST_SWAP is not true.',
      why: 'Every VM fails the look from outside before it is offered a key: no build starts here.',
      fix: 'swapoff --all, and take swap out of /etc/fstab.',
    },
  ];
}

const runtimeOnDisk = (folder: string): Finding => ({
  ...{ code: 'runtime_folder_on_disk', severity: 'high' },
  what: `The folder of running VMs, ${folder} (EBB_RUNTIME_DIR), is on no tmpfs.`,
  why: 'Host keys and seeds of VMs reach a disk and can be read from it later.',
  fix: 'Take EBB_RUNTIME_DIR away, which then is under /dev/shm, or name a folder on a tmpfs.',
});

const notMeasured: Finding = {
  ...{ code: 'measured_boot_off', severity: 'low' },
  what: 'EBB_QEMU_MEASURED_BOOT is off.',
  why: 'VMs do not prove what they booted before they are offered a key: a changed image would go unnoticed.',
  fix: 'Set it to on, or leave it out; it needs swtpm and ovmf.',
};

async function imageFindings({ EBB_CACHE_DIR: cache }: RunnerConfiguration, now: Date): Promise<Finding[]> {
  const builtAt = await imageBuiltAt(findRecipe('base'), resolve(cache, 'images'));
  const days = builtAt ? Math.floor((now.getTime() - builtAt.getTime()) / dayMs) : 0;
  if (days <= oldDays) return [];
  return [
    {
      ...{ code: 'image_is_old', severity: 'medium' },
      what: `The image that VMs boot was built ${days} days ago.`,
      why: "Debian's security updates since then are not in it.",
      fix: `Remove ${resolve(cache, 'images')} and start the runner again, which builds it anew.`,
    },
  ];
}
