import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { protocolVersion } from '../plugin/handshake.ts';
import { providerVersion } from '../version.ts';
import { writeWhole } from '../write-whole.ts';
import { executableName, platformName } from './mirror.ts';
import type { Platform } from './node-builds.ts';
import { zipOf } from './zip.ts';

const ebbLicense = new URL('../../LICENSE', import.meta.url);
/** Of the one package that the provider's bundle has code of. */
const msgpackLicense = join(
  dirname(createRequire(import.meta.url).resolve('@msgpack/msgpack/package.json')),
  'LICENSE',
);
const typeName = 'terraform-provider-ebb';

export interface PlatformExecutable extends Platform {
  executable: string;
  /** The license of the Node.js in it. */
  nodeLicense: string;
}

/** Names in a release of this version, as the Terraform Registry wants them. */
export const releaseNames = {
  zip: ({ system, processor }: Platform) =>
    `${typeName}_${providerVersion}_${platformName(system, processor)}.zip`,
  bill: ({ system, processor }: Platform) =>
    `${typeName}_${providerVersion}_${platformName(system, processor)}.cdx.json`,
  manifest: `${typeName}_${providerVersion}_manifest.json`,
  sums: `${typeName}_${providerVersion}_SHA256SUMS`,
};

/** Removes what an earlier release left, whole or not: the files of one release stand alone. */
export async function clearRelease(outDir: string): Promise<void> {
  const names = await readdir(outDir).catch(() => []);
  const ours = names.filter((name) => name.startsWith(`${typeName}_`));
  await Promise.all(ours.map((name) => rm(join(outDir, name))));
}

/** Packs the executable of one platform; gives the name of the archive. */
export async function packExecutable(outDir: string, packed: PlatformExecutable): Promise<string> {
  const entries = [
    { name: 'LICENSE', content: await readFile(ebbLicense), mode: 0o644 },
    { name: 'LICENSE.msgpack', content: await readFile(msgpackLicense), mode: 0o644 },
    { name: 'LICENSE.nodejs', content: await readFile(packed.nodeLicense), mode: 0o644 },
    { name: executableName(packed.system), content: await readFile(packed.executable), mode: 0o755 },
  ];
  const name = releaseNames.zip(packed);
  await writeWhole(join(outDir, name), await zipOf(entries));
  return name;
}

/**
 * Writes the manifest and, last, the checksums of it and of the others: a folder with checksums is complete.
 *
 * @param files names in `outDir` of the archives and their bills of materials
 * @see https://developer.hashicorp.com/terraform/registry/providers/publishing
 */
export async function completeRelease(outDir: string, files: string[]): Promise<void> {
  const manifest = { version: 1, metadata: { protocol_versions: [`${protocolVersion}.0`] } };
  await writeWhole(join(outDir, releaseNames.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
  const lines: string[] = [];
  for (const name of [...files, releaseNames.manifest].sort()) {
    const digest = createHash('sha256').update(await readFile(join(outDir, name)));
    lines.push(`${digest.digest('hex')}  ${name}\n`);
  }
  await writeWhole(join(outDir, releaseNames.sums), lines.join(''));
}
