import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { buildProvider } from './build-provider.ts';
import { pluginFolder } from './plugin-folder.ts';

/** Builds the provider for this machine and puts it where Terraform and OpenTofu look first: `npm run provider:install`. */

const outDir = pluginFolder(homedir(), process.env);
const { executable } = await buildProvider({
  ...{ outDir, cacheDir: resolve('.ebb', 'cache', 'provider') },
  signal: AbortSignal.timeout(600_000),
  onProgress: (step) => console.error(`ebb: ${step}`),
});
console.log(`${executable}
terraform init finds it now, without a registry and without TF_CLI_CONFIG_FILE.
Where it says that checksums do not match, that folder knows another build: remove its .terraform.lock.hcl.`);
