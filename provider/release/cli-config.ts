import { resolve } from 'node:path';
import { writeWhole } from '../write-whole.ts';
import { providerAddress, registryHosts } from './mirror.ts';

/**
 * Writes a CLI configuration for Terraform and OpenTofu (`TF_CLI_CONFIG_FILE`): Ebb's provider comes from the mirror
 * and no registry is asked for it; every other provider is installed as usual.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation
 */
export async function writeCliConfig({
  path,
  mirrorDir,
}: {
  path: string;
  mirrorDir: string;
}): Promise<void> {
  const addresses = registryHosts.map((host) => JSON.stringify(`${host}/${providerAddress}`)).join(', ');
  const text = `provider_installation {
  filesystem_mirror {
    path    = ${hclString(resolve(mirrorDir))}
    include = [${addresses}]
  }
  direct {
    exclude = [${addresses}]
  }
}
`;
  await writeWhole(path, text);
}

/** A quoted string without templates. */
function hclString(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{');
}
