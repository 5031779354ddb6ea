import { billOfMaterials, npmMaterial } from '../../contract/bill-of-materials.ts';
import { type Lock, packageName } from './lock-file.ts';

/**
 * The bill of materials of what runs as `ebb`: all packages but those for development alone. npm's own bill
 * leaves out what a package for development wants beside itself, though Ebb runs with it.
 */
export function billOfEbb({ version, packages }: Lock): string {
  const running = [...packages].filter(([, entry]) => !entry.dev);
  const materials = running.map(([path, entry]) => npmMaterial(packageName(path), entry));
  // A package may lie in several folders.
  const once = new Map(materials.map((material) => [material.purl, material]));
  return billOfMaterials({ type: 'application', name: 'ebb', version }, [...once.values()]);
}
