/** A package that something was made of. */
export interface Material {
  name: string;
  version: string;
  /** Its name for everybody: https://github.com/package-url/purl-spec */
  purl: string;
  /** What it says its license is, where that is known: an SPDX expression, or in words. */
  license?: string;
  /** Its name in lists of known weaknesses, where the purl is not the one that scanners look for. */
  cpe?: string;
  /** SHA-512 in hexadecimal of the package as it was fetched, where it is known. */
  sha512?: string;
}

/** What the bill is of. */
export interface Product {
  type: 'application' | 'operating-system';
  name: string;
  version: string;
  /** SHA-256 in hexadecimal of the file that people get, where there is one. */
  sha256?: string;
}

const spdxExpression = /^\(?[\w.+-]+( (OR|AND|WITH) [\w.+-]+)*\)?$/;

/**
 * A bill of materials for scanners. It has neither date nor serial number, so that the same product gives the same bytes.
 *
 * @see https://cyclonedx.org/docs/1.5/json/
 */
export function billOfMaterials(product: Product, materials: readonly Material[]): string {
  const { type, name, version, sha256 } = product;
  const reference = `${name}@${version}`;
  const hashes = sha256 ? { hashes: [{ alg: 'SHA-256', content: sha256 }] } : {};
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { 'bom-ref': reference, type, name, version, ...hashes } },
    components: materials.map(component),
    dependencies: [{ ref: reference, dependsOn: materials.map(({ purl }) => purl) }],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function component({ name, version, purl, cpe, license, sha512 }: Material) {
  return {
    ...{ 'bom-ref': purl, type: 'library', name, version, purl },
    ...(cpe ? { cpe } : {}),
    ...(sha512 ? { hashes: [{ alg: 'SHA-512', content: sha512 }] } : {}),
    ...(license
      ? {
          licenses: [spdxExpression.test(license) ? { expression: license } : { license: { name: license } }],
        }
      : {}),
  };
}

/** A package of the npm registry by what package-lock.json says of it; one that came inside another has no hash there. */
export function npmMaterial(
  name: string,
  entry: { version: string; integrity?: string; license?: string },
): Material {
  const { version, integrity, license } = entry;
  const sha512 = integrity && Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  return {
    ...{ name, version, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` },
    ...(sha512 ? { sha512 } : {}),
    ...(license ? { license } : {}),
  };
}
