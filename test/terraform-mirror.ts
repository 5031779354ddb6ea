import { type Dirent, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const roots = ['/opt', '/usr/local', '/usr/share', '/var/lib', homedir()];
const depth = 4;

/**
 * The filesystem mirror of Terraform that has a provider, such as `hashicorp/aws`: where EBB_TERRAFORM_MIRROR says, or
 * in the usual folders. Undefined when there is none.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation
 */
export function findTerraformMirror(provider: string): string | undefined {
  const { EBB_TERRAFORM_MIRROR: given } = process.env;
  const mirrors = given ? [given] : roots.flatMap((root) => search(root, depth));
  return mirrors.find((mirror) => list(join(mirror, 'registry.terraform.io', provider)).length > 0);
}

/** Folders that hold a folder `registry.terraform.io`. */
function search(folder: string, left: number): string[] {
  const folders = list(folder).filter((entry) => entry.isDirectory());
  const here = folders.some(({ name }) => name === 'registry.terraform.io');
  if (here) return [folder];
  if (left === 0) return [];
  const inner = folders.filter(({ name }) => name !== 'node_modules' && name !== '.git');
  return inner.flatMap(({ name }) => search(join(folder, name), left - 1));
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** The text of a Terraform CLI configuration that installs from there. */
export function mirrorConfig(mirror: string): string {
  return `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`;
}
