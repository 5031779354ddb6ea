import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const mainFile = fileURLToPath(new URL('../provider/main.ts', import.meta.url));

/** A folder in which Terraform runs the provider from its sources, without `terraform init`. */
export interface DevelopmentProvider {
  folder: string;
  /** Environment of Terraform. */
  environment: Record<string, string>;
  remove(): Promise<void>;
}

/** Makes the folder with a launcher and a CLI configuration that points to it. The caller removes it. */
export async function createDevelopmentProvider(path: string): Promise<DevelopmentProvider> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-stacks-'));
  const launcher = join(folder, 'terraform-provider-ebb');
  const cliConfig = join(folder, 'cli.tfrc');
  const override = `"ebb-ci/ebb" = ${JSON.stringify(folder)}`;
  await writeFile(launcher, `#!/bin/sh\nexec "${process.execPath}" "${mainFile}"\n`);
  await chmod(launcher, 0o755);
  await writeFile(
    cliConfig,
    `provider_installation {\n  dev_overrides {\n    ${override}\n  }\n  direct {}\n}\n`,
  );
  const environment = { PATH: path, CHECKPOINT_DISABLE: '1', HOME: folder, TF_CLI_CONFIG_FILE: cliConfig };
  return { folder, environment, remove: () => rm(folder, { recursive: true, force: true }) };
}
