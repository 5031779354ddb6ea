import { resolve } from 'node:path';
import { Command } from 'commander';

/** `ebb provider FOLDER`: the Terraform provider for this machine, without a registry. */
export function providerCommand(): Command {
  return new Command('provider')
    .description('Build the Terraform provider into a folder and tell how Terraform finds it.')
    .argument('[folder]', 'folder for it', '.ebb')
    .action(async (folder: string) => {
      // What builds it is not installed where only the API runs.
      const { installProvider } = await import('../dev/install-provider.ts');
      const path = await installProvider({
        folder: resolve(folder),
        signal: AbortSignal.timeout(600_000),
        onProgress: (line) => console.error(line),
      });
      console.log(`export TF_CLI_CONFIG_FILE='${path}'`);
    });
}
