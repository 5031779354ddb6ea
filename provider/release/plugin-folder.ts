import { join } from 'node:path';

/**
 * The folder of a user in which Terraform and OpenTofu look for providers before they ask a registry.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
 */
export function pluginFolder(
  home: string,
  environment: { readonly [name: string]: string | undefined },
  platform: NodeJS.Platform = process.platform,
): string {
  if (platform !== 'win32') return join(home, '.terraform.d', 'plugins');
  return join(environment.APPDATA ?? join(home, 'AppData', 'Roaming'), 'terraform.d', 'plugins');
}
