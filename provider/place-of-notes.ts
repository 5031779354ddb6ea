import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './configuration.ts';

/**
 * Where notes of creations are kept, in Terraform's data directory, and for which state they are: one of another endpoint,
 * workspace or backend has none of what this one made.
 *
 * @see https://developer.hashicorp.com/terraform/cli/config/environment-variables#tf_data_dir
 */
export function placeOfNotes(environment: Environment, endpoint: string): [folder: string, scope: string] {
  const dataDir = environment.TF_DATA_DIR || '.terraform';
  const workspace = environment.TF_WORKSPACE || read(join(dataDir, 'environment')).trim() || 'default';
  return [join(dataDir, 'ebb-creations'), [endpoint, workspace, backend(dataDir)].join('\n')];
}

/** As `terraform init` keeps it. */
function backend(dataDir: string): string {
  try {
    return JSON.stringify(JSON.parse(read(join(dataDir, 'terraform.tfstate'))).backend);
  } catch {
    return 'none';
  }
}

/** Empty where there is none. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
