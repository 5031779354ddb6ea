import { readFile } from 'node:fs/promises';
import { billOfMaterials, type Material } from '../../contract/bill-of-materials.ts';
import type { Image } from './build-image.ts';
import type { Recipe } from './recipes.ts';

/** The bill of materials of an image: the packages of the distribution that it was assembled from. */
export async function imageBill(image: Image, recipe: Recipe): Promise<string> {
  const lines = (await readFile(image.packagesPath, 'utf8')).trim().split('\n');
  const product = {
    type: 'operating-system' as const,
    name: `ebb-image-${image.name}`,
    version: image.digest,
  };
  return billOfMaterials(
    product,
    [...new Set(lines)].sort().map((line) => material(line, recipe)),
  );
}

/** https://github.com/package-url/purl-spec/blob/main/types-doc/deb-definition.md */
function material(line: string, { suite, architecture }: Recipe): Material {
  const [name = '', version = ''] = line.split(' ');
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':');
  const purl = `pkg:deb/debian/${encode(name)}@${encode(version)}?arch=${architecture}&distro=${suite}`;
  return { name, version, purl };
}
