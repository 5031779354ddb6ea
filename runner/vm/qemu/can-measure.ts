import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Image } from '../../image/build-image.ts';
import { probeKvm } from './probe-kvm.ts';
import { firmwarePath } from './start.ts';

/** Whether VMs can be measured here: KVM boots, without which firmware takes half a minute, and swtpm and OVMF are there. */
export async function canMeasure(image: Image, cacheDir: string): Promise<boolean> {
  return (await hasPrograms()) && (await probeKvm(image, cacheDir));
}

async function hasPrograms(): Promise<boolean> {
  try {
    await access(firmwarePath, constants.R_OK);
    await promisify(execFile)('swtpm', ['--version'], { timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
}
