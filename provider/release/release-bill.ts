import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { billOfMaterials, type Material, npmMaterial } from '../../contract/bill-of-materials.ts';
import { providerVersion } from '../version.ts';
import { writeWhole } from '../write-whole.ts';
import { bundledPackages } from './executable.ts';
import type { NodeBuild, ReleaseTarget } from './node-builds.ts';
import { releaseNames } from './release-files.ts';

const lockFile = new URL('../../package-lock.json', import.meta.url);

/** Writes the bill of materials of an archive that lies in `outDir` already; gives its name. */
export async function writeBill(outDir: string, target: ReleaseTarget): Promise<string> {
  const archive = await readFile(join(outDir, releaseNames.zip(target)));
  const name = releaseNames.bill(target);
  const product = {
    ...{ type: 'application' as const, name: 'terraform-provider-ebb', version: providerVersion },
    sha256: createHash('sha256').update(archive).digest('hex'),
  };
  await writeWhole(
    join(outDir, name),
    billOfMaterials(product, [nodeMaterial(target.node), ...(await bundled())]),
  );
  return name;
}

/** By the name that scanners know Node.js by, and by the package that this build of it came in. */
function nodeMaterial({ package: name, version, integrity }: NodeBuild): Material {
  const cpe = `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`;
  return { ...npmMaterial(name, { version, integrity, license: 'MIT' }), name: 'node', cpe };
}

async function bundled(): Promise<Material[]> {
  const { packages } = JSON.parse(await readFile(lockFile, 'utf8'));
  return bundledPackages.map((name) => npmMaterial(name, packages[`node_modules/${name}`]));
}
