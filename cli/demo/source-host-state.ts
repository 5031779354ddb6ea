import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevSystem } from '../dev/dev-system.ts';

/** The deploy keys and hooks that the source host itself has for the sample repository. */
export async function askSourceHost(system: DevSystem): Promise<{ deployKeys: number; hooks: number }> {
  const path = join(system.source.repositories, 'shop.git', 'ebb', 'state.json');
  const state = JSON.parse(await readFile(path, 'utf8')) as { deployKeys: unknown[]; hooks: unknown[] };
  return { deployKeys: state.deployKeys.length, hooks: state.hooks.length };
}
