import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { providerVersion } from '../version.ts';

/** Address of the provider without its registry, as `required_providers` has it. */
export const providerAddress = 'ebb-ci/ebb';

/** Registries that Terraform and OpenTofu complete the address with. */
export const registryHosts = ['registry.terraform.io', 'registry.opentofu.org'] as const;

const systems: Record<string, string> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };
const processors: Record<string, string> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' };

/** Go's name of a platform, `linux_amd64`. Throws on one that Terraform does not have. */
export function platformName(system: string, processor: string): string {
  const names = [systems[system], processors[processor]];
  if (names.includes(undefined)) throw new Error(`There is no Terraform for ${system} on ${processor}.`);
  return names.join('_');
}

export function executableName(system: string): string {
  return `terraform-provider-ebb_v${providerVersion}${system === 'win32' ? '.exe' : ''}`;
}

/**
 * Puts an executable into a filesystem mirror, once for each registry's name, as hard links where that is possible.
 * Gives the path under the first registry.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/config-file#filesystem_mirror
 */
export async function addToMirror(mirrorDir: string, executable: string): Promise<string> {
  const { platform, arch } = process;
  const below = join(
    providerAddress,
    providerVersion,
    platformName(platform, arch),
    executableName(platform),
  );
  for (const host of registryHosts) await placeFile(executable, join(mirrorDir, host, below));
  return join(mirrorDir, registryHosts[0], below);
}

/** Appears whole or not at all, also while Terraform runs the file that is replaced. */
async function placeFile(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  await link(source, temporary).catch(() => copyFile(source, temporary));
  await rename(temporary, target);
  // Renaming one link of a file to another of the same file does nothing, says POSIX.
  await rm(temporary, { force: true });
}
