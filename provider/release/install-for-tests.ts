import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import { runTerraform } from '../acceptance/terraform.ts';
import { writeCliConfig } from './cli-config.ts';
import { providerAddress, registryHosts } from './mirror.ts';

/**
 * Has the real Terraform install the provider from an archive of a release, in a mirror of packed providers, and start
 * it. Gives the schemas that the provider told.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/config-file#filesystem_mirror
 */
export async function installFromArchive(
  t: TestContext,
  archive: string,
): Promise<{ resource_schemas: Record<string, unknown> }> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-install-'));
  t.after(() => rm(folder, { recursive: true }));
  const [mirrorDir, cliConfig] = [join(folder, 'mirror'), join(folder, 'cli.tfrc')];
  const packed = join(mirrorDir, registryHosts[0], providerAddress);
  await mkdir(packed, { recursive: true });
  await copyFile(archive, join(packed, basename(archive)));
  await writeCliConfig({ path: cliConfig, mirrorDir });
  await writeFile(
    join(folder, 'main.tf'),
    `terraform {\n  required_providers {\n    ebb = { source = "${providerAddress}" }\n  }\n}\n`,
  );
  const environment = { TF_CLI_CONFIG_FILE: cliConfig };
  const init = await runTerraform(['init', '-no-color'], folder, environment);
  assert.equal(init.code, 0, init.output);
  const { code, output } = await runTerraform(['providers', 'schema', '-json'], folder, environment);
  assert.equal(code, 0, output);
  return JSON.parse(output).provider_schemas[`${registryHosts[0]}/${providerAddress}`];
}
